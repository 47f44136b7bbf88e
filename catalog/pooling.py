"""Whether a session is one's own: a pooler of transactions gives each transaction any session of the server.

What listens, follows or holds a lock for a session would then wait for ever, or hold the lock of somebody else.
"""

import contextlib
from typing import Any

import psycopg

from catalog.errors import ConfigurationError, DatabaseUnavailable

#: A pooler with other clients may give two of them different sessions now and then, but not so many times.
TRIES = 5
CONNECT_SECONDS = 5


def refuse_shared_sessions(conninfo: str, *, setting: str) -> None:
    """Return if sessions are one's own; raise `ConfigurationError` that names the setting, or `DatabaseUnavailable`."""
    try:
        shared = has_shared_sessions(conninfo)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"the database does not answer: {str(error).strip()}"[:500]) from error
    if shared:
        message = (
            f"{setting} leads through a pooler that gives each transaction another session, but listening and locks"
            " need sessions of their own: set HEADWATER_DATABASE_DIRECT_URL to the server itself, or let the pooler"
            " pool sessions (PgBouncer: pool_mode = session)"
        )
        raise ConfigurationError(message)


def has_shared_sessions(conninfo: str) -> bool:
    """Return whether one connection is answered by several sessions, or two by one.

    A connection of one's own is answered by its own server process from its first statement to its last.
    """
    with contextlib.ExitStack() as stack:
        first, second = (
            stack.enter_context(psycopg.connect(conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS))
            for _ in range(2)
        )
        seen: tuple[set[int], set[int]] = (set(), set())
        for _ in range(TRIES):
            for connection, processes in zip((first, second), seen, strict=True):
                processes.add(_process(connection))
        return len(seen[0]) > 1 or len(seen[1]) > 1 or bool(seen[0] & seen[1])


def _process(connection: "psycopg.Connection[Any]") -> int:
    row: Any = connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    return int(row[0])
