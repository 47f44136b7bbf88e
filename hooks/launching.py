"""Starting and watching attempts: the jobs between a run that holds a slot and the engine that does the work.

Each function is safe to run twice, at any time, on any worker: the claim in the database binds an attempt to one host,
and the launcher of that host starts it at most once. What they find out they append to the ledger; the run's row is
changed by the state follower alone.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import orjson
import psycopg
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.documents.pipeline import AirflowLaunch, CommandLaunch, HttpLaunch, SecretReference
from catalog.errors import HeadwaterError, Unavailable
from catalog.facts import FactKind, Outcome, attempt_claimed, attempt_ended, attempt_started, natural_digest
from catalog.keys import HEADWATER_NAMESPACE
from catalog.ledger import NewFact, append_facts
from catalog.queries import load_queries
from hooks.due_runs import DueRun, read_due_runs
from hooks.jobs import AttemptKey, Job, enqueue_jobs, host_queue, launch_job
from hooks.launchers.port import Attempt, Exited, Launcher, Lost, NotStarted, Running, Started
from hooks.launchers.secret import SecretReference as LauncherSecret
from hooks.pausing import LOOK_AGAIN, held_back

QUERIES = load_queries(Path(__file__).with_name("launching.sql"))

#: Longest wait of one job that watches an attempt, in seconds: SIGTERM waits for jobs.
WATCH_SECONDS = 0.9
#: Prefixes by which a reason to stop says what the outcome is.
TIMED_OUT, CANCELLED = "timed out: ", "cancelled: "
#: Exit codes of `sh` for what cannot be executed.
NOT_EXECUTED = frozenset({126, 127})


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
    #: What producers show there; given to the process alone, never stored.
    api_key: str | None = None


def launch(context: LaunchContext, keys: Sequence[AttemptKey]) -> None:
    """Claim the attempts for this host and start them, but those that were claimed, cancelled or ended before.

    Raises what the first attempt raised that could not be started now; the others are started all the same.
    """
    with translated_errors(), context.engine.begin() as connection:
        attempts = _claimed_attempts(context, driver_connection(connection), keys)
    facts: list[NewFact] = []
    jobs: list[Job] = []
    failure: Exception | None = None
    for attempt in attempts:
        try:
            outcome = context.launcher.start(attempt)
        except (HeadwaterError, OSError) as error:
            failure = failure or error
            continue
        key = AttemptKey(attempt.run_id, attempt.number)
        match outcome:
            case Started(pid, started_at) | Running(pid, started_at):
                facts.append(attempt_started(*key, host=context.host, pid=pid, at=started_at))
                deadline = None if attempt.timeout is None else started_at + attempt.timeout
                jobs.append(watch_job(context.host, key, deadline))
            case Exited() | Lost():
                facts += _end_facts(context, key, outcome)
            case _:
                assert_never(outcome)
    if facts:
        _append(context, facts, jobs)
    if failure is not None:
        raise failure


def watch_job(host: str, key: AttemptKey, deadline: dt.datetime | None) -> Job:
    """Return the job that asks how the attempt stands until it has ended."""
    arguments = {
        "run_id": str(key.run_id),
        "attempt": key.number,
        "deadline": None if deadline is None else deadline.isoformat(),
    }
    return Job("headwater.watch", host_queue(host), arguments)


async def watch(context: LaunchContext, key: AttemptKey, deadline: dt.datetime | None) -> bool:
    """Wait a moment for the end of the attempt and record it; return whether it must be watched further."""
    outcome = await context.launcher.wait(*key, WATCH_SECONDS)
    match outcome:
        case Running():
            if deadline is None or context.now() < deadline:
                return True
            reason = f"{TIMED_OUT}the attempt was still running at {deadline.isoformat()}"
            await asyncio.to_thread(stop, context, key, reason)
            return False
        case Exited() | Lost():
            await asyncio.to_thread(record_end, context, key, outcome)
            return False
        case NotStarted():
            # Its starter died between spawning and the first sign of life: starting again starts it at most once.
            await asyncio.to_thread(launch, context, [key])
            return False
        case _:
            assert_never(outcome)


def stop(context: LaunchContext, key: AttemptKey, reason: str) -> None:
    """End the attempt and record its outcome."""
    context.launcher.stop(*key, reason=reason)
    outcome = context.launcher.ask(*key)
    match outcome:
        case Exited() | Lost():
            record_end(context, key, outcome)
        case Running():
            raise Unavailable(f"attempt {key.number} of run {key.run_id} cannot be ended now")
        case NotStarted():
            record_end(context, key, Exited(143, None, None, context.now(), reason))
        case _:
            assert_never(outcome)


def record_end(context: LaunchContext, key: AttemptKey, outcome: Exited | Lost) -> None:
    """Append what is known of the end of the attempt; the first outcome that is appended counts."""
    _append(context, _end_facts(context, key, outcome), [])


def _end_facts(context: LaunchContext, key: AttemptKey, outcome: Exited | Lost) -> list[NewFact]:
    actor = f"host:{context.host}"
    match outcome:
        case Lost(reason):
            return [attempt_ended(*key, Outcome.LOST, actor=actor, at=context.now(), reason=reason)]
        case Exited(code, _, started_at, ended_at, reason):
            ended = attempt_ended(
                *key,
                _outcome(outcome),
                actor=actor,
                at=ended_at,
                exit_code=code,
                reason=(reason or "").removeprefix(TIMED_OUT).removeprefix(CANCELLED),
            )
            if started_at is None:
                return [ended]
            return [attempt_started(*key, host=context.host, pid=None, at=started_at), ended]
        case _:
            assert_never(outcome)


def _outcome(exited: Exited) -> Outcome:
    if exited.reason is not None and exited.reason.startswith(TIMED_OUT):
        return Outcome.TIMED_OUT
    if exited.reason is not None and exited.reason.startswith(CANCELLED):
        return Outcome.CANCELLED
    if exited.started_at is None and exited.code in NOT_EXECUTED:
        return Outcome.NOT_STARTED
    return Outcome.EXITED


def _append(context: LaunchContext, facts: Sequence[NewFact], jobs: Sequence[Job]) -> None:
    with translated_errors(), context.engine.begin() as connection:
        raw = driver_connection(connection)
        enqueue_jobs(raw, jobs)
        append_facts(raw, facts)


def remove_outputs(context: LaunchContext, older_than: dt.datetime) -> int:
    """Remove what is kept here of attempts that ended before the instant; return of how many.

    One whose end the ledger does not know yet is left: it ended while no worker was there to tell, and without its
    folder it would look as if it had never been started.
    """
    keys = [AttemptKey(*found) for found in context.launcher.finished(older_than)]
    if not keys:
        return 0
    with translated_errors(), context.engine.begin() as connection:
        ended = _known_to_have_ended(driver_connection(connection), keys)
    for key in ended:
        context.launcher.remove(*key)
    return len(ended)


def _known_to_have_ended(connection: psycopg.Connection[Any], keys: Sequence[AttemptKey]) -> set[AttemptKey]:
    digests = {natural_digest(FactKind.ATTEMPT_ENDED, str(key.run_id), str(key.number)): key for key in keys}
    rows = connection.execute(QUERIES["known_outcomes"], {"digests": list(digests)}).fetchall()
    return {digests[bytes(digest)] for (digest,) in rows}


def _claimed_attempts(
    context: LaunchContext, connection: psycopg.Connection[Any], keys: Sequence[AttemptKey]
) -> list[Attempt]:
    """Claim what nobody has claimed; return what this host may start, and pass on what another host has claimed.

    While all pipelines are paused nothing is claimed, and what nobody had claimed before is asked for again.
    """
    ended = _known_to_have_ended(connection, keys)
    boots: dict[AttemptKey, str] = {}
    fresh = []
    passed_on = []
    unclaimed = set(keys)
    for run_id, number, host, boot, is_fresh in connection.execute(
        QUERIES["claim"],
        {
            "runs": [key.run_id for key in keys],
            "attempts": [key.number for key in keys],
            "host": context.host,
            "boot": context.boot,
        },
    ).fetchall():
        key = AttemptKey(run_id, number)
        unclaimed.discard(key)
        if is_fresh:
            fresh.append(key)
        # An empty host is a cancel that came first.
        if host == context.host and key not in ended:
            boots[key] = boot
        elif host not in ("", context.host):
            passed_on.append(launch_job([key], queue=host_queue(host)))
    if unclaimed and (waiting := held_back(connection, sorted(unclaimed))):
        passed_on.append(launch_job(waiting, at=context.now() + LOOK_AGAIN))
    enqueue_jobs(connection, passed_on)
    attempts = _attempts(context, connection, boots)
    if fresh:
        append_facts(connection, [attempt_claimed(*key, host=context.host) for key in fresh])
    return attempts


def _attempts(
    context: LaunchContext, connection: psycopg.Connection[Any], boots: Mapping[AttemptKey, str]
) -> list[Attempt]:
    if not boots:
        return []
    runs = read_due_runs(connection, {key.run_id for key in boots})
    return [_attempt(context, key, boot, runs[key.run_id]) for key, boot in boots.items()]


def _attempt(context: LaunchContext, key: AttemptKey, boot: str, run: DueRun) -> Attempt:
    match run.document.spec.launch:
        case CommandLaunch(command=command):
            pass
        case HttpLaunch() | AirflowLaunch():
            raise ValueError(f"expected run {key.run_id} to be launched by a command")
        case _:
            assert_never(run.document.spec.launch)
    return Attempt(
        run_id=key.run_id,
        number=key.number,
        pipeline=run.pipeline,
        argv=command.argv,
        openlineage_url=context.openlineage_url,
        openlineage_namespace=run.openlineage_namespace,
        parent_job_namespace=HEADWATER_NAMESPACE,
        parent_job_name=run.pipeline,
        trigger=orjson.dumps(run.trigger(key.number)),
        claimed_boot=boot or None,
        working_directory=command.working_directory,
        environment=({} if context.api_key is None else {"OPENLINEAGE_API_KEY": context.api_key})
        | {
            name: LauncherSecret.parse(value.secret) if isinstance(value, SecretReference) else value
            for name, value in command.environment.items()
        },
        timeout=run.document.spec.timeout,
    )
