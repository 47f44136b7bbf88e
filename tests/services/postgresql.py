"""A real PostgreSQL for tests: the embedded one, in a temporary folder, as root or not."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from catalog.embedded import EmbeddedPostgreSQL
from catalog.embedded.account import server_account
from catalog.embedded.leftovers import server_processes
from catalog.embedded.places import socket_folder


@contextmanager
def temporary_data_folder() -> Iterator[Path]:
    """Yield a new data folder with a short path; it and the cluster that it leads to are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-test-"))
    try:
        yield folder
    finally:
        remove_data_folder(folder)


def remove_data_folder(folder: Path) -> None:
    """Remove the data folder and, where it links to it, its cluster, once no server runs there."""
    link = folder / "postgresql"
    cluster, account = link.resolve(), server_account()
    deadline = time.monotonic() + 30
    # A guard may be ending the server just now.
    while server_processes(cluster, account):
        assert time.monotonic() < deadline, f"a server still runs in {cluster}"
        time.sleep(0.02)
    if link.is_symlink() and link.exists():
        shutil.rmtree(cluster)
        cluster.with_name(f"{cluster.name}.lock").unlink(missing_ok=True)
    shutil.rmtree(socket_folder(cluster, account), ignore_errors=True)  # a killed server leaves it
    shutil.rmtree(folder)


@contextmanager
def embedded_cluster() -> Iterator[str]:
    """Yield the URL of a new server whose role may make databases; meant for one whole test session.

    It does not wait for the disk: the tests that prove durability start a server of their own.
    """
    with temporary_data_folder() as folder:
        database = EmbeddedPostgreSQL(folder, progress=lambda _: None)
        url = database.start()
        try:
            with connect(database.administrator_url) as connection:
                # A database that an autovacuum worker is in can only be dropped by a superuser.
                for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
                    connection.execute(f"ALTER SYSTEM SET {setting} = off")
                connection.execute("SELECT pg_reload_conf()")
                connection.execute("ALTER ROLE headwater CREATEDB")
            yield url
        finally:
            database.stop()


@contextmanager
def connect(url: str) -> Iterator[psycopg.Connection]:
    """Yield an autocommitting connection to a SQLAlchemy URL."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        yield connection


def fresh_database(url: str, template: str | None = None) -> str:
    """Return the URL of a new database on the server of `url`, empty or a copy of the database `template`.

    Nobody may be connected to the template meanwhile.
    """
    name = f"test_{secrets.token_hex(6)}"
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with connect(url) as connection:
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template1")))
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def drop_database(url: str) -> None:
    """Remove the database of the URL; whoever is connected to it is disconnected."""
    target = make_url(url)
    statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(target.database or ""))
    with connect(target.set(database="headwater").render_as_string(hide_password=False)) as connection:
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            # Autovacuum was going on before it was turned off, and only the server may end it.
            time.sleep(1)
            connection.execute(statement)
