"""The graph port over PostgreSQL tables."""

import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.errors import NotFound
from catalog.keys import DatasetKey, NodeId
from catalog.observations import Observation
from graph.beside import Telling, look_around
from graph.bounds import check_bounds, check_most
from graph.digest import graph_digest
from graph.model import (
    Completeness,
    Direction,
    Edge,
    EdgeKind,
    HeldEdge,
    Incomplete,
    JobsBeside,
    Lineage,
    Node,
    NodeKind,
    Want,
)
from graph.postgresql.snapshot import FieldSnapshot, Snapshot, open_snapshot
from graph.postgresql.writing import current_generation, write_observations
from graph.traversal import Bounds, Walk

FOLLOWER = "graph"


class PostgresqlGraph:
    """A graph store in the tables of the current generation."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def apply(self, observations: Sequence[Observation]) -> None:
        """Make the observations true and move the cursor to the last of them, in one transaction."""
        with translated_errors(), self._engine.begin() as connection:
            raw = driver_connection(connection)
            raw.execute("SELECT FROM follower WHERE name = %s FOR UPDATE", (FOLLOWER,))
            apply_within(raw, observations)
            last = max((observation.sequence for observation in observations), default=0)
            raw.execute(
                "UPDATE follower SET position = greatest(position, %s) WHERE name = %s", (last, FOLLOWER)
            )

    def position(self) -> int:
        """Return the ledger position up to which the graph knows everything."""
        with open_snapshot(self._engine) as snapshot:
            return snapshot.position

    def resolve(self, node_id: NodeId) -> Node | None:
        """Return the stored node that the id names, that with the longest namespace if there are several."""
        with open_snapshot(self._engine) as snapshot:
            found = snapshot.find(node_id)
        return None if found is None else found.node

    def lineage(
        self,
        node_id: NodeId,
        direction: Direction,
        *,
        depth: int,
        max_nodes: int,
        seconds: float,
        want: Want = Want.IDS,
    ) -> Lineage:
        """Return what lies up- or downstream of the node, nearest first, and whether that is everything."""
        check_bounds(depth, max_nodes)
        bounds = Bounds(depth, max_nodes, time.monotonic() + seconds)
        with open_snapshot(self._engine) as snapshot:
            found = snapshot.find(node_id)
            if found is None:
                raise NotFound(f"expected a stored node, found none with the id {node_id}"[:500])
            adjacency = FieldSnapshot(snapshot) if found.node.kind is NodeKind.FIELD else snapshot
            walk = Walk(adjacency, snapshot.vertices_of(found), direction, bounds)
            walk.run()
            return _answer(snapshot, walk, want)

    def jobs_beside(
        self, datasets: Sequence[DatasetKey], direction: Direction, *, most: int, seconds: float
    ) -> JobsBeside:
        """Return the jobs that write or read each of the datasets now; as many statements however many they are."""
        check_most(most)
        deadline = time.monotonic() + seconds
        with open_snapshot(self._engine) as snapshot:
            rows = snapshot.find_datasets(datasets)
            around = look_around(snapshot, rows.values(), direction, deadline)
            nodes = snapshot.nodes([*around.mentioned(rows.values())])
            telling = Telling(around, nodes, most=most, parked=snapshot.parked_nodes())
            told = {
                key: telling.of(rows[key]) if key in rows else telling.of_unknown(key) for key in datasets
            }
            return JobsBeside(told, snapshot.position)

    def nodes(self) -> Iterator[Node]:
        """Give every node once."""
        with open_snapshot(self._engine) as snapshot:
            yield from snapshot.all_nodes()

    def edges(self) -> Iterator[HeldEdge]:
        """Give every edge with its interval once."""
        with open_snapshot(self._engine) as snapshot:
            yield from snapshot.all_edges()

    def digest(self) -> bytes:
        """Return 16 bytes that are equal for equal graphs."""
        with open_snapshot(self._engine) as snapshot:
            return graph_digest(snapshot.all_nodes(), snapshot.all_edges())


def apply_within(connection: psycopg.Connection[Any], observations: Sequence[Observation]) -> None:
    """Make the observations true in the transaction of the caller, who holds the graph's cursor and moves it."""
    write_observations(connection, current_generation(connection), observations)


def _answer(snapshot: Snapshot, walk: Walk, want: Want) -> Lineage:
    stopped = walk.stopped_at()
    rows = [row for level in walk.levels for row in level]
    parked = snapshot.parked_nodes()
    # What is parked names datasets and jobs; that a field is of one of them only its node tells.
    nodes = snapshot.nodes(rows) if Want.NODES in want or parked else {}
    names = {row: node.id for row, node in nodes.items()} if nodes else snapshot.names(rows)
    ordered = [row for level in walk.levels for row in sorted(level, key=names.__getitem__)]
    frontier = tuple(names[row] for row in ordered if row in stopped) if stopped else ()
    node_ids = tuple([names[row] for row in ordered])
    completeness = Completeness(walk.reason, frontier)
    touched = (
        node_ids if parked is None else tuple([names[row] for row in ordered if _is_in(row, nodes, parked)])
    )
    if touched:
        completeness = Completeness(Incomplete.PARKED, touched)
    return Lineage(
        node_ids=node_ids,
        nodes=tuple([nodes[row] for row in ordered]) if Want.NODES in want else (),
        edges=_shown(walk.edges(), ordered, names) if Want.EDGES in want else (),
        completeness=completeness,
        position=snapshot.position,
    )


def _is_in(row: int, nodes: Mapping[int, Node], parked: Container[str]) -> bool:
    """Return whether the node, or the dataset of the field, is one of the parked."""
    node = nodes.get(row)
    return node is not None and (node.id in parked or (bool(node.field) and node.dataset.id in parked))


def _shown(
    edges: Iterable[tuple[int, int, EdgeKind]], ordered: Sequence[int], names: Mapping[int, str]
) -> tuple[Edge, ...]:
    """Return the edges in the order of their nodes, each alias once."""
    place = {row: index for index, row in enumerate(ordered)}
    placed = [(place[origin], place[destination], kind) for origin, destination, kind in edges]
    node_ids = [names[row] for row in ordered]
    once = (edge for edge in placed if edge[2] is not EdgeKind.ALIAS or edge[0] < edge[1])
    return tuple(
        [Edge(node_ids[origin], node_ids[destination], kind) for origin, destination, kind in sorted(once)]
    )
