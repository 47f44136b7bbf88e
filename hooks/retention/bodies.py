"""Bodies of events taken from the ledger, some at a time; each time commits with how far the work has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from catalog.progress import Progress, ShowProgress
from hooks.retention.queries import QUERIES

#: Positions that one transaction looks at.
BATCH = 2_000


@dataclass(slots=True)
class Taken:
    """How many events lost their bodies, and how many stored bytes those had."""

    events: int = 0
    bytes: int = 0

    def add(self, events: int, size: int) -> None:
        """Count what one transaction took."""
        self.events += events
        self.bytes += size


def take_bodies(
    connection: "psycopg.Connection[Any]", until: int, progress: ShowProgress, *, batch: int = BATCH
) -> Taken:
    """Take the bodies of events up to the position, which a fact has given up; go on where an earlier one ended.

    First of those that were put off before: what held them may be gone.
    """
    taken = Taken()
    _take_waiting(connection, until, taken, batch)
    row = connection.execute(QUERIES["done_to"]).fetchone()
    cursor = int(row[0]) if row else 0
    while cursor < until:
        to = min(cursor + batch, until)
        _take(connection, taken, until=until, after=cursor, to=to, positions=())
        cursor = to
        progress(Progress("bodies", cursor, until))
    return taken


def _take_waiting(connection: "psycopg.Connection[Any]", until: int, taken: Taken, batch: int) -> None:
    after = 0
    while True:
        found = {"after": after, "until": until, "limit": batch}
        positions = [position for (position,) in connection.execute(QUERIES["waiting"], found)]
        if not positions:
            return
        _take(connection, taken, until=until, after=0, to=0, positions=positions)
        after = positions[-1]


def _take(
    connection: "psycopg.Connection[Any]",
    taken: Taken,
    *,
    until: int,
    after: int,
    to: int,
    positions: Sequence[int],
) -> None:
    parameters = {"until": until, "after": after, "to": to, "positions": list(positions)}
    row = connection.execute(QUERIES["take"], parameters).fetchone()
    taken.add(*(row or (0, 0)))


def takeable(connection: "psycopg.Connection[Any]", until: int) -> Taken:
    """Return what a round up to the position would take."""
    row = connection.execute(QUERIES["done_to"]).fetchone()
    after = int(row[0]) if row else 0
    found = connection.execute(QUERIES["takeable"], {"until": until, "after": after}).fetchone()
    return Taken(*(found or (0, 0)))
