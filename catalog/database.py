"""The way to PostgreSQL: one engine per process, driver errors translated once."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from catalog.errors import ConfigurationError, DatabaseUnavailable

#: What a session keeps. A process that was frozen within a transaction must not hold its locks for ever.
_SESSION = (
    "SELECT set_config('TimeZone', 'UTC', false),"
    " set_config('idle_in_transaction_session_timeout', '10s', false)"
)


def database_address(url: str) -> URL:
    """Return the URL with the driver that Headwater uses; raise `ConfigurationError` for one of another database."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        # `from None`, and the text is not repeated: a password may stand in it.
        raise ConfigurationError("expected a URL such as postgresql://USER@HOST/NAME") from None
    if address.drivername.partition("+")[0] not in ("postgresql", "postgres"):
        raise ConfigurationError(f"expected the URL of a PostgreSQL, found one of {address.drivername}")
    try:
        conninfo_to_dict(address.set(drivername="postgresql").render_as_string(hide_password=False))
    except psycopg.ProgrammingError:
        raise ConfigurationError("expected a URL as libpq reads it, with known parameters only") from None
    return address.set(drivername="postgresql+psycopg")


def create_database_engine(
    url: str, *, pool_size: int, application_name: str, through_pooler: bool = False
) -> Engine:
    """Return an engine whose sessions speak UTC and end a silent server within about 20 seconds.

    `through_pooler` says that a session is the server's for one transaction only, so that nothing may be kept in it.
    """
    engine = create_engine(
        database_address(url),
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
        },
    )

    @event.listens_for(engine, "connect")
    def prepare_session(connection: psycopg.Connection[Any], _record: object) -> None:
        # Every statement here is parametrised and repeats, so a server-side plan pays off at once; a pooler may lead
        # the next transaction to a server that does not have it.
        connection.prepare_threshold = None if through_pooler else 2
        # Not as options of the start, which PgBouncer refuses. The time zone it keeps for each client itself.
        connection.execute(_SESSION)
        connection.commit()

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
