"""How the catalog stands, read from its database: followers, parked facts, jobs, runs. Bounded in time.

A probe has a connection of its own, so that it answers although every pooled one is busy, and proves that the database
takes connections at all.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import psycopg

from catalog.errors import DatabaseUnavailable
from catalog.queries import load_queries
from hooks.pausing import PauseOfAll, read_pause

QUERIES = load_queries(Path(__file__).with_name("vitals.sql"))
#: Silence after which nobody is taken to take launches any more, in seconds; who does beats every 5.
LAUNCHES_SECONDS = 30.0

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class FollowerVitals:
    """How a follower stands.

    `lag` in positions of its log, at least as many as records wait; `oldest_at` is the receipt of the oldest fact that
    it has not processed, `oldest_seconds` how long that was ago: 0 where none waits.
    """

    name: str
    cursor: int
    processed: int
    holder: str | None
    updated_at: dt.datetime
    lag: int
    oldest_at: dt.datetime | None
    oldest_seconds: float
    parked: int
    #: What is left to a newer release, and why; None where nothing is.
    left: str | None


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds an advisory lock; `seconds` since its transaction began, None where this role may not see that."""

    process: int
    application: str
    address: str | None
    seconds: float | None

    def __str__(self) -> str:
        """Return it as an operator finds it in the database."""
        where = f" at {self.address}" if self.address else ""
        return f"database process {self.process} ({self.application or 'unnamed'}{where})"


@dataclass(frozen=True, slots=True)
class Contents:
    """How many things the catalog holds, and how far its followers have come with what it heard."""

    datasets: int
    jobs: int
    runs: int
    pipelines: int
    pipeline_runs: int
    followers: "list[FollowerVitals]"
    pause: PauseOfAll | None


def connect_briefly(conninfo: str) -> "psycopg.Connection[Any]":
    """Return an autocommitting connection whose statements end soon; raise `DatabaseUnavailable`."""
    try:
        connection = psycopg.connect(
            conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="headwater-probe"
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"the database does not answer: {str(error).strip()}"[:500]) from error
    try:
        # Not as options of the start, which PgBouncer refuses.
        connection.execute(
            "SELECT set_config('TimeZone', 'UTC', false), set_config('statement_timeout', %s, false)",
            (str(int(STATEMENT_SECONDS * 1000)),),
        )
    except psycopg.Error as error:
        connection.close()
        raise DatabaseUnavailable(f"the database does not answer: {str(error).strip()}"[:500]) from error
    return connection


def read_unknown_jobs(connection: "psycopg.Connection[Any]", known: Collection[str]) -> Mapping[str, int]:
    """Return the number of waiting jobs by the name of their task, for tasks that are not among the known ones."""
    return dict(connection.execute(QUERIES["unknown_jobs"], {"known": sorted(known)}).fetchall())


def told_jobs(unknown: Mapping[str, int]) -> str:
    """Return jobs that are left to a newer release in words."""
    listed = ", ".join(f"{count} {task}" for task, count in sorted(unknown.items()))
    return f"left to a newer release: {listed}" if listed else "nothing"


def read_followers(connection: "psycopg.Connection[Any]") -> list[FollowerVitals]:
    """Return how the followers stand, the state follower first."""
    return [FollowerVitals(*row) for row in connection.execute(QUERIES["followers"]).fetchall()]


def read_lock_holder(connection: "psycopg.Connection[Any]", key: int) -> LockHolder | None:
    """Return who holds the advisory lock, None where nobody does."""
    row = connection.execute(QUERIES["lock_holder"], {"key": key}).fetchone()
    return None if row is None else LockHolder(*row)


def read_jobs(connection: "psycopg.Connection[Any]") -> Mapping[str, int]:
    """Return the number of jobs in the queue by status."""
    return dict(connection.execute(QUERIES["jobs_in_queue"]).fetchall())


def read_runs(connection: "psycopg.Connection[Any]") -> Mapping[str, int]:
    """Return the number of pipeline runs by state."""
    return dict(connection.execute(QUERIES["pipeline_runs"]).fetchall())


def read_launch_hosts(connection: "psycopg.Connection[Any]") -> list[str]:
    """Return the names of the hosts on which a worker takes launches now."""
    rows = connection.execute(QUERIES["launch_hosts"], {"seconds": LAUNCHES_SECONDS})
    return [str(name) for (name,) in rows]


def read_count(connection: "psycopg.Connection[Any]", name: str) -> int:
    """Return how many of `datasets`, `jobs`, `runs`, `versions`, `pipelines` or `queued_versions` there are."""
    ((count,),) = connection.execute(QUERIES[name]).fetchall()
    return int(count)


def read_contents(connection: "psycopg.Connection[Any]") -> Contents:
    """Return how many things the catalog holds."""
    return Contents(
        datasets=read_count(connection, "datasets"),
        jobs=read_count(connection, "jobs"),
        runs=read_count(connection, "runs"),
        pipelines=read_count(connection, "pipelines"),
        pipeline_runs=sum(read_runs(connection).values()),
        followers=read_followers(connection),
        pause=read_pause(connection),
    )


Answer = TypeVar("Answer")


class Probe(Generic[Answer]):
    """Reads something from the database for many callers: one at a time, and not again within `seconds`."""

    def __init__(
        self,
        conninfo: str,
        read: "Callable[[psycopg.Connection[Any]], Answer]",
        *,
        seconds: float,
        executor: ThreadPoolExecutor,
    ) -> None:
        self._conninfo = conninfo
        self._read = read
        self._seconds = seconds
        self._executor = executor
        self._lock = asyncio.Lock()
        self._known: tuple[float, Answer | DatabaseUnavailable] | None = None

    async def __call__(self) -> Answer:
        """Return what was read; raise `DatabaseUnavailable` where nothing can be read in time."""
        async with self._lock:
            # A failure counts as long as an answer, so that callers do not queue up while the database is away.
            if self._known is None or time.monotonic() - self._known[0] > self._seconds:
                answer = await asyncio.get_running_loop().run_in_executor(self._executor, self._once)
                self._known = (time.monotonic(), answer)
            answer = self._known[1]
        if isinstance(answer, DatabaseUnavailable):
            raise DatabaseUnavailable(answer.message)
        return answer

    def _once(self) -> "Answer | DatabaseUnavailable":
        try:
            with connect_briefly(self._conninfo) as connection:
                return self._read(connection)
        except DatabaseUnavailable as error:
            return error
        except psycopg.Error as error:
            return DatabaseUnavailable(f"the database does not answer: {str(error).strip()}"[:500])
