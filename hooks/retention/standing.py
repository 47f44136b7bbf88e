"""What is kept of the ledger and what was removed."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import psycopg

from hooks.removed import Removed, read_removed
from hooks.retention.queries import QUERIES


@dataclass(frozen=True, slots=True)
class Standing:
    """How retention stands.

    `removed` is None while no body was given up. Bodies have been taken up to `done_to`: of so many `events` with so
    many stored bytes; `waiting` events up to there keep theirs for the time being.
    """

    removed: Removed | None
    done_to: int
    events: int
    bytes: int
    waiting: int
    checkpoint_until: int | None
    checkpoint_made_at: dt.datetime | None
    checkpoint_bytes: int

    @property
    def unfinished(self) -> bool:
        """Whether a round was ended before its bodies were taken, or its fact told."""
        until = 0 if self.removed is None else self.removed.until
        return self.done_to < until or until < (self.checkpoint_until or 0)


def read_standing(connection: "psycopg.Connection[Any]") -> Standing:
    """Return how retention stands."""
    row = connection.execute(QUERIES["standing"]).fetchone() or (0, 0, 0, 0, None, None, 0)
    return Standing(read_removed(connection), *row)
