"""The worker process: followers in threads, jobs on an event loop, until it is told to stop.

Any number of workers may run. One of them holds each follower; all of them take jobs and ask engines, launches of
commands only those with folders in which commands may run.
"""

import asyncio
import concurrent.futures
import contextlib
import datetime as dt
import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import procrastinate
import psycopg
import structlog
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.errors import HeadwaterError, NotUnderstood
from catalog.follower import Follower, run_follower
from catalog.search.index import take_changes
from hooks import launching
from hooks.engines import advancing
from hooks.engines.advancing import EngineContext
from hooks.hosts import HostWatch
from hooks.jobs import ENGINE_HOST, LAUNCH_QUEUE, AttemptKey, host_queue
from hooks.outbound import OutboundClient
from hooks.retention.periodic import retain
from hooks.tasks import leave, leave_unknown_tasks
from hooks.webhooks import delivering
from hooks.webhooks.delivering import DeliveryContext
from hooks.webhooks.queue import WEBHOOK_QUEUE, revive

log = structlog.get_logger(__name__)

#: A worker that has been silent for so many seconds is dead, and its jobs are taken by others.
SILENT_SECONDS = 2.5
HEARTBEAT_SECONDS = 1.0
SWEEP_SECONDS = 0.5
#: How often a worker looks for jobs whose time has come; new ones are announced.
FETCH_SECONDS = 1.0
HOST_SWEEP_SECONDS = 5.0
#: How often a worker looks for webhooks whose delivery job is gone.
WEBHOOK_SWEEP_SECONDS = 15.0
#: How often a worker looks for what nobody has brought into the index of the search: what was there before the index,
#: what an older release wrote, what was too much for one transaction.
SEARCH_SWEEP_SECONDS = 2.0
#: How often a worker looks for outputs that need not be kept any longer.
OUTPUT_SWEEP_SECONDS = 3600.0
#: And for how long it has worked before the first time: a start has better things to do.
FIRST_OUTPUT_SWEEP_SECONDS = 60.0
LONGEST_RETRY_SECONDS = 30
#: From the signal to the end by force, and how much of it jobs under way have, in seconds.
LAST_SECONDS = 4.0
JOBS_SECONDS = 2.5
#: How often a worker shows that it lives.
LIFE_SECONDS = 5.0
#: Connections that the job queue has at most, beside one for each queue that it listens on.
JOB_POOL = 6
LAUNCH_CONCURRENCY = 16
WATCH_CONCURRENCY = 1_000
#: Exchanges with engines at once; each holds a connection to one.
ENGINE_CONCURRENCY = 100


@dataclass(frozen=True, slots=True)
class FollowerSpec:
    """A follower that this worker may hold, and the lock under which others stand by."""

    follower: Follower[Any]
    lock_key: int


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker consists of."""

    engine: Engine
    conninfo: str
    followers: Sequence[FollowerSpec]
    launch: launching.LaunchContext
    engines: EngineContext
    webhooks: DeliveryContext
    outbound: OutboundClient
    host_name: str
    takes_launches: bool
    threads: int
    poll_seconds: float
    host_lost_seconds: float
    run_output_days: int
    #: Days for which bodies of events are kept; None: for ever.
    event_days: int | None
    #: Its time says when the worker was alive last.
    life_file: Path


def worker_name() -> str:
    """Return a name under which operators find this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def job_app(
    context: launching.LaunchContext, engines: EngineContext, webhooks: DeliveryContext, conninfo: str
) -> procrastinate.App:
    """Return the job application of one worker: its tasks know the worker's launcher, engines and receivers."""
    connector = procrastinate.PsycopgConnector(
        conninfo=conninfo, min_size=1, max_size=JOB_POOL, kwargs={"connect_timeout": 5}
    )
    app = procrastinate.App(connector=connector)

    @app.task(name="headwater.launch", queue=LAUNCH_QUEUE, retry=_NeverGiveUp())
    async def launch(attempts: list[tuple[str, int]]) -> None:
        keys = [AttemptKey(uuid.UUID(run_id), number) for run_id, number in attempts]
        await asyncio.to_thread(launching.launch, context, keys)

    @app.task(name="headwater.watch", retry=_NeverGiveUp())
    async def watch(run_id: str, attempt: int, deadline: str | None) -> None:
        key = AttemptKey(uuid.UUID(run_id), attempt)
        at = None if deadline is None else dt.datetime.fromisoformat(deadline)
        if await launching.watch(context, key, at):
            job = launching.watch_job(context.host, key, at)
            await app.configure_task(job.task, queue=job.queue).defer_async(**job.arguments)

    @app.task(name="headwater.stop", retry=_NeverGiveUp())
    async def stop(run_id: str, attempt: int, reason: str) -> None:
        key = AttemptKey(uuid.UUID(run_id), attempt)
        await asyncio.to_thread(launching.stop, context, key, launching.CANCELLED + reason)

    _add_engine_tasks(app, engines)
    _add_webhook_tasks(app, webhooks)
    return leave_unknown_tasks(app)


