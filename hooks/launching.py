"""Starting and watching attempts: the jobs between a run that holds a slot and the engine that does the work.

Each function is safe to run twice, at any time, on any worker: the claim in the database binds an attempt to one host,
and the launcher of that host starts it at most once. What they find out they append to the ledger; the run's row is
changed by the state follower alone.
"""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import orjson
import psycopg
import structlog
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.documents.pipeline import Pipeline, SecretReference
from catalog.facts import FactKind, Outcome, attempt_claimed, attempt_ended, attempt_started, natural_digest
from catalog.keys import HEADWATER_NAMESPACE
from catalog.ledger import NewFact, append_facts
from catalog.queries import load_queries
from hooks.jobs import Job, enqueue_jobs, host_queue
from hooks.launchers.port import Attempt, Exited, Launcher, Lost, NotStarted, Running, Started
from hooks.launchers.secret import SecretReference as LauncherSecret

log = structlog.get_logger(__name__)
QUERIES = load_queries(Path(__file__).with_name("launching.sql"))

#: Longest wait of one job that watches an attempt, in seconds: SIGTERM waits for jobs.
WATCH_SECONDS = 0.9
#: Prefixes by which a reason to stop says what the outcome is.
TIMED_OUT, CANCELLED = "timed out: ", "cancelled: "
#: Exit codes of `sh` for what cannot be executed.
NOT_EXECUTED = frozenset({126, 127})


@dataclass(frozen=True, slots=True)
class Claim:
    """Who may start an attempt."""

    host: str
    boot: str


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """What the jobs of one worker need."""

    engine: Engine
    launcher: Launcher
    host: str
    boot: str
    #: Where producers report to.
    openlineage_url: str
    now: Callable[[], dt.datetime]


def launch(context: LaunchContext, run_id: uuid.UUID, number: int) -> None:
    """Claim the attempt for this host and start it, unless it has been claimed, cancelled or ended before."""
    with translated_errors(), context.engine.begin() as connection:
        raw = driver_connection(connection)
        claim = _claim(context, raw, run_id, number)
        if claim.host == "" or _outcome_known(raw, run_id, number):
            return
        if claim.host != context.host:
            arguments = {"run_id": str(run_id), "attempt": number}
            enqueue_jobs(raw, [Job("headwater.launch", host_queue(claim.host), arguments)])
            return
        attempt = _attempt(context, raw, run_id, number, claim)
    outcome = context.launcher.start(attempt)
    match outcome:
        case Started(pid, started_at) | Running(pid, started_at):
            started = attempt_started(run_id, number, host=context.host, pid=pid, at=started_at)
            deadline = None if attempt.timeout is None else started_at + attempt.timeout
            _append(context, [started], watch_job(context.host, run_id, number, deadline))
        case Exited() | Lost():
            record_end(context, run_id, number, outcome)
        case _:
            assert_never(outcome)


def watch_job(host: str, run_id: uuid.UUID, number: int, deadline: dt.datetime | None) -> Job:
    """Return the job that asks how the attempt stands until it has ended."""
    arguments = {
        "run_id": str(run_id),
        "attempt": number,
        "deadline": None if deadline is None else deadline.isoformat(),
    }
    return Job("headwater.watch", host_queue(host), arguments)


async def watch(context: LaunchContext, run_id: uuid.UUID, number: int, deadline: dt.datetime | None) -> bool:
    """Wait a moment for the end of the attempt and record it; return whether it must be watched further."""
    outcome = await context.launcher.wait(run_id, number, WATCH_SECONDS)
    match outcome:
        case Running():
            if deadline is None or context.now() < deadline:
                return True
            reason = f"{TIMED_OUT}the attempt was still running at {deadline.isoformat()}"
            await asyncio.to_thread(stop, context, run_id, number, reason)
            return False
        case Exited() | Lost():
            await asyncio.to_thread(record_end, context, run_id, number, outcome)
            return False
        case NotStarted():
            # Its starter died between spawning and the first sign of life: starting again starts it at most once.
            await asyncio.to_thread(launch, context, run_id, number)
            return False
        case _:
            assert_never(outcome)


def stop(context: LaunchContext, run_id: uuid.UUID, number: int, reason: str) -> None:
    """End the attempt and record its outcome."""
    context.launcher.stop(run_id, number, reason=reason)
    outcome = context.launcher.ask(run_id, number)
    match outcome:
        case Exited() | Lost():
            record_end(context, run_id, number, outcome)
        case Running():
            # Something cannot be killed now; the watching job goes on.
            log.warning("attempt.not_stopped", run=str(run_id), attempt=number)
        case NotStarted():
            record_end(context, run_id, number, Exited(143, None, None, context.now(), reason))
        case _:
            assert_never(outcome)


