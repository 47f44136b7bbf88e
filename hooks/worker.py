"""The worker process: followers in threads, jobs on an event loop, until it is told to stop.

Any number of workers may run. One of them holds each follower; all of them take jobs and ask engines, launches of
commands only those with folders in which commands may run.
"""

import asyncio
import concurrent.futures
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import procrastinate
import psycopg
import structlog
from sqlalchemy import Engine

from catalog.collecting import spare_collections
from catalog.errors import HeadwaterError
from catalog.follower import Follower, run_follower
from hooks import launching
from hooks.engines.advancing import EngineContext
from hooks.hosts import HostWatch
from hooks.job_app import job_app
from hooks.jobs import ENGINE_HOST, LAUNCH_QUEUE, host_queue
from hooks.launchers.command import do_not_bequeath_ignored_signals
from hooks.outbound import OutboundClient
from hooks.retention.periodic import retain
from hooks.upkeep import SILENT_SECONDS, upkeep
from hooks.webhooks.delivering import DeliveryContext
from hooks.webhooks.queue import WEBHOOK_QUEUE

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 1.0
#: How often a worker looks for jobs whose time has come; new ones are announced.
FETCH_SECONDS = 1.0
#: From the signal to the end by force, and how much of it jobs under way have, in seconds.
LAST_SECONDS = 4.0
JOBS_SECONDS = 2.5
#: How often a worker shows that it lives.
LIFE_SECONDS = 5.0
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
    do_not_bequeath_ignored_signals()
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
    spare_collections()
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
    rounds = upkeep(app, hosts, parts.launch, parts.engine, run_output_days=parts.run_output_days)
    tasks = [asyncio.create_task(each) for each in (*workers, *rounds)]
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
