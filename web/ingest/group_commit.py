"""Group commit: requests that arrive while a commit is under way share the next one.

Nothing is acknowledged before its transaction has committed. What waits is bounded in bytes; beyond that the caller is
told to come back, so that memory is never the buffer.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.errors import DatabaseUnavailable, IngestQueueFull, LedgerHeld
from catalog.ledger import Appended, NewFact, append_facts, compress

log = structlog.get_logger(__name__)

#: A caller waits no longer than this for its commit, in seconds; it may be stored all the same.
ANSWER_SECONDS = 15.0
#: More facts than this do not go into one transaction, so that a small request never waits for a huge commit.
MAX_GROUP_FACTS = 2_000
#: Seconds that an orderly end waits for commits under way; their callers have waited longer.
STOP_SECONDS = 0.5
#: Seconds that the database has to take back a statement.
CANCEL_SECONDS = 0.3
_ENDS = "the server ends; send the request again"


@dataclass(slots=True)
class _Submission:
    facts: Sequence[NewFact]
    size: int
    done: "asyncio.Future[list[Appended]]"
    #: When it came, in seconds of the monotonic clock.
    since: float = field(default_factory=time.monotonic)

    def acknowledge(self, appended: list[Appended]) -> None:
        """Tell the caller that its facts are committed, if it still waits."""
        if not self.done.done():
            self.done.set_result(appended)

    def refuse(self, error: Exception) -> None:
        """Tell the caller that its facts are not committed, if it still waits."""
        if not self.done.done():
            self.done.set_exception(error)


class GroupCommit:
    """Appends facts to the ledger for many callers; one per process, on its event loop."""

    def __init__(self, engine: Engine, *, queue_bytes: int) -> None:
        self._engine = engine
        self._queue_bytes = queue_bytes
        self._waiting: list[_Submission] = []
        #: What the commit under way is about.
        self._group: list[_Submission] = []
        #: The connection of the commit under way.
        self._committing: psycopg.Connection[Any] | None = None
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        #: Whether the end waits for no commit any more, so that none is begun.
        self._given_up = False
        # One thread: commits are sequential by the append lock anyway.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        #: Told the number of facts of each transaction that has committed.
        self.on_commit: Callable[[int], None] = lambda _facts: None

    @property
    def waiting_bytes(self) -> int:
        """Bytes of facts that wait for a commit."""
        return self._waiting_bytes

    @property
    def oldest_seconds(self) -> float:
        """Seconds for which the oldest facts have waited for their commit, 0 where none wait."""
        oldest = (self._group or self._waiting)[:1]
        return time.monotonic() - oldest[0].since if oldest else 0.0

    async def start(self) -> None:
        """Begin to commit what is submitted."""
        self._task = asyncio.create_task(self._run(), name="group commit")

    async def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Commit what was submitted, then end; what cannot be committed in so many seconds is refused."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            _, pending = await asyncio.wait([self._task], timeout=seconds)
            if pending:
                self._given_up = True
                await asyncio.to_thread(self._take_back)
                self._task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._task
        # Where the database does not even take the statement back, nobody waits for it any more.
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def append(self, facts: Sequence[NewFact]) -> list[Appended]:
        """Return the places of the facts once they are committed.

        Raises `IngestQueueFull` or `LedgerHeld`, and nothing was stored then; or another `DatabaseUnavailable`, and
        what may have been stored is found again as a duplicate when the caller repeats it.
        """
        if self._stopping:
            raise DatabaseUnavailable(_ENDS)
        size = sum(len(fact.body) for fact in facts)
        if self._waiting and self._waiting_bytes + size > self._queue_bytes:
            raise IngestQueueFull
        submission = _Submission(facts, size, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        self._waiting_bytes += size
        self._wake.set()
        try:
            return await asyncio.wait_for(submission.done, ANSWER_SECONDS)
        except TimeoutError as error:
            raise DatabaseUnavailable("the database does not answer; send the request again later") from error
        except asyncio.CancelledError as error:
            # The server ends and waits no longer; the caller is told that it may have been stored.
            raise DatabaseUnavailable(_ENDS) from error

    async def _run(self) -> None:
        try:
            while self._waiting or not self._stopping:
                await self._wake.wait()
                self._group = self._next_group()
                if self._group:
                    await self._settle(self._group)
                    self._waiting_bytes -= sum(submission.size for submission in self._group)
                else:
                    self._wake.clear()
        finally:
            for submission in (*self._group, *self._waiting):
                submission.refuse(DatabaseUnavailable(_ENDS))

    async def _settle(self, group: "list[_Submission]") -> None:
        """Commit the group in one transaction and tell its callers."""
        try:
            appended = await asyncio.get_running_loop().run_in_executor(self._executor, self._commit, group)
        except Exception as error:
            if len(group) == 1 or isinstance(error, DatabaseUnavailable):
                for submission in group:
                    submission.refuse(error)
                if isinstance(error, LedgerHeld):
                    self._refuse_waiting(error)
                return
            # One of them cannot be stored; the others are not to blame, so each has a transaction of its own.
            log.exception("ingest.group_failed", requests=len(group))
            for submission in group:
                await self._settle([submission])
            return
        start = 0
        for submission in group:
            end = start + len(submission.facts)
            submission.acknowledge(appended[start:end])
            start = end
        self.on_commit(start)

    def _refuse_waiting(self, error: LedgerHeld) -> None:
        """Tell those who wait for the commit that failed: they would wait for the same lock, one after another."""
        waiting, self._waiting = self._waiting, []
        for submission in waiting:
            self._waiting_bytes -= submission.size
            submission.refuse(error)

    def _next_group(self) -> list[_Submission]:
        count = 0
        for index, submission in enumerate(self._waiting):
            count += len(submission.facts)
            if count > MAX_GROUP_FACTS and index > 0:
                group, self._waiting = self._waiting[:index], self._waiting[index:]
                return group
        group, self._waiting = self._waiting, []
        return group

    def _commit(self, group: Sequence[_Submission]) -> list[Appended]:
        facts = [fact for submission in group for fact in submission.facts]
        # Compressed before the append lock is taken; zlib lets other threads run meanwhile.
        bodies = [compress(fact.body) for fact in facts]
        try:
            return self._append(facts, bodies)
        except LedgerHeld:
            raise
        except DatabaseUnavailable:
            if self._stopping:
                raise
            # A pooled connection may have died while it was idle: once more on a new one. Repeating is harmless.
            self._engine.dispose()
            return self._append(facts, bodies)

    def _append(self, facts: Sequence[NewFact], bodies: Sequence[bytes]) -> list[Appended]:
        with translated_errors(), self._engine.begin() as connection:
            self._committing = driver_connection(connection)
            try:
                # Only now: what gives up looks for the connection after it has said so.
                if self._given_up:
                    raise DatabaseUnavailable(_ENDS)
                return append_facts(self._committing, facts, compressed=bodies)
            except psycopg.errors.LockNotAvailable as error:
                raise LedgerHeld from error
            except psycopg.OperationalError as error:
                # SQLAlchemy did not see the statement fail, so it is told that the connection is of no use.
                connection.invalidate()
                raise DatabaseUnavailable from error
            finally:
                self._committing = None

    def _take_back(self) -> None:
        """Ask the database to give up the statement of the commit under way, which then stores nothing."""
        connection = self._committing
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=CANCEL_SECONDS)
