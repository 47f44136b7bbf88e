"""The rows of one generation in Neo4j, within a transaction that holds its writer."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from catalog.queries import load_cypher
from graph.model import Node, Span
from graph.neo4j.connection import Transaction, ask, ask_rows
from graph.neo4j.instants import instant
from graph.neo4j.schema import LABELS, NUMBER_OF_TYPE, TYPES_OF_NUMBER
from graph.neo4j.vertices import begin_of, place_of, point_of, vertex_of
from graph.rows import EdgeKey, EdgeRow, PointKey, StoredEdge, StoredLink, StoredPoint
from graph.traversal import NODE_BITS, NODE_MASK

QUERIES = load_cypher(Path(__file__).with_name("write.cypher"))

#: Rows in one statement: what the server holds for one grows with them.
ROWS = 5_000

Row = TypeVar("Row")


class CypherRows:
    """One generation; removes relationships by their element ids, which hold within the transaction."""

    def __init__(self, transaction: Transaction, generation: int, following: int) -> None:
        self._transaction = transaction
        self._generation = generation
        #: The number of the next node.
        self.following = following

    def find_nodes(self, keys: Collection[uuid.UUID]) -> Mapping[uuid.UUID, int]:
        """Return the vertices of those keys that are there."""
        found = ask(self._transaction, QUERIES["find_nodes"], keys=[self._key(key) for key in keys])
        return {uuid.UUID(row["key"].partition("/")[2]): row["vertex"] for row in found}

    def add_nodes(self, nodes: Mapping[uuid.UUID, tuple[Node, int | None]]) -> Mapping[uuid.UUID, int]:
        """Add nodes that are not there, each to its dataset where it is a field; return their vertices."""
        # In one order for all, so that writers who wait for each other do not wait in a circle.
        made = {
            key: vertex_of(self._generation, self.following + number)
            for number, key in enumerate(sorted(nodes))
        }
        self.following += len(made)
        rows = [
            {
                "key": self._key(key),
                "label": LABELS[nodes[key][0].kind],
                "properties": _properties(nodes[key][0], vertex),
            }
            for key, vertex in made.items()
        ]
        fields = [
            {"dataset": nodes[key][1], "vertex": vertex}
            for key, vertex in made.items()
            if nodes[key][1] is not None
        ]
        self._write("add_nodes", nodes=rows)
        self._write("add_fields", fields=fields)
        return made

    def links(self, owners: Collection[int]) -> Iterable[StoredLink]:
        """Give the aliases, parents and former names that these nodes own."""
        for row in ask(self._transaction, QUERIES["links"], owners=list(owners)):
            number = NUMBER_OF_TYPE[row["type"]]
            yield StoredLink(row["handle"], number, row["owner"], row["other"], row["sequence"])

    def points(self, windows: Mapping[int, tuple[PointKey, PointKey]]) -> Iterable[StoredPoint]:
        """Give for each job the points of its window, the last before it and the first after it that state a shape."""
        rows = [
            {
                "bottom": begin_of(job),
                "first": place_of(job, first),
                "last": place_of(job, last),
                "top": begin_of(job + 1),
            }
            for job, (first, last) in windows.items()
        ]
        for row in ask(self._transaction, QUERIES["points"], windows=rows):
            yield StoredPoint(*point_of(row["place"]), row["sequence"], row["shape"])

    def job_edges(self, windows: Mapping[int, Span]) -> Iterable[StoredEdge]:
        """Give for each job what its shapes stated, as far as it lies in or touches the window."""
        rows = [{"job": job, "start": window.start, "end": window.end} for job, window in windows.items()]
        for row in ask_rows(self._transaction, QUERIES["job_edges"], windows=rows):
            span = Span(instant(row["validFrom"]), row["validTo"] and instant(row["validTo"]))
            key = EdgeKey(NUMBER_OF_TYPE[row["type"]], row["origin"], row["destination"], row["text"])
            yield StoredEdge(row["handle"], row["owner"], span, key)

    def save_points(self, points: Sequence[StoredPoint]) -> None:
        """Add the points, or replace those with their places."""
        placed = {place_of(point.job, point.key): point for point in points}
        rows = [
            {"place": place, "sequence": point.sequence, "shape": point.shape}
            for place, point in sorted(placed.items())
        ]
        self._write("save_points", points=rows)

    def remove_edges(self, handles: Sequence[str]) -> None:
        """Remove these edges."""
        self._write("remove_edges", handles=handles)

    def add_edges(self, rows: Sequence[EdgeRow]) -> None:
        """Add these edges, and the steps where they end."""
        ends = {vertex for row in rows for vertex in (row.origin, row.destination) if vertex > NODE_MASK}
        steps = [
            {"vertex": vertex, "job": vertex & NODE_MASK, "step": vertex >> NODE_BITS}
            for vertex in sorted(ends)
        ]
        self._write("add_steps", steps=steps)
        edges = sorted(rows, key=lambda row: (row.origin, row.destination))
        self._write("add_edges", edges=[_edge(row) for row in edges])

    def _key(self, key: uuid.UUID) -> str:
        return f"{self._generation}/{key.hex}"

    def _write(self, query: str, **rows: Sequence[object]) -> None:
        ((name, values),) = rows.items()
        for part in _parts(values):
            self._transaction.run(QUERIES[query], {name: part}).consume()


def _properties(node: Node, vertex: int) -> dict[str, Any]:
    return {
        "vertex": vertex,
        "nodeId": node.id,
        "kind": node.kind.value,
        "namespace": node.namespace,
        "name": node.name,
        "field": node.field,
    }


def _edge(row: EdgeRow) -> dict[str, Any]:
    type_ = TYPES_OF_NUMBER[row.kind]
    return {
        "origin": row.origin,
        "destination": row.destination,
        "relationship": type_.now if row.end is None else type_.ended,
        "properties": {
            "owner": row.owner,
            "validFrom": row.start,
            "validTo": row.end,
            "type": row.type,
            "sequence": row.sequence,
        },
    }


def _parts(rows: Sequence[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while part := list(islice(remaining, ROWS)):
        yield part
