"""Up to where the bodies of events have been given up: a fact says it first, and only then are they taken.

The fact itself, its digest, kind, time, actor and run, stays for ever, so that what comes a second time is known as
that. What a checkpoint does not stand for keeps its body (`docs/decisions`, 16).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg

from catalog.facts import FactKind, natural_digest
from catalog.ledger import NewFact
from hooks.deciding.records import Occasion

#: What the rows of `events_removed` are read with: the one that reaches furthest.
READ_REMOVED = b"""
SELECT until, received_before, checkpoint, position, at, actor FROM events_removed ORDER BY until DESC, position LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Removed:
    """Events up to the position `until`, all received before the instant, need not have their bodies any more.

    `position`, `at` and `actor` are those of the fact that says so.
    """

    until: int
    received_before: dt.datetime
    checkpoint: str
    position: int
    at: dt.datetime
    actor: str


def remove_command(until: int, received_before: dt.datetime, checkpoint: str, *, actor: str) -> NewFact:
    """Return the fact that the checkpoint stands for the bodies up to the position; the same again is the same fact."""
    kind = FactKind.EVENTS_REMOVE
    body = {"until": until, "receivedBefore": received_before, "checkpoint": checkpoint}
    return NewFact(kind, natural_digest(kind, str(until), checkpoint), actor, orjson.dumps(body))


def remember_removed(
    connection: "psycopg.Connection[Any]", body: dict[str, Any], occasion: Occasion
) -> dict[str, Any]:
    """Write that the bodies are given up; they are taken afterwards."""
    until, checkpoint = int(body["until"]), str(body["checkpoint"])
    connection.execute(
        "INSERT INTO events_removed (position, until, received_before, checkpoint, at, actor)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (
            occasion.position,
            until,
            dt.datetime.fromisoformat(body["receivedBefore"]),
            checkpoint,
            occasion.at,
            occasion.actor,
        ),
    )
    return {"until": until, "checkpoint": checkpoint}


def read_removed(connection: "psycopg.Connection[Any]") -> Removed | None:
    """Return up to where bodies have been given up, None where all are kept."""
    row = connection.execute(READ_REMOVED).fetchone()
    return None if row is None else Removed(*row)
