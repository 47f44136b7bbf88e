"""The ledger and what works on it: followers, parked facts, the queue of jobs, workers and hosts."""

from collections.abc import Iterator
from typing import Any

import psycopg

from catalog.ledger import APPEND_LOCK
from catalog.settings import Settings
from graph.following import GRAPH_FOLLOWER_LOCK
from hooks.jobs import ENGINE_HOST, LAUNCH_QUEUE, host_queue
from hooks.pausing import read_pause
from hooks.state_follower import STATE_FOLLOWER_LOCK
from hooks.tasks import TASKS
from hooks.webhooks.outbox import WEBHOOK_FOLLOWER_LOCK
from hooks.webhooks.queue import WEBHOOK_QUEUE
from web.doctor.database import QUERIES
from web.doctor.finding import Finding, ok, problem, warning
from web.health import follower_check, ledger_check
from web.vitals import (
    FollowerVitals,
    LockHolder,
    read_count,
    read_followers,
    read_launch_hosts,
    read_lock_holder,
    read_unknown_jobs,
    told_jobs,
)
from web.webhook_vitals import read_webhooks

_LOCKS = {"state": STATE_FOLLOWER_LOCK, "graph": GRAPH_FOLLOWER_LOCK, "webhooks": WEBHOOK_FOLLOWER_LOCK}
_START_A_WORKER = "start `headwater worker`, or `headwater up`, and look at its log"

_START_A_NEWER_WORKER = "start a worker of the newest release that runs here: the older ones leave it alone"

#: Age of the oldest unprocessed fact that is worth a look, in seconds.
OLDEST_WARNING = 5.0
#: Silence after which a worker's jobs count as stalled, in seconds; living workers take them over sooner.
STALLED_SECONDS = 15.0
#: A job that nobody has taken for so long waits for a worker that is not there, in seconds.
WAITING_SECONDS = 30.0


