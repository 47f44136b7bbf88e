"""The job queue: how a job is enqueued in the transaction of the state that made it necessary (procrastinate)."""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from procrastinate import SyncPsycopgConnector
from procrastinate import jobs as procrastinate_jobs
from procrastinate.manager import JobManager

#: Queue of jobs that any worker with launchers may take; jobs about a claimed attempt go to its host's queue.
LAUNCH_QUEUE = "launch"
#: Stands for a host in the claim of an attempt that an engine runs: any worker may ask about it.
ENGINE_HOST = "engine"
#: Attempts that one job launches at most: few enough that several workers share a large fan-out.
LAUNCH_CHUNK = 8


def host_queue(host: str) -> str:
    """Return the queue of jobs that only this host may do.

    The queue is also part of a channel's name, of which PostgreSQL takes 63 bytes.
    """
    return f"host:{host.replace('-', '')[:32]}"


@dataclass(frozen=True, slots=True)
class Job:
    """A job to enqueue; `at` None means now."""

    task: str
    queue: str
    arguments: Mapping[str, Any]
    at: dt.datetime | None = None


class AttemptKey(NamedTuple):
    """One attempt of one pipeline run."""

    run_id: uuid.UUID
    number: int


def launch_job(
    keys: Sequence[AttemptKey], *, queue: str = LAUNCH_QUEUE, at: dt.datetime | None = None
) -> Job:
    """Return the job that launches the attempts."""
    return Job("headwater.launch", queue, {"attempts": [[str(key.run_id), key.number] for key in keys]}, at)


def engine_launch_job(keys: Sequence[AttemptKey], *, at: dt.datetime | None = None) -> Job:
    """Return the job that asks engines to start the attempts."""
    arguments = {"attempts": [[str(key.run_id), key.number] for key in keys]}
    return Job("headwater.engine.launch", host_queue(ENGINE_HOST), arguments, at)


def launch_jobs(keys: Sequence[AttemptKey], launch: Callable[[Sequence[AttemptKey]], Job]) -> list[Job]:
    """Return jobs that launch the attempts, several each: what is claimed together costs one transaction."""
    return [launch(keys[index : index + LAUNCH_CHUNK]) for index in range(0, len(keys), LAUNCH_CHUNK)]


# Only the caller's connection is ever used, so the connector is never opened.
_MANAGER = JobManager(SyncPsycopgConnector())


def enqueue_jobs(connection: psycopg.Connection[Any], jobs: Sequence[Job]) -> None:
    """Write the jobs within the caller's transaction; workers hear of them when it commits."""
    if not jobs:
        return
    rows = [
        procrastinate_jobs.Job(
            id=None,
            queue=job.queue,
            lock=None,
            queueing_lock=None,
            task_name=job.task,
            task_kwargs=dict(job.arguments),
            scheduled_at=job.at,
        )
        for job in jobs
    ]
    _MANAGER.batch_defer_jobs(rows, connection=connection)
