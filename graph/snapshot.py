"""One consistent view of a stored graph: what every adapter gives, and all that answers are made from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from catalog.keys import DatasetKey, NodeId
from graph.impact_walk import ImpactSource
from graph.model import Direction, EdgeKind, Node
from graph.traversal import Edges, Neighbours


class Found(NamedTuple):
    """A stored node and its row."""

    id: int
    node: Node


class Snapshot(ImpactSource, Protocol):
    """The graph as it stood at one instant; also the `Adjacency` of walks over it."""

    @property
    def position(self) -> int:
        """Ledger position up to which the graph knows everything."""

    def find(self, node_id: NodeId) -> Found | None:
        """Return the stored node that the id names, that with the longest namespace if there are several."""

    def find_dataset_of(self, node_id: NodeId) -> tuple[Found, Node] | None:
        """Return the stored dataset of a field that is not stored, and the field."""

    def find_datasets(self, datasets: Iterable[DatasetKey]) -> Mapping[DatasetKey, int]:
        """Return the rows of those datasets that are stored."""

    def vertices_of(self, found: Found) -> list[int]:
        """Return where a walk from the node starts: at the node and, for a job, at every step of it."""

    def nodes(self, nodes: Sequence[int]) -> Mapping[int, Node]:
        """Return the nodes by the ids of their rows."""

    def parked_nodes(self) -> set[str] | None:
        """Return the node ids that observations and facts name which could not be applied.

        None where one of them cannot be read, or where there are too many to read them for an answer.
        """


class FieldSnapshot:
    """The snapshot for walks between fields, which cross from one name of a dataset to another as datasets do."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.names = snapshot.names

    def neighbours(self, vertices: Sequence[int], direction: Direction) -> Neighbours:
        """Return what lies one step from the vertices in the direction."""
        by_edge, _ = self._snapshot.neighbours(vertices, direction)
        return Neighbours(by_edge, self._snapshot.field_aliases(vertices)[1])

    def edges(self, vertices: Sequence[int], direction: Direction) -> Edges:
        """Return the edges that leave or enter the vertices, and their aliases."""
        origins, destinations, kinds = self._snapshot.edges(vertices, direction)
        here, there = self._snapshot.field_aliases(vertices)
        if direction is Direction.UPSTREAM:
            here, there = there, here
        return Edges([*origins, *here], [*destinations, *there], [*kinds, *[EdgeKind.ALIAS] * len(here)])
