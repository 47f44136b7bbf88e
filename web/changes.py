"""What happens, as it happens: moves of pipeline runs and changes of versions, read once for all who follow them.

The state follower writes both logs, one transaction after another, so their sequences are in the order of its commits:
whoever has seen a sequence has seen everything before it, and can go on after it at any server. Notifications only say
that there is something to read; where they are lost, with their connection or otherwise, a poll finds it.

Nobody has a queue. The newest changes are kept once, each follower knows how far it has come, and one that has fallen
further behind reads from the database.
"""

import asyncio
import contextlib
import datetime as dt
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.errors import DatabaseUnavailable, InvalidInput
from catalog.queries import load_queries
from web.following import StateWaiter

log = structlog.get_logger(__name__)
QUERIES = load_queries(Path(__file__).with_suffix(".sql"))

#: Changes that are kept for those who follow closely.
KEPT = 2_000
#: Changes that are read at a time.
PAGE = 200
#: How long the reader sleeps although nothing woke it, in seconds.
POLL_SECONDS = 0.5
#: How long it waits for a database that is away, in seconds.
AWAY_SECONDS = 0.5


class Sequenced(Protocol):
    """A change with its place in its log."""

    @property
    def sequence(self) -> int:
        """The place, which only grows."""


Change = TypeVar("Change", bound=Sequenced)
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class RunMoved:
    """A pipeline run went from one state to another."""

    sequence: int
    position: int
    run_id: uuid.UUID
    pipeline: str
    from_state: str | None
    to_state: str
    attempt: int
    at: dt.datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class VersionChanged:
    """A version of a dataset became what `kind` says."""

    sequence: int
    position: int
    kind: str
    at: dt.datetime
    version_id: uuid.UUID
    #: The dataset, and every other name of it that was known then.
    dataset_ids: Sequence[uuid.UUID]


class ChangeLog(Generic[Change]):
    """One log and those who follow it; used on one event loop."""

    def __init__(self, name: str, engine: Engine, waiter: StateWaiter, change: Callable[..., Change]) -> None:
        self._name = name
        self._engine = engine
        self._waiter = waiter
        self._change = change
        self._kept: deque[Change] = deque(maxlen=KEPT)
        #: Everything after the one and up to the other is kept.
        self._begin = self._end = 0
        self._news = asyncio.Event()
        self._followers = 0
        self._starting = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def follow(self, after: int | None) -> AsyncGenerator[Sequence[Change], None]:
        """Yield what happens after the sequence, or from now on, in order and without gaps, for as long as is asked.

        Raises `DatabaseUnavailable` where it cannot begin; afterwards a database that is away is waited for. Raises
        `InvalidInput` for a sequence that was never reached.
        """
        async with self._followed():
            cursor = self._end if after is None else await self._checked(after)
            while True:
                news = self._news
                found = await self._after(cursor)
                if found:
                    cursor = found[-1].sequence
                    yield found
                else:
                    await news.wait()

    async def end(self) -> int:
        """Return the sequence of what happened last; raise `DatabaseUnavailable`."""
        return await asyncio.to_thread(self._read_end)

    async def stop(self) -> None:
        """End reading."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @contextlib.asynccontextmanager
    async def _followed(self) -> AsyncIterator[None]:
        """Read the log meanwhile."""
        async with self._starting:
            if self._task is None:
                self._begin = self._end = await self.end()
                self._kept.clear()
                self._task = asyncio.create_task(self._read(), name=f"read {self._name}")
            self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1
            if self._followers == 0:
                await self.stop()

    async def _checked(self, after: int) -> int:
        # Another server may have read further than this one has.
        if after > self._end and after > (end := await self.end()):
            raise InvalidInput(
                f"expected `after` to be the cursor of something that was told, at most {end}, found {after}",
                pointer="/after",
            )
        return after

    async def _after(self, cursor: int) -> Sequence[Change]:
        if cursor >= self._begin:
            return [change for change in self._kept if change.sequence > cursor][:PAGE]
        return await self._patiently(lambda: self._read_page(cursor))

    async def _read(self) -> None:
        with self._waiter.watched() as woken:
            while True:
                woken.clear()
                found = await self._patiently(lambda: self._read_page(self._end))
                if found:
                    self._keep(found)
                if len(found) < PAGE:
                    # Not `wait_for`, which may swallow that it was cancelled.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(POLL_SECONDS):
                            await woken.wait()

    def _keep(self, found: Sequence[Change]) -> None:
        for change in found:
            if len(self._kept) == KEPT:
                self._begin = self._kept[0].sequence
            self._kept.append(change)
        self._end = found[-1].sequence
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _patiently(self, read: Callable[[], Found]) -> Found:
        """Return what is read, once the database is there."""
        told = False
        while True:
            try:
                return await asyncio.to_thread(read)
            except DatabaseUnavailable as error:
                if not told:
                    log.warning("changes.database_away", log=self._name, error=str(error))
                told = True
                # Other connections that were idle may be as dead.
                self._engine.dispose()
                await asyncio.sleep(AWAY_SECONDS)

    def _read_end(self) -> int:
        rows = self._rows(f"{self._name}_end")
        return int(rows[0][0])

    def _read_page(self, after: int) -> Sequence[Change]:
        return [self._change(*row) for row in self._rows(f"{self._name}_page", after=after, limit=PAGE)]

    def _rows(self, query: str, **parameters: int) -> list[tuple[Any, ...]]:
        with translated_errors(), self._engine.connect() as connection:
            return driver_connection(connection).execute(QUERIES[query], parameters).fetchall()


class Changes:
    """Both logs of one process."""

    def __init__(self, engine: Engine, waiter: StateWaiter) -> None:
        self.runs: ChangeLog[RunMoved] = ChangeLog("runs", engine, waiter, RunMoved)
        self.versions: ChangeLog[VersionChanged] = ChangeLog("versions", engine, waiter, VersionChanged)

    async def cursors(self) -> dict[str, int]:
        """Return how far each log has come, by the field that tells of it; raise `DatabaseUnavailable`."""
        runs, versions = await asyncio.gather(self.runs.end(), self.versions.end())
        return {"pipelineRunChanged": runs, "versionAdded": versions}

    async def stop(self) -> None:
        """End reading."""
        await self.runs.stop()
        await self.versions.stop()
