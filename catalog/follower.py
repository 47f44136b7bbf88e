"""The mechanism that turns a log into state: a cursor, batches, and effects that commit together with the cursor.

A crash repeats nothing, because the cursor moves in the transaction of the effects. Two holders harm nothing, because
the cursor row is locked first. A record that cannot be applied is parked and everything else goes on.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import psycopg
import structlog
from psycopg import sql

from catalog.errors import HeadwaterError, NotUnderstood

log = structlog.get_logger(__name__)

#: A cursor that has not moved for so long although there is work has lost its holder.
STILL_SECONDS = 3.0
IDLE_TRANSACTION_SECONDS = 10
#: For how long a worker stays away from what it left to a newer release.
LEFT_SECONDS = 5.0
#: A batch of so many records means that more are coming: waiting for them a moment makes the next batch worth its
#: transaction. A lone record never waits.
CROWD = 4
GATHER_SECONDS = 0.02


Record = TypeVar("Record")


class Log(Protocol[Record]):
    """What a follower needs: how to read its log, and what to do with a batch of it."""

    name: str
    #: The form in which it writes; see `catalog.forms`.
    form: int
    #: Channel on which the writer of the log announces new records.
    channel: str

    def read(self, connection: psycopg.Connection[Any], *, after: int, limit: int) -> Sequence[Record]:
        """Return at most `limit` records whose cursors are greater than `after`, in order, without judging them."""

    def apply(self, connection: psycopg.Connection[Any], records: Sequence[Record], *, resumed: bool) -> None:
        """Write the effects of the records within the caller's transaction.

        `resumed` is true when another holder may have worked since the last call, so that nothing remembered counts.
        """

    def cursor(self, record: Record) -> int:
        """Return the cursor after the record: its place in the log."""

    def forget(self) -> None:
        """Drop everything remembered of a transaction that did not commit."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did: records taken from the log, records parked, and the cursor after it.

    `displaced` when another had followed, or retried a record, since the follower's last step.
    """

    taken: int
    parked: int
    cursor: int
    displaced: bool = False
    #: Whether what comes next was left to a newer release.
    left: bool = False


class Follower(Generic[Record]):
    """Applies a log in batches, each in one transaction with the cursor."""

    def __init__(self, source: Log[Record], *, batch: int, holder: str) -> None:
        self.source = source
        self.batch = batch
        self.holder = holder
        self._expected_cursor: int | None = None

    def step(self, connection: psycopg.Connection[Any]) -> Step:
        """Apply at most one batch; `taken` is 0 when the end of the log is reached.

        Raises the driver's OperationalError when the database goes away; nothing of the batch has happened then.
        """
        return self._step(connection, self.batch)

    def _step(self, connection: psycopg.Connection[Any], limit: int) -> Step:
        records: Sequence[Record] = ()
        cursor = 0
        try:
            with connection.transaction():
                cursor, holder, form = self._lock_cursor(connection)
                self._check_form(form)
                # Whoever moves the cursor, or retries a parked record without moving it, leaves another holder.
                displaced = holder != self.holder
                records = self.source.read(connection, after=cursor, limit=limit)
                if not records:
                    if displaced:
                        self.take(connection)
                    return Step(0, 0, cursor, displaced)
                resumed = self._expected_cursor != cursor or displaced
                self.source.apply(connection, records, resumed=resumed)
                cursor = self.source.cursor(records[-1])
                self._move_cursor(connection, cursor, len(records))
            self._expected_cursor = cursor
            return Step(len(records), 0, cursor, displaced)
        except psycopg.Error as error:
            self._forget()
            # Anything but the record's own data (database away, disk full, read only) is no reason to park it.
            if not isinstance(error, (psycopg.DataError, psycopg.IntegrityError)):
                raise
            return self._narrow(connection, limit, records, error)
        except NotUnderstood as error:
            self._forget()
            if limit > 1 and len(records) > 1:
                return self._step(connection, len(records) // 2)
            return self._leave(connection, self.source.cursor(records[0]) if records else cursor + 1, error)
        except Exception as error:  # noqa: BLE001 - a record may fail in any way; it is parked and logged below
            self._forget()
            return self._narrow(connection, limit, records, error)

    def _leave(self, connection: psycopg.Connection[Any], position: int, error: NotUnderstood) -> Step:
        """Say what is left to a newer release, unless somebody has gone on meanwhile; the cursor stays before it."""
        connection.execute(
            "UPDATE follower SET left_position = %s, left_reason = %s, left_at = clock_timestamp()"
            " WHERE name = %s AND position < %s AND (left_position, left_reason) IS DISTINCT FROM (%s, %s)",
            (position, error.message, self.source.name, position, position, error.message),
        )
        return Step(0, 0, position, left=True)

    def _narrow(
        self, connection: psycopg.Connection[Any], limit: int, records: Sequence[Record], error: Exception
    ) -> Step:
        if limit > 1 and len(records) > 1:
            # Half at a time, so that the one bad record is found and everything before it is kept.
            return self._step(connection, len(records) // 2)
        return self._park(connection, records[0], error)

    def take(self, connection: psycopg.Connection[Any]) -> None:
        """Say who follows from now on; nothing remembered from before counts."""
        self._forget()
        connection.execute("UPDATE follower SET holder = %s WHERE name = %s", (self.holder, self.source.name))

    def work_at(self, connection: psycopg.Connection[Any]) -> int | None:
        """Return the cursor where the log has work, None where it has none."""
        row = connection.execute(
            "SELECT position FROM follower WHERE name = %s", (self.source.name,)
        ).fetchone()
        if row is None or not self.source.read(connection, after=int(row[0]), limit=1):
            return None
        return int(row[0])

    def _forget(self) -> None:
        self._expected_cursor = None
        self.source.forget()

    def _lock_cursor(self, connection: psycopg.Connection[Any]) -> tuple[int, str | None, int]:
        row = connection.execute(
            "SELECT position, holder, form FROM follower WHERE name = %s FOR UPDATE", (self.source.name,)
        ).fetchone()
        if row is None:
            raise HeadwaterError(
                f"expected a cursor for the follower {self.source.name!r}, found none: run migrate"
            )
        return int(row[0]), row[1], int(row[2])

    def _check_form(self, form: int) -> None:
        """Return if everything that was written by this follower can be read; raise `NotUnderstood` if not."""
        if form > self.source.form:
            raise NotUnderstood(
                f"a newer release followed and wrote in form {form}, this one knows forms up to {self.source.form}"
            )

    def _move_cursor(self, connection: psycopg.Connection[Any], cursor: int, count: int) -> None:
        connection.execute(
            "UPDATE follower SET position = %s, processed = processed + %s, holder = %s, form = greatest(form, %s),"
            " left_position = NULL, left_reason = NULL, left_at = NULL, updated_at = clock_timestamp() WHERE name = %s",
            (cursor, count, self.holder, self.source.form, self.source.name),
        )

    def _park(self, connection: psycopg.Connection[Any], record: Record, error: Exception) -> Step:
        code = error.code if isinstance(error, HeadwaterError) else type(error).__name__
        cursor = self.source.cursor(record)
        log.error("follower.parked", follower=self.source.name, position=cursor, exc_info=error)
        with connection.transaction():
            self._lock_cursor(connection)
            connection.execute(
                "INSERT INTO parked (follower, position, run_id, error_code, error) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (follower, position) DO UPDATE SET attempts = parked.attempts + 1,"
                " error_code = excluded.error_code, error = excluded.error, parked_at = clock_timestamp()",
                (self.source.name, cursor, getattr(record, "run_id", None), code, str(error)[:2000]),
            )
            self._move_cursor(connection, cursor, 1)
        return Step(1, 1, cursor)


def run_follower(
    follower: Follower[Any],
    connect: Callable[[], psycopg.Connection[Any]],
    stop: threading.Event,
    *,
    poll_seconds: float,
    lock_key: int,
) -> None:
    """Follow until `stop` is set: reconnect when the database was away, stand by while another holds the lock.

    An outage is told once, when it begins.
    """
    told = False
    while not stop.is_set():
        try:
            with connect() as connection:
                told = False
                connection.autocommit = True
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(follower.source.channel)))
                # A transaction that its owner cannot end any more must not hold the cursor row for ever.
                connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_SECONDS}s'")
                while not stop.is_set():
                    _stand_by(follower, connection, stop, lock_key, poll_seconds)
                    if _follow(follower, connection, stop, lock_key, poll_seconds):
                        # Whoever understands what comes next gets the lock meanwhile.
                        connection.execute("SELECT pg_advisory_unlock_all()")
                        stop.wait(LEFT_SECONDS)
        except psycopg.Error as error:
            if not told:
                log.warning("follower.database_away", follower=follower.source.name, error=str(error).strip())
            told = True
            stop.wait(0.5)


def _stand_by(
    follower: Follower[Any],
    connection: psycopg.Connection[Any],
    stop: threading.Event,
    lock_key: int,
    poll_seconds: float,
) -> None:
    """Wait for the advisory lock, or for `stop`: only an optimisation, so that standbys do not queue on the cursor row.

    A holder that the network has cut off keeps its lock for as long as the server believes in its connection. So who
    stands by goes ahead without the lock when there is work and the cursor has stood still; the cursor row keeps
    that safe.
    """
    known: int | None = None
    since = time.monotonic()
    while not (stop.is_set() or _has_lock(connection, lock_key)):
        found = follower.work_at(connection)
        if found is None or found != known:
            known, since = found, time.monotonic()
        elif time.monotonic() - since > STILL_SECONDS:
            return
        stop.wait(poll_seconds)


def _follow(
    follower: Follower[Any],
    connection: psycopg.Connection[Any],
    stop: threading.Event,
    lock_key: int,
    poll_seconds: float,
) -> bool:
    """Follow until `stop` is set; without the lock, until whoever holds it is back.

    Returns whether what comes next was left to a newer release.
    """
    if stop.is_set():
        return False
    follower.take(connection)
    has_lock = False
    log.info("follower.holds", follower=follower.source.name, holder=follower.holder)
    while not stop.is_set():
        step = follower.step(connection)
        # Who went ahead without the lock takes it as soon as the holder's connection has ended.
        has_lock = has_lock or _has_lock(connection, lock_key)
        if step.displaced and not has_lock:
            log.info("follower.stands_by", follower=follower.source.name, holder=follower.holder)
            return False
        if step.left:
            log.warning("follower.left", follower=follower.source.name, position=step.cursor)
            return True
        if step.taken == 0:
            for _ in connection.notifies(timeout=poll_seconds, stop_after=1):
                break
        elif CROWD <= step.taken < follower.batch:
            stop.wait(GATHER_SECONDS)
    return False


def _has_lock(connection: psycopg.Connection[Any], lock_key: int) -> bool:
    """Return whether this connection holds the advisory lock, which it takes if it is free."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (lock_key,)).fetchone()
    return row is not None and bool(row[0])


def retry_parked(connection: psycopg.Connection[Any], follower: Follower[Any], position: int) -> None:
    """Apply one parked record again in a transaction of its own; raise what it raises, and keep it parked then.

    The cursor does not move: everything after the record has long been applied. The follower that goes on learns by
    the holder that what it remembers no longer counts.
    """
    with connection.transaction():
        connection.execute(
            "UPDATE follower SET holder = %s WHERE name = %s",
            (f"retry of {position} by {follower.holder}", follower.source.name),
        )
        records = follower.source.read(connection, after=position - 1, limit=1)
        if not records or follower.source.cursor(records[0]) != position:
            raise HeadwaterError(f"expected a record at position {position}, found none")
        follower.source.apply(connection, records, resumed=True)
        connection.execute(
            "DELETE FROM parked WHERE follower = %s AND position = %s", (follower.source.name, position)
        )
        # A replay of the log applies it where it was applied here.
        connection.execute(
            "INSERT INTO applied_late (follower, position, after)"
            " SELECT name, %s, position FROM follower WHERE name = %s",
            (position, follower.source.name),
        )
