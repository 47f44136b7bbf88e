"""Sessions for work that takes as long as it takes: what they keep is set once they are open, as PgBouncer wants it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

#: Not as options of the start, which PgBouncer refuses.
_LONG = "SELECT set_config('TimeZone', 'UTC', false), set_config('idle_in_transaction_session_timeout', '0', false)"


@contextmanager
def long_session(conninfo: str, *, application_name: str) -> Iterator["psycopg.Connection[Any]"]:
    """Yield an autocommitting connection that speaks UTC and whose transactions may be idle for any time."""
    with psycopg.connect(conninfo, autocommit=True, application_name=application_name) as connection:
        connection.execute(_LONG)
        yield connection


@contextmanager
def read_snapshot(conninfo: str, *, application_name: str) -> Iterator["psycopg.Connection[Any]"]:
    """Yield a connection in a read-only transaction that sees the database as it is now, however long it takes."""
    with long_session(conninfo, application_name=application_name) as connection:
        connection.autocommit = False
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection
        connection.rollback()
