"""The database: its version, whether it keeps what it commits, its schema, its clock."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_never

import psycopg
from psycopg.conninfo import make_conninfo

from catalog.pooling import has_shared_sessions
from catalog.queries import load_queries
from catalog.schema import Standing, read_schema
from catalog.settings import Settings
from web.bootstrap import through_pooler
from web.connections import Capacity, web_budget, worker_budget
from web.doctor.finding import Finding, ok, problem, warning

QUERIES = load_queries(Path(__file__).with_name("doctor.sql"))

OLDEST_VERSION = 150_000
#: Seconds by which two clocks may differ before it is worth a look, and before windows of time are wrong.
CLOCK_WARNING, CLOCK_PROBLEM = 2.0, 30.0

#: What each setting guards, for those who see it switched off.
_DURABILITY = {
    "fsync": "a crash of the machine may destroy the whole database",
    "full_page_writes": "a crash of the machine may leave half-written pages",
    "synchronous_commit": "a crash of the server may lose events that were acknowledged",
}
#: Values under which a commit is on this server's disk when it is acknowledged.
_SYNCHRONOUS = {"on", "local", "remote_write", "remote_apply"}


def check_version(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield whether the server is new enough."""
    ((number, version),) = connection.execute(QUERIES["server"]).fetchall()
    if number >= OLDEST_VERSION:
        yield ok("database", f"PostgreSQL {version} answers")
    else:
        yield problem("database", f"PostgreSQL {version}", "use PostgreSQL 15 or later")


def check_durability(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield whether a commit survives a crash."""
    found = dict(connection.execute(QUERIES["durability"]).fetchall())
    for name, danger in _DURABILITY.items():
        value = found[name]
        if value in (_SYNCHRONOUS if name == "synchronous_commit" else {"on"}):
            yield ok(f"durability.{name}", str(value))
        else:
            yield problem(
                f"durability.{name}",
                f"{value}: {danger}",
                f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf(); (and look for it in ALTER ROLE or the URL)",
            )


def check_migrations(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield whether the schema is the one that this version expects."""
    schema = read_schema(connection)
    match schema.standing:
        case Standing.CURRENT:
            yield ok("migrations", str(schema))
        case Standing.NEWER:
            yield warning(
                "migrations",
                str(schema),
                "go on with the rolling restart: bring this one to the newer release",
            )
        case Standing.TOO_NEW:
            yield problem("migrations", str(schema), "run the newer release here too")
        case Standing.NONE | Standing.OLDER:
            advice = "run `headwater migrate`, or `headwater up`, which does"
            yield problem("migrations", str(schema), advice)
        case _:
            assert_never(schema.standing)


def check_clock(connection: "psycopg.Connection[Any]", _settings: Settings) -> Iterator[Finding]:
    """Yield how far the database's clock and this machine's are apart."""
    before = dt.datetime.now(dt.UTC)
    ((theirs,),) = connection.execute(QUERIES["clock"]).fetchall()
    after = dt.datetime.now(dt.UTC)
    uncertain = (after - before).total_seconds() / 2
    apart = (theirs - before).total_seconds() - uncertain
    found = (
        f"the database's clock is {abs(apart):.3f} s {'ahead of' if apart > 0 else 'behind'} this machine's"
    )
    advice = (
        "synchronise both clocks, with NTP for example: times of events are bounded by the database's clock"
    )
    if abs(apart) - uncertain > CLOCK_PROBLEM:
        yield problem("clock", found, advice)
    elif abs(apart) - uncertain > CLOCK_WARNING:
        yield warning("clock", found, advice)
    else:
        yield ok("clock", found)


def check_connections(connection: "psycopg.Connection[Any]", settings: Settings) -> Iterator[Finding]:
    """Yield whether the server takes as many connections as a web process and a worker may need."""
    capacity = Capacity.read(connection)
    web, worker = (budget.on_server(settings) for budget in (web_budget(settings), worker_budget(settings)))
    found = (
        f"{capacity.used} of the {capacity.limit} connections that this role may have are used;"
        f" a web process may need {web}, a worker {worker}"
    )
    advice = (
        "raise max_connections, or the limit of role or database, or lower HEADWATER_WEB_POOL or _WORKER_POOL"
    )
    if web + worker > capacity.limit:
        yield problem("connections", found, advice)
    elif max(web, worker) > capacity.free:
        yield warning("connections", f"{found}: no other process of Headwater could start", advice)
    else:
        yield ok("connections", found)


def check_sessions(connection: "psycopg.Connection[Any]", settings: Settings) -> Iterator[Finding]:
    """Yield whether sessions are one's own, or shared by a pooler of transactions."""
    # The driver's own text of where it is connected to leaves the password out.
    again = make_conninfo(connection.info.dsn, password=connection.info.password or None)
    if has_shared_sessions(again):
        yield problem(
            "sessions",
            "a pooler gives each transaction another session: what listens waits for ever, locks are others'",
            "set HEADWATER_DATABASE_DIRECT_URL to the server itself, or pool sessions (pool_mode = session)",
        )
    elif through_pooler(settings):
        yield ok("sessions", "direct connections have sessions of their own; the pooled ones need none")
    else:
        yield ok("sessions", "each connection has a session of its own")


def check_tokens(connection: "psycopg.Connection[Any]", settings: Settings) -> Iterator[Finding]:
    """Yield whether those who may reach the server can prove who they are; called for binds beyond loopback."""
    ((valid, ending),) = connection.execute(QUERIES["tokens"]).fetchall()
    if valid == 0:
        yield problem(
            "tokens",
            f"no valid token, and {settings.host} can be reached by other machines: the server refuses to start",
            "run `headwater token create NAME --role admin`",
        )
    elif ending:
        yield warning(
            "tokens",
            f"{valid} valid, {ending} of them end within 7 days",
            "make new ones with `headwater token create`",
        )
    else:
        yield ok("tokens", f"{valid} valid")
