"""One consistent view of the tables: a read-only transaction in which every question of one answer is asked."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.errors import HeadwaterError
from catalog.keys import DatasetKey, NodeId
from catalog.queries import load_queries
from graph.edge_kinds import EDGE_KINDS
from graph.model import COLUMN_STEPS, Direction, EdgeKind, HeldEdge, Node, NodeKind, Span, Vertex
from graph.parked import read_parked_nodes
from graph.postgresql.arrays import Ids, ids_cursor
from graph.snapshot import Found
from graph.traversal import NODE_BITS, NODE_MASK, Edges, Neighbours

QUERIES = load_queries(Path(__file__).with_name("read.sql"))

#: Rows fetched at a time when everything is read.
STREAM_ROWS = 20_000


class Snapshot:
    """The graph as it stood when the transaction began; also the `Adjacency` of walks over it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._cursor = ids_cursor(connection)
        row = self._cursor.execute(QUERIES["snapshot"], prepare=True).fetchone()
        if row is None or row[3] is None:
            raise HeadwaterError("expected a current generation of the graph, found none: run migrate")
        self.generation: int = row[3]
        #: Sequence of the last observation that is in the graph.
        self.cursor: int = row[4]
        #: Ledger position up to which the graph knows everything.
        self.position: int = row[5]
        self._has_parked: bool = row[6]

    def find(self, node_id: NodeId) -> Found | None:
        """Return the stored node that the id names, that with the longest namespace if there are several."""
        if node_id.kind not in set(NodeKind):
            return None
        candidates = node_id.candidates()
        kind = NodeKind(node_id.kind)
        nodes = [Node(kind, *names) for names in candidates]
        rows = self._all("find", generation=self.generation, keys=[node.key for node in nodes])
        ids = {Node(kind, *names): id_ for id_, *names in rows}
        return next((Found(ids[node], node) for node in nodes if node in ids), None)

    def find_dataset_of(self, node_id: NodeId) -> tuple[Found, Node] | None:
        """Return the stored dataset of a field that is not stored, and the field."""
        fields = [Node(NodeKind.FIELD, *names) for names in node_id.candidates()]
        keys = [field.dataset.key for field in fields]
        rows = self._all("find", generation=self.generation, keys=keys)
        ids = {Node(NodeKind.DATASET, *names): id_ for id_, *names in rows}
        named = (field for field in fields if field.dataset in ids)
        return next(((Found(ids[field.dataset], field.dataset), field) for field in named), None)

    def find_datasets(self, datasets: Iterable[DatasetKey]) -> dict[DatasetKey, int]:
        """Return the rows of those datasets that are stored."""
        rows = self._all("find", generation=self.generation, keys=[key.id for key in set(datasets)])
        return {DatasetKey(namespace, name): id_ for id_, namespace, name, _ in rows}

    def vertices_of(self, found: Found) -> list[int]:
        """Return where a walk from the node starts: at the node and, for a job, at every step of it."""
        if found.node.kind is not NodeKind.JOB:
            return [found.id]
        columns = COLUMN_STEPS << NODE_BITS
        return [
            found.id,
            *(row[0] for row in self._all("steps", id=found.id, mask=NODE_MASK, columns=columns)),
        ]

    def neighbours(self, vertices: Sequence[int], direction: Direction) -> Neighbours:
        """Return what lies one step from the vertices in the direction."""
        by_edge, by_alias = self._one(direction.lower(), vertices=Ids(vertices))
        return Neighbours(by_edge or (), by_alias or ())

    def edges(self, vertices: Sequence[int], direction: Direction) -> Edges:
        """Return the edges that leave or enter the vertices, and their aliases."""
        origins, destinations, kinds = self._one(f"edges_{direction.lower()}", vertices=Ids(vertices))
        return Edges(origins or (), destinations or (), [EDGE_KINDS[kind] for kind in kinds or ()])

    def first_edges(self, vertices: Sequence[int]) -> Edges:
        """Return edges that leave the vertices: to each vertex beyond one of them, and one that is an alias."""
        origins, destinations, aliases = self._one("first_edges", vertices=Ids(vertices))
        # A table's edge is of some kind that costs a distance; which one, a walk does not ask.
        kinds = [EdgeKind.ALIAS if alias else EdgeKind.CONSUMES for alias in aliases or ()]
        return Edges(origins or (), destinations or (), kinds)

    def field_aliases(self, vertices: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return two columns: fields among the vertices, and the same fields by other names of their datasets."""
        return self._pairs("field_aliases", vertices)

    def derivations(self, vertices: Sequence[int]) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        """Return three columns: fields or column steps among the vertices, what is made of them, and by which job."""
        origins, made, owners = self._one("derivations", vertices=Ids(vertices))
        return origins or (), made or (), owners or ()

    def datasets_of(self, fields: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return two columns: fields, and the dataset of each."""
        return self._pairs("datasets_of", fields)

    def fields_of(self, datasets: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return two columns: datasets, and fields of them."""
        return self._pairs("fields_of", datasets)

    def told_columns(self, jobs: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return two columns: jobs, and outputs of them of which they say of what columns they make them."""
        return self._pairs("told_columns", jobs)

    def names(self, nodes: Sequence[int]) -> Mapping[int, str]:
        """Return the node id, as users write it, of each of the nodes."""
        ids, names = self._one("names", ids=Ids(nodes))
        return dict(zip(ids or (), names or (), strict=True))

    def nodes(self, nodes: Sequence[int]) -> Mapping[int, Node]:
        """Return the nodes by the ids of their rows."""
        ids, *columns = self._one("nodes", ids=Ids(nodes))
        kinds = {kind.value: kind for kind in NodeKind}
        rows = zip(ids or (), *(column or () for column in columns), strict=True)
        return {id_: Node(kinds[kind], *names) for id_, kind, *names in rows}

    def parked_nodes(self) -> set[str] | None:
        """Return the node ids that observations and facts name which could not be applied; None as in the protocol."""
        return read_parked_nodes(self._cursor.connection) if self._has_parked else set()

    def all_nodes(self) -> Iterator[Node]:
        """Give every node once."""
        for kind, *names in self.stream("nodes", QUERIES["all_nodes"], generation=self.generation):
            yield Node(NodeKind(kind), *names)

    def all_edges(self) -> Iterator[HeldEdge]:
        """Give every edge with its interval once."""
        for row in self.stream(
            "edges", QUERIES["all_edges"], generation=self.generation, mask=NODE_MASK, shift=NODE_BITS
        ):
            kind, origin_step, destination_step, start, end, type_, *names = row
            owner, origin, destination = (
                Node(NodeKind(names[at]), *names[at + 1 : at + 4]) for at in (0, 4, 8)
            )
            yield HeldEdge(
                EDGE_KINDS[kind],
                owner,
                Vertex(origin, origin_step),
                Vertex(destination, destination_step),
                Span(start, end),
                type_,
            )

    def stream(self, name: str, query: bytes, **parameters: object) -> Iterator[Any]:
        """Give the rows of a query that reads a whole table, some thousands at a time."""
        # The settings that make walks quick do not fit.
        connection = self._cursor.connection
        connection.execute(QUERIES["scan"])
        with connection.cursor(f"headwater_{name}") as cursor:
            cursor.itersize = STREAM_ROWS
            yield from cursor.execute(query, parameters, binary=True)

    def _all(self, query: str, **parameters: object) -> list[Any]:
        return self._cursor.execute(QUERIES[query], parameters, prepare=True).fetchall()

    def _pairs(self, query: str, vertices: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        here, there = self._one(query, vertices=Ids(vertices)) if vertices else ((), ())
        return here or (), there or ()

    def _one(self, query: str, **parameters: object) -> Any:
        return self._cursor.execute(QUERIES[query], parameters, prepare=True).fetchone()


@contextlib.contextmanager
def open_snapshot(engine: Engine) -> Iterator[Snapshot]:
    """Yield a snapshot; raise `DatabaseUnavailable` when the database is away."""
    options = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with translated_errors(), options.connect() as connection:
        raw = driver_connection(connection)
        yield Snapshot(raw)
        # A rollback would make the driver forget every prepared statement of the connection.
        raw.commit()
