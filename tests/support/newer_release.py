"""What a newer release does to a database that this one also works on: its schema, its words, its way to follow."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from catalog.facts import FactKind
from catalog.follower import Follower
from catalog.ledger import Fact, NewFact
from catalog.tables import TABLES
from hooks.deciding.decider import Limits
from hooks.state_follower import StateLog

REVISION = "9999"
NEWER_KIND = "comet.seen"


def expand(connection: psycopg.Connection[Any]) -> None:
    """Migrate as a release does that only adds: columns, a table, a word of the job queue."""
    for table in sorted(TABLES):
        connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN newer text").format(sql.Identifier(table)))
    connection.execute("CREATE TABLE comet (id uuid PRIMARY KEY, seen_at timestamptz NOT NULL)")
    connection.execute("ALTER TYPE procrastinate_job_status ADD VALUE 'postponed'")
    connection.execute("UPDATE alembic_version SET version_num = %s", (REVISION,))


def contract(connection: psycopg.Connection[Any]) -> None:
    """Migrate as a release does that takes away what this one needs."""
    expand(connection)
    connection.execute("UPDATE compatibility SET oldest = %s", (REVISION,))


def newer_fact(number: int) -> NewFact:
    """A fact of a kind that this release does not have."""
    return NewFact(NEWER_KIND, f"newer fact {number:5}".encode(), "test", b'{"schema": "9999"}')


class NewerStateLog(StateLog):
    """The state follower of a release that knows one more kind of fact, and writes in a newer form."""

    form = 2

    def write(self, connection: psycopg.Connection[Any], records: Sequence[Fact]) -> None:
        known = [fact for fact in records if fact.kind in set(FactKind)]
        connection.execute("UPDATE follower SET newer = 'was here' WHERE name = 'state'")
        if known:
            super().write(connection, known)


def newer_follower() -> Follower[Any]:
    """The state follower of that release."""
    return Follower(NewerStateLog(Limits(50)), batch=1000, holder="newer")
