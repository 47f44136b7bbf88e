"""One GraphQL request: what it may do, how long it may take, and the one snapshot of the database that it reads."""

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine

from catalog.database import driver_connection, translated_errors
from catalog.errors import DatabaseUnavailable, PositionNotReached, QueryTimedOut, ServerBusy
from catalog.ledger import NewFact
from graph.port import GraphReader
from web.access import Permission, Principal
from web.following import current_positions

#: What of the time allowed a traversal leaves to those who write the answer down.
TRAVERSAL_SHARE = 0.8
#: How long the cancelling of a statement may take, in seconds.
CANCEL_SECONDS = 1.0
#: What is told of a command whose verdict did not come in time.
MAY_BE_STORED = "the command may be stored: send it again with its idempotencyKey"

Answer = TypeVar("Answer")


class Snapshot:
    """One read-only transaction: every statement in it sees the same rows."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._failure: Exception | None = None
        self._raw = driver_connection(connection)
        # The statement that asks for the instant also takes the snapshot and bounds all that follow.
        ((_, self.now),) = self.rows(
            b"SELECT set_config('statement_timeout', %(milliseconds)s, true), clock_timestamp()",
            milliseconds=str(max(1, int(seconds * 1000))),
        )
        self.position, self.graph_position = self.read(current_positions)

    #: The database's clock when the snapshot was taken.
    now: dt.datetime
    #: Ledger positions that the state and the graph are known up to.
    position: int
    graph_position: int

    def cancel(self) -> None:
        """End the statement that runs, if one does."""
        self._raw.cancel_safe(timeout=CANCEL_SECONDS)

    def rows(self, query: bytes, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a named statement; raise `QueryTimedOut` or `DatabaseUnavailable`."""
        return self.read(lambda connection: connection.execute(query, parameters).fetchall())

    def read(self, read: Callable[["psycopg.Connection[Any]"], Answer]) -> Answer:
        """Return what a reader finds on the driver's connection; raise `QueryTimedOut` or `DatabaseUnavailable`."""
        if self._failure is not None:
            # The transaction is over; the first failure is the reason for all that follow.
            raise self._failure
        try:
            with translated_errors():
                return self._read(read)
        except Exception as error:
            self._failure = error
            raise

    def _read(self, read: Callable[["psycopg.Connection[Any]"], Answer]) -> Answer:
        try:
            return read(self._raw)
        except psycopg.errors.QueryCanceled as error:
            raise QueryTimedOut from error
        except psycopg.OperationalError as error:
            # SQLAlchemy did not see the statement fail, so it is told that the connection is of no use.
            self._connection.invalidate()
            raise DatabaseUnavailable from error


@dataclass(slots=True, eq=False)
class QueryRequest:
    """Everything that resolvers need; used by one thread at a time."""

    engine: Engine
    graph: GraphReader
    runs_dir: Path
    seconds: float
    #: Returns the principal if it holds the permission, else raises.
    authorise: Callable[[Permission], Principal]
    #: Submits a command on the event loop; the future gives its position and result.
    submit: Callable[[NewFact], "Future[tuple[int, dict[str, Any]]]"]
    #: Bounds how many requests may read at once.
    snapshots: threading.BoundedSemaphore
    #: Positions that parts of the answer were computed at.
    positions: list[int] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _connection: Connection | None = None
    _snapshot: Snapshot | None = None
    _holds_snapshot: bool = False

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot of this request, taken when it is first needed."""
        if self._snapshot is None:
            try:
                self._snapshot = self._open()
            except DatabaseUnavailable:
                # A pooled connection may have died while it was idle, and nothing was read yet: once more on a new one.
                self.close()
                self.engine.dispose()
                self._snapshot = self._open()
            self.positions.append(self._snapshot.position)
        return self._snapshot

    def _open(self) -> Snapshot:
        if not self.snapshots.acquire(timeout=self.remaining_seconds):
            raise ServerBusy
        self._holds_snapshot = True
        with translated_errors():
            self._connection = self.engine.connect().execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._connection.begin()
        return Snapshot(self._connection, self.remaining_seconds)

    def rows(self, query: bytes, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a named statement, read from the snapshot."""
        return self.snapshot.rows(query, **parameters)

    def read(self, read: Callable[["psycopg.Connection[Any]"], Answer]) -> Answer:
        """Return what a reader that another room offers finds in the snapshot."""
        return self.snapshot.read(read)

    def close(self) -> None:
        """Give the snapshot back; the next read takes a new one."""
        self._snapshot = None
        try:
            if self._connection is not None:
                self._connection.close()
        finally:
            self._connection = None
            if self._holds_snapshot:
                self._holds_snapshot = False
                self.snapshots.release()

    @property
    def remaining_seconds(self) -> float:
        """Seconds that are left of the time allowed; raise `QueryTimedOut` where there are none."""
        remaining = self.seconds - (time.monotonic() - self._started)
        if remaining <= 0:
            raise QueryTimedOut(f"expected the query to be answered within {self.seconds:g} s")
        return remaining

    def stop(self) -> None:
        """Let the time allowed be over, for a statement that runs too; may be called by another thread."""
        self.seconds = 0.0
        snapshot = self._snapshot
        if snapshot is not None:
            # A connection that is no more has nothing to cancel.
            with contextlib.suppress(psycopg.Error):
                snapshot.cancel()

    def check_time(self) -> None:
        """Raise `QueryTimedOut` where the time allowed is over."""
        _ = self.remaining_seconds

    @property
    def traversal_seconds(self) -> float:
        """Seconds that a traversal may take, so that what it found can still be told."""
        return self.remaining_seconds * TRAVERSAL_SHARE

    def command(self, fact: NewFact) -> tuple[int, dict[str, Any]]:
        """Submit the command and return its position and result once it was judged.

        No snapshot is held meanwhile, and what is read afterwards sees what the command did.
        """
        self.close()
        future = self.submit(fact)
        try:
            return future.result(timeout=self.remaining_seconds)
        except TimeoutError as error:
            raise PositionNotReached(MAY_BE_STORED) from error
