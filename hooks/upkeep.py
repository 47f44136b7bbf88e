"""What each worker sees to again and again: jobs, hosts, webhooks, the index of the search, outputs of runs."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable, Coroutine
from typing import Any

import procrastinate
import structlog
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.search.index import take_changes
from hooks.hosts import HostWatch
from hooks.launching import LaunchContext, remove_outputs
from hooks.webhooks.queue import revive

log = structlog.get_logger(__name__)

#: A worker that has been silent for so many seconds is dead, and its jobs are taken by others.
SILENT_SECONDS = 2.5
SWEEP_SECONDS = 0.5
HOST_SWEEP_SECONDS = 5.0
#: How often a worker looks for webhooks whose delivery job is gone.
WEBHOOK_SWEEP_SECONDS = 15.0
#: How often a worker looks for what nobody has brought into the index of the search: what was there before the index,
#: what an older release wrote, what was too much for one transaction.
SEARCH_SWEEP_SECONDS = 0.5
#: How often a worker looks for outputs that need not be kept any longer.
OUTPUT_SWEEP_SECONDS = 3600.0
#: And for how long it has worked before the first time: a start has better things to do.
FIRST_OUTPUT_SWEEP_SECONDS = 60.0


def upkeep(
    app: procrastinate.App,
    hosts: HostWatch,
    launch: LaunchContext,
    engine: Engine,
    *,
    run_output_days: int,
) -> list[Coroutine[Any, Any, None]]:
    """Return what a worker does beside its jobs, without end; several workers may do each at once."""
    return [
        _sweep(app),
        _watch_hosts(hosts, launch.now),
        _remove_outputs(launch, run_output_days),
        _revive_webhooks(engine),
        _complete_search(engine),
    ]


async def _sweep(app: procrastinate.App) -> None:
    """Give the jobs of dead workers to the living: each is safe to run twice."""
    while True:
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=SILENT_SECONDS):
            log.warning("job.taken_over", job=job.id, task=job.task_name)
            with contextlib.suppress(procrastinate.exceptions.ConnectorException):
                await app.job_manager.retry_job(job)
        await asyncio.sleep(SWEEP_SECONDS)


async def _watch_hosts(hosts: HostWatch, now: Callable[[], dt.datetime]) -> None:
    while True:
        await asyncio.to_thread(hosts.beat)
        await asyncio.to_thread(hosts.declare_lost, now)
        await asyncio.sleep(HOST_SWEEP_SECONDS)


async def _revive_webhooks(engine: Engine) -> None:
    """See to webhooks whose delivery job is gone, as after a restore."""
    while True:
        revived = await asyncio.to_thread(_revive, engine)
        if revived:
            log.warning("webhooks.revived", webhooks=revived)
        await asyncio.sleep(WEBHOOK_SWEEP_SECONDS)


def _revive(engine: Engine) -> list[str]:
    with translated_errors(), engine.begin() as connection:
        return revive(driver_connection(connection))


async def _complete_search(engine: Engine) -> None:
    """Bring into the index of the search what its own transaction has not."""
    while True:
        taken = await asyncio.to_thread(_take_changes, engine)
        if taken:
            log.debug("search.completed", changes=taken)
        else:
            await asyncio.sleep(SEARCH_SWEEP_SECONDS)


def _take_changes(engine: Engine) -> int:
    with translated_errors(), engine.begin() as connection:
        return take_changes(driver_connection(connection))


async def _remove_outputs(launch: LaunchContext, days: int) -> None:
    """Keep outputs of this host no longer than they are wanted; what cannot be removed is tried again."""
    await asyncio.sleep(FIRST_OUTPUT_SWEEP_SECONDS)
    while True:
        older_than = launch.now() - dt.timedelta(days=days)
        try:
            removed = await asyncio.to_thread(remove_outputs, launch, older_than)
            if removed:
                log.info("outputs.removed", attempts=removed, days=days)
        except OSError as error:
            log.warning("outputs.not_removed", error=str(error))
        await asyncio.sleep(OUTPUT_SWEEP_SECONDS)