def _add_engine_tasks(app: procrastinate.App, engines: EngineContext) -> None:
    queue = host_queue(ENGINE_HOST)

    @app.task(name="headwater.engine.launch", queue=queue, retry=_NeverGiveUp())
    async def launch(attempts: list[tuple[str, int]]) -> None:
        await advancing.launch(
            engines, [AttemptKey(uuid.UUID(run_id), number) for run_id, number in attempts]
        )

    @app.task(name="headwater.engine.advance", queue=queue, retry=_NeverGiveUp())
    async def advance(run_id: str, attempt: int, epoch: int) -> None:
        await advancing.advance(engines, AttemptKey(uuid.UUID(run_id), attempt), epoch)

    @app.task(name="headwater.engine.stop", queue=queue, retry=_NeverGiveUp())
    async def stop(run_id: str, attempt: int, reason: str) -> None:
        key = AttemptKey(uuid.UUID(run_id), attempt)
        await asyncio.to_thread(advancing.stop, engines, key, reason)


def _add_webhook_tasks(app: procrastinate.App, webhooks: DeliveryContext) -> None:
    @app.task(name="headwater.webhook.deliver", queue=WEBHOOK_QUEUE, retry=_NeverGiveUp())
    async def deliver(webhook: str, ticket: int) -> None:
        await delivering.deliver(webhooks, webhook, ticket)

    @app.task(name="headwater.webhook.test", queue=WEBHOOK_QUEUE, retry=_NeverGiveUp())
    async def test(webhook: str, message: str) -> None:
        await delivering.probe(webhooks, webhook, uuid.UUID(message))


class _NeverGiveUp(procrastinate.BaseRetryStrategy):
    """Retry whatever happened, ever more slowly: a job that is given up leaves a run that never ends."""

    def get_retry_decision(
        self, *, exception: BaseException, job: procrastinate.jobs.Job
    ) -> procrastinate.RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            # The worker ends and would not wait any longer: another one does the job from its beginning.
            return procrastinate.RetryDecision(retry_in={"seconds": 0})
        if not isinstance(exception, Exception):
            return None
        if isinstance(exception, NotUnderstood):
            return leave(job, exception)
        seconds = min(2 ** min(job.attempts, 10), LONGEST_RETRY_SECONDS)
        log.warning("job.retried", task=job.task_name, job=job.id, seconds=seconds, exc_info=exception)
        return procrastinate.RetryDecision(retry_in={"seconds": seconds})


def run_worker(parts: WorkerParts, *, ready: Callable[[], None]) -> None:
    """Work until SIGTERM or SIGINT; what was started goes on and is adopted by the next worker of the host.

    The process ends within five seconds of the signal, if need be by force with exit code 1.
    """
    last = threading.Timer(LAST_SECONDS, _end_by_force)
    # The interpreter waits for other threads at its end, and not for this one.
    last.daemon = True
    try:
        asyncio.run(_run(parts, ready, last))
    finally:
        last.cancel()


def _end_by_force() -> None:
    """End the process now: a silent database holds threads for ever, and a worker may be killed at any instant."""
    log.warning("worker.ended_by_force", seconds=LAST_SECONDS)
    sys.stderr.flush()
    os._exit(1)


async def _run(parts: WorkerParts, ready: Callable[[], None], last: threading.Timer) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(parts.threads, thread_name_prefix="job"))
    stop = threading.Event()
    stopping = asyncio.Event()

    def request_stop() -> None:
        if not stop.is_set():
            last.start()
        stop.set()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, request_stop)
    threads = [
        threading.Thread(
            target=run_follower,
            args=(spec.follower, lambda: psycopg.connect(parts.conninfo, connect_timeout=5), stop),
            kwargs={"poll_seconds": parts.poll_seconds, "lock_key": spec.lock_key},
            name=f"{spec.follower.source.name} follower",
            daemon=True,
        )
        for spec in parts.followers
    ]
    if parts.event_days is not None:
        arguments = (parts.conninfo, parts.event_days, stop)
        threads.append(threading.Thread(target=retain, args=arguments, name="retention", daemon=True))
    for thread in threads:
        thread.start()
    ready()
    life = asyncio.create_task(_show_life(parts.life_file))
    jobs = asyncio.create_task(_work(parts, stopping))
    await stopping.wait()
    await _ended(jobs)
    life.cancel()
    await parts.outbound.aclose()
    for thread in threads:
        await asyncio.to_thread(thread.join, 2.0)


