"""What stage 1 remembers between batches, because it alone writes it: known entities, shapes, aliases and classes.

Everything here is dropped when a transaction did not commit or when another holder may have worked.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from catalog.openlineage.columns import ColumnLineage
from catalog.openlineage.events import Order

#: Entries of one kind beyond which everything is forgotten; it is read again when it is needed.
MOST_ENTRIES = 200_000
#: Sources of columns beyond which all of them are forgotten.
MOST_COLUMN_SOURCES = 500_000
#: Datasets and jobs beyond which the facets of all are forgotten.
MOST_WITH_FACETS = 20_000


class ShapePoint(NamedTuple):
    """One statement of a job's lineage: when, by whom, and the hash of the shape."""

    at: dt.datetime
    tiebreak: uuid.UUID
    hash: bytes


class FacetRegister(NamedTuple):
    """A facet of a dataset or job: the order of the event that told it, and the digest of its body, None if deleted."""

    order: Order
    digest: bytes | None


@dataclass(slots=True)
class Memory:
    """Caches of rows; absent means unknown, not missing."""

    datasets: set[uuid.UUID] = field(default_factory=set)
    #: The latest shape of each known job, None when it has none.
    jobs: dict[uuid.UUID, ShapePoint | None] = field(default_factory=dict)
    shapes: set[bytes] = field(default_factory=set)
    schemas: set[str] = field(default_factory=set)
    #: Lineage of columns by digest, and how many sources it names in all.
    columns: dict[str, ColumnLineage] = field(default_factory=dict)
    column_sources: int = 0
    #: Facets by name, of datasets and of jobs: their ids differ.
    facets: dict[uuid.UUID, dict[str, FacetRegister]] = field(default_factory=dict)
    facet_bodies: set[bytes] = field(default_factory=set)
    #: First sight of each alias pair and its type then, by dataset; a dataset that stands here has no other pairs.
    aliases: dict[uuid.UUID, dict[uuid.UUID, tuple[dt.datetime, str]]] = field(default_factory=dict)
    #: All names of one dataset, itself among them.
    classes: dict[uuid.UUID, frozenset[uuid.UUID]] = field(default_factory=dict)
    #: First sight of each parent job, by job.
    parents: dict[uuid.UUID, dict[uuid.UUID, dt.datetime]] = field(default_factory=dict)

    def remember_columns(self, digest: str, lineage: ColumnLineage) -> None:
        """Keep a lineage of columns, which is not kept yet."""
        self.columns[digest] = lineage
        self.column_sources += len(lineage)

    def bounded(self) -> "Memory":
        """Return this memory without what has grown too large in it, or an empty one."""
        if self.column_sources > MOST_COLUMN_SOURCES:
            self.columns, self.column_sources = {}, 0
        if len(self.facets) > MOST_WITH_FACETS:
            self.facets = {}
        largest = max(
            len(self.datasets),
            len(self.jobs),
            len(self.shapes),
            len(self.schemas),
            len(self.classes),
            len(self.facet_bodies),
        )
        return Memory() if largest > MOST_ENTRIES else self
