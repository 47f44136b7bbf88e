"""The rows of one generation in the tables, within the caller's transaction."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from catalog.errors import HeadwaterError
from catalog.observations import Observation
from catalog.queries import load_queries
from graph.edge_kinds import EDGE_KIND_NUMBERS
from graph.model import EdgeKind, Node, Span
from graph.postgresql.arrays import Ids, ids_cursor
from graph.rows import EdgeKey, EdgeRow, PointKey, StoredEdge, StoredLink, StoredPoint
from graph.writing import write_observations

QUERIES = load_queries(Path(__file__).with_name("write.sql"))

_ALIAS = EDGE_KIND_NUMBERS[EdgeKind.ALIAS]


def current_generation(connection: psycopg.Connection[Any]) -> int:
    """Return the number of the generation that readers use."""
    row = connection.execute(QUERIES["current_generation"]).fetchone()
    if row is None:
        raise HeadwaterError("expected a current generation of the graph, found none: run migrate")
    return int(row[0])


def write_into(
    connection: psycopg.Connection[Any], generation: int, observations: Sequence[Observation]
) -> None:
    """Make the observations true in the generation; an older one of an identity changes nothing.

    The caller's transaction holds the cursor of the generation and commits it together with this.
    """
    write_observations(TableRows(connection, generation), observations)


class TableRows:
    """The tables, of which one generation is written; removes rows by their place (ctid)."""

    def __init__(self, connection: psycopg.Connection[Any], generation: int) -> None:
        self._connection = connection
        self._generation = generation

    def find_nodes(self, keys: Collection[uuid.UUID]) -> Mapping[uuid.UUID, int]:
        """Return the rows of those keys that are there."""
        return dict(self._read("find_nodes", generation=self._generation, keys=list(keys)))

    def add_nodes(self, nodes: Mapping[uuid.UUID, tuple[Node, int | None]]) -> Mapping[uuid.UUID, int]:
        """Add nodes that are not there, each with the row of its dataset where it is a field; return their rows."""
        made = self._read(
            "add_nodes",
            generation=self._generation,
            keys=list(nodes),
            kinds=[node.kind.value for node, _ in nodes.values()],
            namespaces=[node.namespace for node, _ in nodes.values()],
            names=[node.name for node, _ in nodes.values()],
            datasets=[dataset for _, dataset in nodes.values()],
            fields=[node.field or None for node, _ in nodes.values()],
        )
        return dict(made)

    def links(self, owners: Collection[int]) -> Iterable[StoredLink]:
        """Give the aliases, parents and former names that these nodes own."""
        rows = self._connection.execute(QUERIES["links"], {"owners": list(owners)})
        return map(StoredLink._make, rows)

    def points(self, windows: Mapping[int, tuple[PointKey, PointKey]]) -> Iterable[StoredPoint]:
        """Give for each job the points of its window, the last before it and the first after it that state a shape."""
        rows = self._read(
            "points",
            jobs=list(windows),
            first_ats=[first.at for first, _ in windows.values()],
            first_tiebreaks=[first.tiebreak for first, _ in windows.values()],
            last_ats=[last.at for _, last in windows.values()],
            last_tiebreaks=[last.tiebreak for _, last in windows.values()],
        )
        for job, at, tiebreak, sequence, shape in rows:
            yield StoredPoint(job, PointKey(at, tiebreak), sequence, shape)

    def job_edges(self, windows: Mapping[int, Span]) -> Iterable[StoredEdge]:
        """Give for each job what its shapes stated, as far as it lies in or touches the window."""
        rows = self._read(
            "job_edges",
            jobs=list(windows),
            starts=[window.start for window in windows.values()],
            ends=[window.end for window in windows.values()],
        )
        for ctid, owner, start, end, *key in rows:
            yield StoredEdge(ctid, owner, Span(start, end), EdgeKey(*key))

    def save_points(self, points: Sequence[StoredPoint]) -> None:
        """Add the points, or replace those with their places."""
        rows = [(point.job, *point.key, point.sequence, point.shape) for point in points]
        names = ("jobs", "ats", "tiebreaks", "sequences", "shapes")
        columns: Sequence[tuple[Any, ...]] = list(zip(*rows, strict=True))
        parameters = {name: list(column) for name, column in zip(names, columns, strict=True)}
        self._connection.execute(QUERIES["save_points"], parameters)

    def remove_edges(self, handles: Sequence[str]) -> None:
        """Remove these edges."""
        self._connection.execute(QUERIES["remove_edges"], {"ctids": handles})

    def add_edges(self, rows: Sequence[EdgeRow]) -> None:
        """Add these edges; walks go along rows, so what is crossed both ways stands both ways."""
        back = [
            row._replace(origin=row.destination, destination=row.origin) for row in rows if row.kind == _ALIAS
        ]
        names = ("owners", "kinds", "origins", "destinations", "starts", "ends", "types", "sequences")
        columns = zip(*rows, *back, strict=True)
        parameters: dict[str, Any] = {name: list(column) for name, column in zip(names, columns, strict=True)}
        parameters |= {
            name: Ids(parameters[name]) for name in ("owners", "origins", "destinations", "sequences")
        }
        ids_cursor(self._connection).execute(QUERIES["add_edges"], parameters)

    def _read(self, query: str, **parameters: object) -> "psycopg.Cursor[Any]":
        return self._connection.cursor(binary=True).execute(QUERIES[query], parameters)
