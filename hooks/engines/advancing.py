"""The jobs that take an attempt at an engine from claim to outcome, on any worker.

Each job carries the epoch that it is for. A step begins with a transaction that takes the epoch, says for how long, and
enqueues the job that takes over should nothing more be heard; it ends with one that writes what came of it. A job for
an epoch that has passed does nothing, so that jobs may run twice, late, or beside each other.
"""

import asyncio
import dataclasses
import datetime as dt
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import structlog
from sqlalchemy import Engine as Database

from catalog.database import driver_connection, translated_errors
from catalog.documents.pipeline import AirflowLaunch, CommandLaunch, HttpLaunch, Pipeline
from catalog.errors import ConfigurationError, Unavailable
from catalog.facts import Outcome, attempt_claimed, attempt_ended, attempt_started
from catalog.ledger import NewFact, append_facts
from hooks.due_runs import read_due_runs
from hooks.engines import store
from hooks.engines.port import Engine, EngineAttempt, Traits, Unreached
from hooks.engines.standing import (
    Answer,
    Ask,
    Cancel,
    Finish,
    Phase,
    Send,
    Standing,
    Stop,
    after,
    due_stop,
    next_step,
    taken_up,
)
from hooks.engines.told import printable
from hooks.jobs import ENGINE_HOST, AttemptKey, Job, engine_launch_job, enqueue_jobs, host_queue
from hooks.pausing import LOOK_AGAIN, held_back, read_pause

log = structlog.get_logger(__name__)

#: Seconds beyond its longest exchange for which a step is left to the worker that began it: time to write the answer.
MARGIN_SECONDS = 5.0
#: Seconds between two tries to write an answer while the database is away.
WRITE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What the jobs of one worker need: the adapters by launcher, and who this worker is."""

    database: Database
    engines: Mapping[str, Engine]
    host: str
    openlineage_url: str
    now: Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that this worker has begun; it is left to it until `until` by this process's clock, in seconds."""

    attempt: EngineAttempt
    engine: Engine
    traits: Traits
    standing: Standing
    step: Send | Ask | Cancel
    epoch: int
    until: float


def advance_job(key: AttemptKey, epoch: int, at: dt.datetime | None = None) -> Job:
    """Return the job that moves the attempt on from this epoch."""
    arguments = {"run_id": str(key.run_id), "attempt": key.number, "epoch": epoch}
    return Job("headwater.engine.advance", host_queue(ENGINE_HOST), arguments, at)


