"""What stage 1 remembers between batches, because it alone writes it: known entities, shapes, aliases and classes.

Everything here is dropped when a transaction did not commit or when another holder may have worked.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

#: Entries of one kind beyond which everything is forgotten; it is read again when it is needed.
MOST_ENTRIES = 200_000


class ShapePoint(NamedTuple):
    """One statement of a job's lineage: when, by whom, and the hash of the shape."""

    at: dt.datetime
    tiebreak: uuid.UUID
    hash: bytes


@dataclass(slots=True)
class Memory:
    """Caches of rows; absent means unknown, not missing."""

    datasets: set[uuid.UUID] = field(default_factory=set)
    #: The latest shape of each known job, None when it has none.
    jobs: dict[uuid.UUID, ShapePoint | None] = field(default_factory=dict)
    shapes: set[bytes] = field(default_factory=set)
    schemas: set[str] = field(default_factory=set)
    #: First sight of each alias pair and its type then, by dataset; a dataset that stands here has no other pairs.
    aliases: dict[uuid.UUID, dict[uuid.UUID, tuple[dt.datetime, str]]] = field(default_factory=dict)
    #: All names of one dataset, itself among them.
    classes: dict[uuid.UUID, frozenset[uuid.UUID]] = field(default_factory=dict)
    #: First sight of each parent job, by job.
    parents: dict[uuid.UUID, dict[uuid.UUID, dt.datetime]] = field(default_factory=dict)

    def bounded(self) -> "Memory":
        """Return this memory, or an empty one when it has grown too large."""
        largest = max(
            len(self.datasets), len(self.jobs), len(self.shapes), len(self.schemas), len(self.classes)
        )
        return Memory() if largest > MOST_ENTRIES else self
