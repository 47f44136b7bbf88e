"""Rows of a stored graph as they are read and written, and what a store does with those of one generation."""

import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from graph.model import Span
from graph.node_rows import NodeTable


class EdgeRow(NamedTuple):
    """One interval of one edge, between vertices; its kind as in `graph.edge_kinds`."""

    owner: int
    kind: int
    origin: int
    destination: int
    start: dt.datetime
    end: dt.datetime | None
    type: str = ""
    sequence: int = 0


class EdgeKey(NamedTuple):
    """What edges of one owner differ by."""

    kind: int
    origin: int
    destination: int
    type: str


class StoredEdge(NamedTuple):
    """One interval of an edge that a job's shapes stated; `handle` is by what the store removes it."""

    handle: str
    owner: int
    span: Span
    key: EdgeKey


class StoredLink(NamedTuple):
    """An alias, a parent or a former name; where it takes several rows, each is told."""

    handle: str
    kind: int
    owner: int
    other: int
    sequence: int


class PointKey(NamedTuple):
    """The place of a point in the history of a job."""

    at: dt.datetime
    tiebreak: uuid.UUID


class StoredPoint(NamedTuple):
    """A point of a job's history; of a withdrawn one there is no shape."""

    job: int
    key: PointKey
    sequence: int
    shape: bytes | None


class GraphRows(NodeTable, Protocol):
    """The rows of one generation within one transaction, whose writer is the only one."""

    def links(self, owners: Collection[int]) -> Iterable[StoredLink]:
        """Give the aliases, parents and former names that these nodes own."""

    def points(self, windows: Mapping[int, tuple[PointKey, PointKey]]) -> Iterable[StoredPoint]:
        """Give for each job the points of its window, the last before it and the first after it that state a shape."""

    def job_edges(self, windows: Mapping[int, Span]) -> Iterable[StoredEdge]:
        """Give for each job what its shapes stated, as far as it lies in or touches the window."""

    def save_points(self, points: Sequence[StoredPoint]) -> None:
        """Add the points, or replace those with their places."""

    def remove_edges(self, handles: Sequence[str]) -> None:
        """Remove these edges."""

    def add_edges(self, rows: Sequence[EdgeRow]) -> None:
        """Add these edges."""