async def launch(context: EngineContext, keys: Sequence[AttemptKey]) -> None:
    """Claim the attempts and take the first step with each, but those that were claimed or cancelled before."""
    fresh = await asyncio.to_thread(_claim, context, keys)
    results = await asyncio.gather(*[advance(context, key, 0) for key in fresh], return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        # The job is done again: those with which no step was begun are found untouched then.
        raise failures[0]


def _claim(context: EngineContext, keys: Sequence[AttemptKey]) -> list[AttemptKey]:
    with translated_errors(), context.database.begin() as connection:
        raw = driver_connection(connection)
        fresh = store.claim(raw, keys)
        if fresh:
            runs = read_due_runs(raw, {key.run_id for key in fresh})
            now = context.now()
            added = {}
            for key in fresh:
                document = runs[key.run_id].document
                added[key] = (_launcher_of(document), now + document.spec.timeout)
            store.add(raw, added)
        if len(fresh) < len(keys) and (waiting := held_back(raw, keys)):
            enqueue_jobs(raw, [engine_launch_job(waiting, at=context.now() + LOOK_AGAIN)])
        untouched = store.untouched(raw, keys)
        if fresh:
            append_facts(raw, [attempt_claimed(*key, host=context.host) for key in fresh])
        return untouched


def _launcher_of(document: Pipeline) -> str:
    match document.spec.launch:
        case HttpLaunch():
            return "http"
        case AirflowLaunch():
            return "airflow"
        case CommandLaunch():
            raise ValueError(f"expected pipeline {document.name} to be launched by an engine")
        case _:
            assert_never(document.spec.launch)


async def advance(context: EngineContext, key: AttemptKey, epoch: int) -> None:
    """Take the next step with the attempt, unless this epoch of it has passed or another worker is at it."""
    taken = await asyncio.to_thread(_begin, context, key, epoch)
    if taken is None:
        return
    answer = await _exchange(taken)
    while True:
        try:
            await asyncio.to_thread(_finish, context, key, taken, answer)
        except Unavailable:
            # What the engine said is known here alone: it is worth some patience with the database.
            if time.monotonic() + WRITE_SECONDS > taken.until:
                raise
            await asyncio.sleep(WRITE_SECONDS)
        else:
            return


async def _exchange(taken: Taken) -> Answer:
    left = taken.until - time.monotonic()
    if left < taken.traits.longest.total_seconds():
        # Held up since the step began, this worker could still be sending when another takes over.
        return Unreached("the worker was held up before it could send")
    match taken.step:
        case Send():
            return await taken.engine.send(taken.attempt, again=taken.standing.doubtful)
        case Ask():
            return await taken.engine.ask(taken.attempt, taken.standing.handle)
        case Cancel():
            return await taken.engine.cancel(taken.attempt, taken.standing.handle)
        case _:
            assert_never(taken.step)


def _begin(context: EngineContext, key: AttemptKey, epoch: int) -> Taken | None:
    """Take the step that is due, or record the end; None where there is nothing to ask the engine."""
    begun = time.monotonic()
    with translated_errors(), context.database.begin() as connection:
        raw = driver_connection(connection)
        row = store.read(raw, key)
        if row is None or row.epoch != epoch or row.standing.phase is Phase.ENDED:
            return None
        if row.busy:
            enqueue_jobs(raw, [advance_job(key, epoch, row.busy_until)])
            return None
        now = context.now()
        standing = due_stop(taken_up(row.standing) if row.taken else row.standing, now)
        engine = context.engines.get(row.launcher)
        if engine is None:
            raise ConfigurationError(f"this worker knows no launcher {row.launcher!r}: a newer one does")
        attempt = EngineAttempt(
            read_due_runs(raw, [key.run_id])[key.run_id], key.number, context.openlineage_url
        )
        traits = engine.traits(attempt)
        step = next_step(standing, traits)
        if isinstance(step, Finish):
            ended = dataclasses.replace(standing, phase=Phase.ENDED, handle=None)
            store.write(raw, key, epoch + 1, ended)
            append_facts(raw, _facts(context, key, row.standing, ended, step, now))
            return None
        if isinstance(step, Send):
            if read_pause(raw) is not None:
                # Claimed before the pause, and nothing has started yet: it waits like all others.
                enqueue_jobs(raw, [advance_job(key, epoch, now + LOOK_AGAIN)])
                return None
            standing = dataclasses.replace(standing, phase=Phase.SENDING)
        seconds = traits.longest.total_seconds() + MARGIN_SECONDS
        until = store.write(raw, key, epoch + 1, standing, busy_seconds=seconds)
        enqueue_jobs(raw, [advance_job(key, epoch + 1, until)])
        return Taken(attempt, engine, traits, standing, step, epoch + 1, begun + seconds)


def _finish(context: EngineContext, key: AttemptKey, taken: Taken, answer: Answer) -> None:
    """Write what came of the step and enqueue the next; nothing where another worker has taken over."""
    with translated_errors(), context.database.begin() as connection:
        raw = driver_connection(connection)
        row = store.read(raw, key)
        if row is None or row.epoch != taken.epoch:
            log.warning(
                "engine.too_late", run=str(key.run_id), attempt=key.number, answer=type(answer).__name__
            )
            return
        now = context.now()
        # Somebody may have asked to stop it meanwhile.
        standing = dataclasses.replace(taken.standing, stop=row.standing.stop)
        moved = after(standing, taken.traits, answer, now, random.random())
        next_at = now if standing.stop is not None and taken.standing.stop is None else moved.next_at
        store.write(raw, key, taken.epoch + 1, moved.standing)
        if moved.finish is None:
            enqueue_jobs(raw, [advance_job(key, taken.epoch + 1, next_at if next_at > now else None)])
        facts = _facts(context, key, taken.standing, moved.standing, moved.finish, now)
        if facts:
            append_facts(raw, facts)


def _facts(
    context: EngineContext,
    key: AttemptKey,
    before: Standing,
    standing: Standing,
    finish: Finish | None,
    now: dt.datetime,
) -> list[NewFact]:
    facts = []
    actor = f"host:{context.host}"
    if standing.accepted_at is not None and before.accepted_at is None:
        facts.append(
            attempt_started(*key, host=standing.origin, pid=None, at=standing.accepted_at, actor=actor)
        )
    if finish is not None:
        facts.append(attempt_ended(*key, finish.outcome, actor=actor, at=now, reason=finish.reason))
    return facts


def stop(context: EngineContext, key: AttemptKey, reason: str) -> None:
    """Ask for the end of the attempt; whoever is at it sees that when it is done, else it is taken up at once."""
    with translated_errors(), context.database.begin() as connection:
        raw = driver_connection(connection)
        row = store.read(raw, key)
        if row is None or row.standing.phase is Phase.ENDED or row.standing.stop is not None:
            return
        store.mark_stop(raw, key, Stop(Outcome.CANCELLED, printable(reason)))
        if not row.busy:
            enqueue_jobs(raw, [advance_job(key, row.epoch)])