def record_end(context: LaunchContext, run_id: uuid.UUID, number: int, outcome: Exited | Lost) -> None:
    """Append what is known of the end of the attempt; the first outcome that is appended counts."""
    facts: list[NewFact] = []
    actor = f"host:{context.host}"
    match outcome:
        case Lost(reason):
            facts.append(
                attempt_ended(run_id, number, Outcome.LOST, actor=actor, at=context.now(), reason=reason)
            )
        case Exited(code, _, started_at, ended_at, reason):
            if started_at is not None:
                facts.append(attempt_started(run_id, number, host=context.host, pid=None, at=started_at))
            facts.append(
                attempt_ended(
                    run_id,
                    number,
                    _outcome(outcome),
                    actor=actor,
                    at=ended_at,
                    exit_code=code,
                    reason=(reason or "").removeprefix(TIMED_OUT).removeprefix(CANCELLED),
                )
            )
        case _:
            assert_never(outcome)
    _append(context, facts, None)


def _outcome(exited: Exited) -> Outcome:
    if exited.reason is not None and exited.reason.startswith(TIMED_OUT):
        return Outcome.TIMED_OUT
    if exited.reason is not None and exited.reason.startswith(CANCELLED):
        return Outcome.CANCELLED
    if exited.started_at is None and exited.code in NOT_EXECUTED:
        return Outcome.NOT_STARTED
    return Outcome.EXITED


def _append(context: LaunchContext, facts: list[NewFact], job: Job | None) -> None:
    with translated_errors(), context.engine.begin() as connection:
        raw = driver_connection(connection)
        if job is not None:
            enqueue_jobs(raw, [job])
        append_facts(raw, facts)


def _claim(
    context: LaunchContext, connection: psycopg.Connection[Any], run_id: uuid.UUID, number: int
) -> Claim:
    parameters = {"run": run_id, "attempt": number, "host": context.host, "boot": context.boot}
    row = connection.execute(QUERIES["claim"], parameters).fetchone()
    if row is not None:
        append_facts(connection, [attempt_claimed(run_id, number, host=context.host)])
        return Claim(*row)
    row = connection.execute(QUERIES["claimed_by"], parameters).fetchone()
    if row is None:
        raise ValueError(f"expected a claim of attempt {number} of run {run_id}, found none")
    return Claim(*row)


def _outcome_known(connection: psycopg.Connection[Any], run_id: uuid.UUID, number: int) -> bool:
    digest = natural_digest(FactKind.ATTEMPT_ENDED, str(run_id), str(number))
    row = connection.execute(QUERIES["outcome_known"], {"digest": digest}).fetchone()
    return bool(row and row[0])


def _attempt(
    context: LaunchContext, connection: psycopg.Connection[Any], run_id: uuid.UUID, number: int, claim: Claim
) -> Attempt:
    row = connection.execute(QUERIES["run"], {"run": run_id}).fetchone()
    if row is None:
        raise ValueError(f"expected a pipeline run {run_id}, found none")
    pipeline, run_number, _, due_position, due_at, cause, reason, body = row
    document = Pipeline.model_validate(body)
    command = document.spec.launch.command
    versions = [
        {
            "dataset": {"namespace": namespace, "name": name},
            "version": version,
            "partition": partition,
            "time": time,
            "rows": rows,
            "bytes": size,
            "run": run,
        }
        for namespace, name, version, partition, time, rows, size, run, _ in connection.execute(
            QUERIES["consumed"], {"run": run_id}
        )
    ]
    trigger = {
        "run": run_id,
        "pipeline": pipeline,
        "number": run_number,
        "attempt": number,
        "cause": cause,
        "reason": reason,
        "dueAt": due_at,
        "duePosition": due_position,
        "versions": versions,
    }
    return Attempt(
        run_id=run_id,
        number=number,
        pipeline=pipeline,
        argv=command.argv,
        openlineage_url=context.openlineage_url,
        openlineage_namespace=document.spec.job.namespace if document.spec.job else HEADWATER_NAMESPACE,
        parent_job_namespace=HEADWATER_NAMESPACE,
        parent_job_name=pipeline,
        trigger=orjson.dumps(trigger),
        claimed_boot=claim.boot or None,
        working_directory=command.working_directory,
        environment={
            name: LauncherSecret.parse(value.secret) if isinstance(value, SecretReference) else value
            for name, value in command.environment.items()
        },
        timeout=document.spec.timeout,
    )
