"""A copy of the state's tables, empty at first, in one session: the same statements work on it as on the catalog.

PostgreSQL looks for a table among the session's temporary ones first, so the state follower's code writes there without
knowing it. The session is read only for everything else, and what it made is gone with it, however it ends.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from catalog.errors import HeadwaterError
from catalog.sessions import long_session
from catalog.tables import TableRole, tables_of

#: Written by the state follower, or read by it, although no state.
BESIDE = ("attempt_claim", "parked", "procrastinate_jobs")
TEMPORARY_BUFFERS = "64MB"
#: Rows were analysed last when there were this many times fewer.
GROWTH = 4


def scratch_tables() -> list[str]:
    """Return the tables that a copy has."""
    return [*tables_of(TableRole.STATE), *BESIDE]


@contextlib.contextmanager
def open_scratch(conninfo: str, *, snapshot: str | None = None) -> Iterator["psycopg.Connection[Any]"]:
    """Yield an autocommitting connection on which every table of the state is an empty copy.

    Claims and parked facts are those of the catalog, as it stands in the exported snapshot if one is given.
    """
    with long_session(conninfo, application_name="headwater-replay") as connection:
        # A pooler's session in which somebody had temporary tables before keeps the room that it had for them.
        with contextlib.suppress(psycopg.errors.InvalidParameterValue):
            connection.execute(f"SET temp_buffers = '{TEMPORARY_BUFFERS}'")
        for name in scratch_tables():
            _create(connection, name)
        connection.execute("CREATE TEMPORARY SEQUENCE replayed_job_id")
        connection.execute(
            "ALTER TABLE pg_temp.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('pg_temp.replayed_job_id')"
        )
        _copy_circumstances(connection, snapshot)
        connection.execute("SET default_transaction_read_only = on")
        yield connection


def schema_of(connection: "psycopg.Connection[Any]") -> sql.Identifier:
    """Return the schema in which the catalog's own tables lie."""
    row = connection.execute(
        "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'fact'::regclass"
    )
    found = row.fetchone()
    if found is None:
        raise HeadwaterError("expected a ledger in the database, found none: run migrate")
    return sql.Identifier(str(found[0]))


def _create(connection: "psycopg.Connection[Any]", name: str) -> None:
    statement = sql.SQL("CREATE TEMPORARY TABLE {copy} (LIKE {schema}.{table} INCLUDING ALL)")
    table = sql.Identifier(name)
    connection.execute(statement.format(copy=table, schema=schema_of(connection), table=table))


def _copy_circumstances(connection: "psycopg.Connection[Any]", snapshot: str | None) -> None:
    schema = schema_of(connection)
    with connection.transaction():
        if snapshot is not None:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
        # A cancel that finds no claim leaves one of nobody's: so a claim of somebody's came before every cancel.
        statement = "INSERT INTO attempt_claim SELECT * FROM {schema}.attempt_claim WHERE host <> ''"
        connection.execute(sql.SQL(statement).format(schema=schema))
        # Its first identity; a fact tells of each later one.
        statement = "INSERT INTO installation (id) SELECT coalesce(original, id) FROM {schema}.installation"
        connection.execute(sql.SQL(statement).format(schema=schema))
        statement = "INSERT INTO parked SELECT * FROM {schema}.parked WHERE follower = 'state'"
        connection.execute(sql.SQL(statement).format(schema=schema))


class Analysis:
    """Keeps the planner informed while a copy grows: nobody else analyses temporary tables."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection
        self._due = 1_000

    def applied(self, facts: int) -> None:
        """Analyse the tables where they have grown several times over since the last time."""
        if facts >= self._due:
            self._due = facts * GROWTH
            names = sql.SQL(", ").join(sql.Identifier("pg_temp", name) for name in scratch_tables())
            self._connection.execute(sql.SQL("ANALYZE {}").format(names))
