"""The graph port over PostgreSQL tables."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from graph.impact_walk import TOUCHED, ImpactAdjacency, ImpactWalk
from graph.model import (
    Direction,
    Edge,
    EdgeKind,
    HeldEdge,
    Impact,
    JobsBeside,
    Lineage,
    Node,
    NodeKind,
    Want,
)
from graph.postgresql.answering import impact_answer, look_up
from graph.postgresql.snapshot import FieldSnapshot, Snapshot, open_snapshot
from graph.postgresql.writing import current_generation, write_observations
from graph.traversal import NODE_MASK, Bounds, Walk

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

    def impact(
        self, node_id: NodeId, *, depth: int, max_nodes: int, seconds: float, want: Want = Want.IDS
    ) -> Impact:
        """Return what a change of the node may change, nearest first, and whether that is everything."""
        check_bounds(depth, max_nodes)
        deadline = time.monotonic() + seconds
        with open_snapshot(self._engine) as snapshot:
            found = snapshot.find(node_id)
            if found is not None:
                start = found.node
                adjacency = ImpactAdjacency(snapshot, start.kind)
                starts = adjacency.begin(snapshot.vertices_of(found), start.kind)
            else:
                unnamed = snapshot.find_dataset_of(node_id) if node_id.kind == NodeKind.FIELD else None
                if unnamed is None:
                    raise NotFound(f"expected a stored node, found none with the id {node_id}"[:500])
                dataset, start = unnamed
                adjacency = ImpactAdjacency(snapshot, start.kind)
                starts = [dataset.id | TOUCHED]
            # The start counts as one node, whatever fields it has.
            further = len({vertex & NODE_MASK for vertex in starts}) - 1
            walk = ImpactWalk(adjacency, starts, Bounds(depth, max_nodes + further, deadline))
            walk.run()
            return impact_answer(snapshot, walk, start, want)

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
    found = look_up(snapshot, walk, with_nodes=Want.NODES in want)
    ordered = [row for level in found.levels for row in level]
    return Lineage(
        node_ids=tuple([found.names[row] for row in ordered]),
        nodes=tuple([found.nodes[row] for row in ordered]) if Want.NODES in want else (),
        edges=_shown(walk.edges(), ordered, found.names) if Want.EDGES in want else (),
        completeness=found.completeness,
        position=snapshot.position,
    )


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
