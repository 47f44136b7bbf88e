"""The database of administrative commands: the external one, or the embedded one, started for the time being."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Engine

from catalog.database import create_database_engine, driver_connection, translated_errors
from catalog.embedded import DataFolderLock, EmbeddedPostgreSQL
from catalog.embedded.running import has_cluster, running_url
from catalog.errors import ConfigurationError, DatabaseUnavailable, DataFolderInUse
from catalog.migrations import migrate
from catalog.schema import read_schema, refuse_too_new
from catalog.settings import Settings
from web.bootstrap import conninfo, direct_url
from web.cli.output import say


def external_url(settings: Settings) -> str | None:
    """Return the URL of sessions of one's own in the external database, None where the embedded one is used."""
    if settings.database_url is None:
        return None
    return direct_url(settings, settings.database_url.get_secret_value())


def known_url(settings: Settings) -> str | None:
    """Return the URL of the external database, else of the embedded one while it runs; start nothing."""
    if (url := external_url(settings)) is not None:
        return url
    return running_url(settings.data_dir)


@contextmanager
def database_url(settings: Settings, *, create: bool = False) -> Iterator[str]:
    """Yield the URL of a database that answers and has this version's schema.

    The embedded database of a folder on which nothing runs is started for the time being; a folder without one is
    given one only with `create`. Raises `ConfigurationError`, `DatabaseUnavailable`.
    """
    if (external := external_url(settings)) is not None:
        yield _checked(external)
        return
    if not create and not has_cluster(settings.data_dir):
        message = f"expected a database in the data folder {settings.data_dir}, found none"
        raise ConfigurationError(f"{message}: start `headwater up` once, or give its --data-dir")
    lock = DataFolderLock(settings.data_dir)
    try:
        lock.acquire(say)
    except DataFolderInUse as error:
        url = running_url(settings.data_dir)
        if url is None:
            raise DatabaseUnavailable(f"the database does not answer yet: {error.message}") from error
        yield _checked(url)
        return
    try:
        yield from _started(settings, lock)
    finally:
        lock.release()


@contextmanager
def new_database_url(settings: Settings) -> Iterator[str]:
    """Yield the URL of the database as it is, without this version's schema: the embedded one is made where none is.

    Nothing may run on the data folder: raises `DataFolderInUse`.
    """
    if (external := external_url(settings)) is not None:
        yield external
        return
    lock = DataFolderLock(settings.data_dir)
    lock.acquire(say)
    try:
        database = EmbeddedPostgreSQL(settings.data_dir, progress=say, lock=lock)
        try:
            yield database.start()
        finally:
            database.stop()
    finally:
        lock.release()


def _started(settings: Settings, lock: DataFolderLock) -> Iterator[str]:
    database = EmbeddedPostgreSQL(settings.data_dir, progress=say, lock=lock)
    url = database.start()
    try:
        with engine_of(url) as engine:
            migrate(engine)
        yield _checked(url)
    finally:
        database.stop()


def _checked(url: str) -> str:
    with engine_of(url) as engine, translated_errors(), engine.connect() as connection:
        schema = read_schema(driver_connection(connection))
    refuse_too_new(schema)
    if not schema.usable:
        raise ConfigurationError(f"found {schema}: run `headwater migrate`")
    return url


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    """Yield an engine on the URL for one command."""
    engine = create_database_engine(url, pool_size=1, application_name="headwater-cli")
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def database_engine(settings: Settings, *, create: bool = False) -> Iterator[Engine]:
    """Yield an engine on the database; see `database_url`."""
    with database_url(settings, create=create) as url, engine_of(url) as engine:
        yield engine


@contextmanager
def database_connection(settings: Settings) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Yield an autocommitting driver connection to the database; see `database_url`."""
    with database_url(settings) as url, translated_errors():
        connection = psycopg.connect(conninfo(url), autocommit=True, application_name="headwater-cli")
        with connection:
            yield connection
