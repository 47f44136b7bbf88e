"""The way to PostgreSQL: one engine per process, driver errors translated once."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from catalog.errors import DatabaseUnavailable


def create_database_engine(url: str, *, pool_size: int, application_name: str) -> Engine:
    """Return an engine whose sessions speak UTC and end a silent server within about 20 seconds."""
    engine = create_engine(
        # Whoever writes postgres://, or names another driver, means the same database.
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=False,
        pool_use_lifo=True,
        connect_args={
            "application_name": application_name,
            "connect_timeout": 5,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            # A process that was frozen within a transaction must not hold its locks, the append lock least of all.
            "options": "-c timezone=UTC -c idle_in_transaction_session_timeout=10s",
        },
    )

    @event.listens_for(engine, "connect")
    def prepare_early(connection: psycopg.Connection[Any], _record: object) -> None:
        # Every statement here is parametrised and repeats, so a server-side plan pays off at once.
        connection.prepare_threshold = 2

    return engine


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Raise `DatabaseUnavailable` in place of the driver's errors for a database that is away."""
    try:
        yield
    except (PoolTimeoutError, psycopg.OperationalError) as error:
        raise DatabaseUnavailable from error
    except OperationalError as error:
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable from error
        raise


def driver_connection(connection: Connection) -> "psycopg.Connection[Any]":
    """Return the psycopg connection under a SQLAlchemy connection, in its current transaction."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError(f"expected a psycopg connection, found {type(raw).__name__}")
    return raw
