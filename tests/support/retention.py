"""Rounds of retention on a test's own database, with somebody who follows meanwhile."""

import datetime as dt
from typing import Any

import psycopg

from hooks.retention.rounds import MOST_POSITIONS, Rounds, run_rounds
from tests.support.graphql import keeping_up
from tests.support.history import plain


def instant_behind(connection: psycopg.Connection[Any], position: int) -> dt.datetime:
    """The instant that parts the facts up to the position from those behind it."""
    row = connection.execute(
        "SELECT received_at FROM fact WHERE position > %s ORDER BY position LIMIT 1", (position,)
    ).fetchone()
    assert row is not None
    found: dt.datetime = row[0]
    return found


def everything(connection: psycopg.Connection[Any]) -> dt.datetime:
    """An instant before which all facts were received."""
    row = connection.execute("SELECT clock_timestamp() + interval '1 s'").fetchone()
    assert row is not None
    found: dt.datetime = row[0]
    return found


def retained(url: str, received_before: dt.datetime, *, most_positions: int = MOST_POSITIONS) -> Rounds:
    """Run rounds on the database of the SQLAlchemy URL while followers keep up."""
    with keeping_up(url):
        return run_rounds(plain(url), received_before, actor="test", most_positions=most_positions)


def events(connection: psycopg.Connection[Any]) -> dict[int, bool]:
    """Whether each event of the ledger has its body, by position."""
    rows = connection.execute(
        "SELECT position, body <> '' FROM fact WHERE kind LIKE 'openlineage.%' ORDER BY position"
    )
    return dict(rows.fetchall())
