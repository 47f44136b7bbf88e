"""The observation log, from which the graph follows."""

from dataclasses import dataclass, field
from typing import Any

import psycopg

from catalog.observations import Observed, encode_observed
from hooks.observing.queries import QUERIES


@dataclass(slots=True)
class Observations:
    """What this batch adds to the log, in order."""

    connection: psycopg.Connection[Any]
    _new: list[tuple[int, str, bytes]] = field(default_factory=list)

    def add(self, observed: Observed, position: int) -> None:
        """Add to the log."""
        self._new.append((position, *encode_observed(observed)))

    def flush(self) -> None:
        """Write what was added."""
        if self._new:
            self.connection.execute(
                QUERIES["save_observations"],
                {
                    "positions": [row[0] for row in self._new],
                    "kinds": [row[1] for row in self._new],
                    "bodies": [row[2] for row in self._new],
                },
            )