def check_ledger(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield whether somebody keeps everybody else from the ledger."""
    appender = read_lock_holder(connection, APPEND_LOCK)
    check = ledger_check(0.0, appender)
    if check.ok or appender is None:
        yield ok("ledger", "nobody keeps others from it")
    else:
        advice = f"it is frozen: end it with SELECT pg_terminate_backend({appender.process})"
        yield problem("ledger", f"{check.found}: nothing is taken in", advice)


def check_followers(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield for each follower whether somebody follows and how far it is behind."""
    for follower in read_followers(connection):
        yield _follower(follower, read_lock_holder(connection, _LOCKS[follower.name]))


def _follower(follower: FollowerVitals, holder: LockHolder | None) -> Finding:
    check = f"follower.{follower.name}"
    age = follower.oldest_seconds
    where = f" at {holder.address}" if holder and holder.address else ""
    held = f"followed by {follower.holder or holder.application}{where}" if holder else "followed by nobody"
    found = f"{held}; {follower.lag} positions behind, the oldest {age:.1f} s old"
    if holder is None:
        return problem(check, found, _START_A_WORKER)
    if follower.left is not None:
        return problem(check, f"{found}; {follower.left}", _START_A_NEWER_WORKER)
    if not follower_check(follower).ok:
        advice = "look at the worker's log and at the load of the database; more comes in than is followed"
        return problem(check, found, advice)
    if age > OLDEST_WARNING:
        return warning(check, found, "look again in a minute: it should become less")
    return ok(check, found)


def check_pause(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield whether all pipelines are paused."""
    pause = read_pause(connection)
    if pause is None:
        yield ok("pause", "pipelines may start")
    else:
        yield warning("pause", str(pause), "`headwater resume --all` lets them start what has queued up")


def check_parked(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield the facts that could not be applied."""
    rows = connection.execute(QUERIES["parked"]).fetchall()
    for follower, count, first, code in rows:
        found = f"{count} parked by the {follower} follower, the first at position {first} ({code})"
        yield problem(
            "parked",
            found,
            f"mend the cause, then `headwater follower retry {first}`; `headwater follower show` tells its error",
        )
    if not rows:
        yield ok("parked", "no facts")


def check_webhooks(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield the webhooks that are behind, were paused by what a receiver answered, or have dead letters."""
    webhooks = read_webhooks(connection)
    advice = (
        "`headwater webhooks show NAME` says why; `headwater webhooks resume` and `retry-dead` send again"
    )
    troubled = [trouble for webhook in webhooks if (trouble := webhook.trouble) is not None]
    for trouble in troubled:
        yield warning("webhooks", trouble, advice)
    if not troubled:
        yield ok("webhooks", f"{len(webhooks)} are told in time" if webhooks else "none is registered")


def check_queue(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield the jobs that wait, stall or failed."""
    waiting = connection.execute(QUERIES["waiting_jobs"]).fetchall()
    late = [row for row in waiting if (row[2] or 0.0) > WAITING_SECONDS]
    for queue, count, seconds in late:
        found = f"{count} jobs wait in the queue {queue}, the oldest for {seconds:.0f} s"
        if queue == LAUNCH_QUEUE:
            advice = "start a worker with --allow-commands FOLDER: no other takes launches"
        elif queue == host_queue(ENGINE_HOST):
            advice = "start a worker: any may ask engines"
        elif queue == WEBHOOK_QUEUE:
            advice = _START_A_WORKER
        else:
            advice = "start the worker of that host again: only it may watch the attempts that it started"
        yield problem("queue.waiting", found, advice)
    if not late:
        yield ok("queue.waiting", f"{sum(row[1] for row in waiting)} jobs are due, none for long")
    ((stalled,),) = connection.execute(QUERIES["stalled_jobs"], {"seconds": STALLED_SECONDS}).fetchall()
    if stalled:
        yield problem("queue.stalled", f"{stalled} jobs belong to workers that fell silent", _START_A_WORKER)
    else:
        yield ok("queue.stalled", "no jobs")
    unknown = read_unknown_jobs(connection, TASKS)
    if unknown:
        yield warning("queue.left", told_jobs(unknown), _START_A_NEWER_WORKER)
    else:
        yield ok("queue.left", "no jobs")
    ((failed,),) = connection.execute(QUERIES["failed_jobs"]).fetchall()
    if failed:
        advice = "look for job errors in the worker's log; each is a fault in Headwater or in what it ran on"
        yield warning("queue.failed", f"{failed} jobs failed", advice)
    else:
        yield ok("queue.failed", "no jobs")


def check_workers(connection: "psycopg.Connection[Any]", settings: Settings) -> Iterator[Finding]:
    """Yield whether workers live and take launches, and which hosts fell silent with attempts of theirs."""
    ((living, silent_for),) = connection.execute(QUERIES["workers"], {"seconds": STALLED_SECONDS}).fetchall()
    if living:
        # A process has several, so their number would say nothing.
        yield ok("workers", f"jobs are taken, the last heartbeat was {silent_for:.1f} s ago")
    else:
        last = "none was ever seen" if silent_for is None else f"the last was seen {silent_for:.0f} s ago"
        yield problem("workers", f"no worker lives, {last}", _START_A_WORKER)
    hosts = connection.execute(QUERIES["hosts"]).fetchall()
    for name, seconds, attempts in hosts:
        if seconds > settings.host_lost_seconds and attempts:
            found = f"{name} has been silent for {seconds:.0f} s and had {attempts} attempts"
            yield problem(
                "hosts", found, f"start a worker on {name}, or on any host, which declares them lost"
            )
    beating = [name for name, seconds, _ in hosts if seconds <= settings.host_lost_seconds]
    yield ok("hosts", f"heard of lately: {', '.join(beating)}" if beating else "heard of lately: none")
    if taking := read_launch_hosts(connection):
        yield ok("launches", f"taken by {', '.join(taking)}")
    elif pipelines := read_count(connection, "command_pipelines"):
        found = (
            f"no living worker takes launches, and {pipelines} pipelines run commands: their runs stay queued"
        )
        yield problem(
            "launches", found, "start `headwater up` or `headwater worker` with --allow-commands FOLDER"
        )
    else:
        yield ok("launches", "no living worker takes them, and no pipeline that runs commands is registered")
