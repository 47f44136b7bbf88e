"""The graph port over PostgreSQL tables."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.keys import DatasetKey, NodeId
from catalog.observations import Observation
from graph.bounds import check_bounds, check_most
from graph.digest import graph_digest
from graph.model import Direction, HeldEdge, Impact, JobsBeside, Lineage, Node, Want
from graph.postgresql.snapshot import open_snapshot
from graph.postgresql.writing import current_generation, write_into
from graph.questions import ask_impact, ask_jobs_beside, ask_lineage
from graph.traversal import Bounds

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
            return ask_lineage(snapshot, node_id, direction, bounds, want)

    def impact(
        self, node_id: NodeId, *, depth: int, max_nodes: int, seconds: float, want: Want = Want.IDS
    ) -> Impact:
        """Return what a change of the node may change, nearest first, and whether that is everything."""
        check_bounds(depth, max_nodes)
        bounds = Bounds(depth, max_nodes, time.monotonic() + seconds)
        with open_snapshot(self._engine) as snapshot:
            return ask_impact(snapshot, node_id, bounds, want)

    def jobs_beside(
        self, datasets: Sequence[DatasetKey], direction: Direction, *, most: int, seconds: float
    ) -> JobsBeside:
        """Return the jobs that write or read each of the datasets now; as many statements however many they are."""
        check_most(most)
        deadline = time.monotonic() + seconds
        with open_snapshot(self._engine) as snapshot:
            return ask_jobs_beside(snapshot, datasets, direction, most=most, deadline=deadline)

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
    write_into(connection, current_generation(connection), observations)
