"""The graph follower: the observation log into the graph's tables, in the transaction that moves the cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from catalog.forms import GRAPH_FORM
from catalog.observations import STATE_CHANNEL, Observation, decode_observed
from graph.postgresql.store import apply_within

#: Held by the worker that follows; others stand by.
GRAPH_FOLLOWER_LOCK = 0x6865616477_03


@dataclass(frozen=True, slots=True)
class StoredObservation:
    """An observation as the log holds it; reading it may fail, which parks it alone."""

    sequence: int
    position: int
    kind: str
    body: bytes

    def decode(self) -> Observation:
        """Return the observation.

        Raises ValueError, TypeError or LookupError where the body is not of its kind, `NotUnderstood` for a newer kind.
        """
        return Observation(self.sequence, self.position, decode_observed(self.kind, self.body))


class GraphLog:
    """The observation log as the graph follower reads it, and what it does with it."""

    name = "graph"
    form = GRAPH_FORM
    #: The state follower writes the log and announces each of its commits here.
    channel = STATE_CHANNEL

    def read(
        self, connection: psycopg.Connection[Any], *, after: int, limit: int
    ) -> Sequence[StoredObservation]:
        """Return at most `limit` observations after the sequence number, in order."""
        rows = connection.execute(
            "SELECT sequence, position, kind, body FROM observation WHERE sequence > %s ORDER BY sequence LIMIT %s",
            (after, limit),
        ).fetchall()
        return [StoredObservation(*row) for row in rows]

    def apply(
        self, connection: psycopg.Connection[Any], records: Sequence[StoredObservation], *, resumed: bool
    ) -> None:
        """Make the observations true in the graph; nothing is remembered between batches, so `resumed` is the same."""
        del resumed
        apply_within(connection, [record.decode() for record in records])
        connection.execute("SELECT pg_notify('headwater_graph', %s)", (str(records[-1].sequence),))

    def cursor(self, record: StoredObservation) -> int:
        """Return the sequence number of the observation."""
        return record.sequence

    def forget(self) -> None:
        """Nothing is remembered."""