async def _ended(jobs: "asyncio.Task[None]") -> None:
    """Return when the jobs under way have ended; a worker that cannot come to its queue does not go on trying."""
    await asyncio.wait([jobs], timeout=JOBS_SECONDS)
    jobs.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await jobs


async def _show_life(file: Path) -> None:
    """Touch the file again and again: a worker that waits for its database lives, one whose loop hangs does not."""
    while True:
        _touch(file)
        await asyncio.sleep(LIFE_SECONDS)


def _touch(file: Path) -> None:
    # On the loop and not in a thread: threads may all wait for a silent database, and the worker lives all the same.
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch()
    except OSError as error:
        log.warning("worker.life_not_shown", file=str(file), error=error.strerror)


async def _work(parts: WorkerParts, stopping: asyncio.Event) -> None:
    """Take jobs; begin anew when the database was away."""
    told = False
    while not stopping.is_set():
        app = job_app(parts.launch, parts.engines, parts.webhooks, parts.conninfo)
        try:
            async with app.open_async():
                told = False
                await _take_jobs(app, parts, stopping)
        except (
            psycopg.Error,
            procrastinate.exceptions.ProcrastinateException,
            HeadwaterError,
            OSError,
        ) as error:
            if not told:
                log.warning("worker.database_away", error=str(error).strip() or type(error).__name__)
            told = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 0.5)


async def _take_jobs(app: procrastinate.App, parts: WorkerParts, stopping: asyncio.Event) -> None:
    # Before anything is declared lost, this host says that it lives.
    hosts = HostWatch(
        parts.engine,
        host=parts.launch.host,
        name=parts.host_name,
        takes_launches=parts.takes_launches,
        lost_seconds=parts.host_lost_seconds,
    )
    await asyncio.to_thread(hosts.beat)
    workers = [
        # Deliveries wait for their receivers on the event loop, as watching does for the ends of attempts.
        _procrastinate_worker(app, [host_queue(parts.launch.host), WEBHOOK_QUEUE], WATCH_CONCURRENCY),
        # Apart from the others, so that engines that are slow to answer hold up nothing else.
        _procrastinate_worker(app, [host_queue(ENGINE_HOST)], ENGINE_CONCURRENCY),
    ]
    if parts.takes_launches:
        workers.append(_procrastinate_worker(app, [LAUNCH_QUEUE], LAUNCH_CONCURRENCY))
    tasks = [asyncio.create_task(worker) for worker in workers]
    tasks.append(asyncio.create_task(_sweep(app)))
    tasks.append(asyncio.create_task(_watch_hosts(hosts, parts.launch.now)))
    tasks.append(asyncio.create_task(_remove_outputs(parts)))
    tasks.append(asyncio.create_task(_revive_webhooks(parts.engine)))
    tasks.append(asyncio.create_task(_complete_search(parts.engine)))
    waiting = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiting}:
            task.result()
    finally:
        for task in [*tasks, waiting]:
            task.cancel()
        await asyncio.gather(*tasks, waiting, return_exceptions=True)


async def _procrastinate_worker(app: procrastinate.App, queues: list[str], concurrency: int) -> None:
    await app.run_worker_async(
        queues=queues,
        name=worker_name(),
        concurrency=concurrency,
        install_signal_handlers=False,
        listen_notify=True,
        fetch_job_polling_interval=FETCH_SECONDS,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=SILENT_SECONDS,
        shutdown_graceful_timeout=2.0,
        delete_jobs="successful",
    )


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


async def _remove_outputs(parts: WorkerParts) -> None:
    """Keep outputs of this host no longer than they are wanted; what cannot be removed is tried again."""
    await asyncio.sleep(FIRST_OUTPUT_SWEEP_SECONDS)
    while True:
        older_than = parts.launch.now() - dt.timedelta(days=parts.run_output_days)
        try:
            removed = await asyncio.to_thread(launching.remove_outputs, parts.launch, older_than)
            if removed:
                log.info("outputs.removed", attempts=removed, days=parts.run_output_days)
        except OSError as error:
            log.warning("outputs.not_removed", error=str(error))
        await asyncio.sleep(OUTPUT_SWEEP_SECONDS)
