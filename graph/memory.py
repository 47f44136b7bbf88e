"""The reference model: the graph in memory, written to be read.

Tests and `verify` hold the adapters against it. It remembers what was observed and derives everything else
anew, each time from the whole.
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import assert_never

from catalog.errors import NotFound
from catalog.keys import DatasetKey, JobKey, NodeId
from catalog.observations import (
    AliasObserved,
    DatasetObserved,
    JobObserved,
    Observation,
    Observed,
    ParentObserved,
    RenameObserved,
    ShapeObserved,
)
from catalog.openlineage.shape import Shape
from graph.bounds import check_bounds, check_most
from graph.digest import graph_digest
from graph.impact_reference import ReferenceImpact, impact
from graph.intervals import Point, coalesce, tile
from graph.mentions import mentions
from graph.model import (
    Direction,
    EdgeKind,
    HeldEdge,
    Impact,
    JobsBeside,
    Lineage,
    Node,
    NodeKind,
    Span,
    Vertex,
    Want,
)
from graph.reference import ReferenceWalk, answer, beside, field_aliases
from graph.steps import ShapeEdge, shape_edges

PointKey = tuple[dt.datetime, uuid.UUID]


class MemoryGraph:
    """A graph store without a database."""

    def __init__(self) -> None:
        self._position = 0
        self._nodes: set[Node] = set()
        # Of each identity the greatest sequence, and what it said.
        self._shapes: dict[JobKey, dict[PointKey, tuple[int, Shape | None]]] = defaultdict(dict)
        self._parents: dict[tuple[JobKey, JobKey], tuple[int, dt.datetime]] = {}
        self._aliases: dict[tuple[DatasetKey, DatasetKey], tuple[int, str, dt.datetime]] = {}
        self._renames: dict[tuple[DatasetKey, DatasetKey], tuple[int, dt.datetime]] = {}

    def apply(self, observations: Sequence[Observation]) -> None:
        """Make the observations true; an older one of the same identity changes nothing."""
        for observation in observations:
            self._nodes.update(mentions(observation.observed))
            self._remember(observation.sequence, observation.observed)
            self._position = max(self._position, observation.position)

    def _remember(self, sequence: int, observed: Observed) -> None:
        match observed:
            case DatasetObserved() | JobObserved():
                pass
            case ShapeObserved(job, at, tiebreak, shape):
                points = self._shapes[job]
                if sequence > points.get((at, tiebreak), (0,))[0]:
                    points[at, tiebreak] = (sequence, shape)
            case ParentObserved(job, parent, since):
                if sequence > self._parents.get((job, parent), (0,))[0]:
                    self._parents[job, parent] = (sequence, since)
            case AliasObserved(dataset, alias, type_, since):
                if sequence > self._aliases.get((dataset, alias), (0,))[0]:
                    self._aliases[dataset, alias] = (sequence, type_, since)
            case RenameObserved(dataset, previous, since):
                if sequence > self._renames.get((dataset, previous), (0,))[0]:
                    self._renames[dataset, previous] = (sequence, since)
            case _:
                assert_never(observed)

    def position(self) -> int:
        """Return the greatest ledger position of what was applied."""
        return self._position

    def nodes(self) -> Iterator[Node]:
        """Give every node once."""
        yield from self._nodes

    def edges(self) -> Iterator[HeldEdge]:
        """Give every edge with its interval once."""
        for job in self._shapes:
            yield from self._job_edges(job)
        for (child, parent), (_, since) in self._parents.items():
            if child != parent:
                yield _whole_edge(EdgeKind.PARENT, child, parent, since)
        for (dataset, alias), (_, type_, since) in self._aliases.items():
            if dataset != alias:
                yield _whole_edge(EdgeKind.ALIAS, dataset, alias, since, type_)
        for (dataset, previous), (_, since) in self._renames.items():
            if dataset != previous:
                ends = Vertex(Node.of(previous)), Vertex(Node.of(dataset))
                yield HeldEdge(EdgeKind.RENAMED, Node.of(dataset), *ends, Span(since, None))

    def _job_edges(self, job: JobKey) -> Iterator[HeldEdge]:
        points = [Point(at, tiebreak, shape) for (at, tiebreak), (_, shape) in self._shapes[job].items()]
        spans: dict[ShapeEdge, list[Span]] = defaultdict(list)
        for span, shape in tile(points):
            for edge in shape_edges(job, shape):
                spans[edge].append(span)
        for edge, held in spans.items():
            for span in coalesce(held):
                yield HeldEdge(edge.kind, Node.of(job), edge.origin, edge.destination, span, edge.type)

    def digest(self) -> bytes:
        """Return 16 bytes that are equal for equal graphs."""
        return graph_digest(self.nodes(), self.edges())

    def resolve(self, node_id: NodeId) -> Node | None:
        """Return the stored node that the id names, that with the longest namespace if there are several."""
        if node_id.kind not in set(NodeKind):
            return None
        candidates = [Node(NodeKind(node_id.kind), *names) for names in node_id.candidates()]
        return next((node for node in candidates if node in self._nodes), None)

    def lineage(
        self,
        node_id: NodeId,
        direction: Direction,
        *,
        depth: int,
        max_nodes: int,
        seconds: float,  # noqa: ARG002 - the model answers at its own pace
        want: Want = Want.IDS,
    ) -> Lineage:
        """Return what lies up- or downstream of the node, nearest first, and whether that is everything."""
        check_bounds(depth, max_nodes)
        start = self.resolve(node_id)
        if start is None:
            raise NotFound(f"expected a stored node, found none with the id {node_id}"[:500])
        current = [edge for edge in self.edges() if edge.span.end is None]
        current += field_aliases(self._nodes, current)
        ways = {
            Direction.UPSTREAM: [Direction.UPSTREAM],
            Direction.DOWNSTREAM: [Direction.DOWNSTREAM],
            Direction.BOTH: [Direction.UPSTREAM, Direction.DOWNSTREAM],
        }[direction]
        walks = [ReferenceWalk(start, current, way, depth) for way in ways]
        return answer(walks, max_nodes=max_nodes, want=want, position=self._position)

    def impact(
        self,
        node_id: NodeId,
        *,
        depth: int,
        max_nodes: int,
        seconds: float,  # noqa: ARG002 - the model answers at its own pace
        want: Want = Want.IDS,
    ) -> Impact:
        """Return what a change of the node may change, nearest first, and whether that is everything."""
        check_bounds(depth, max_nodes)
        start = self.resolve(node_id) or self._unnamed_field(node_id)
        if start is None:
            raise NotFound(f"expected a stored node, found none with the id {node_id}"[:500])
        current = [edge for edge in self.edges() if edge.span.end is None]
        walk = ReferenceImpact(start, self._nodes, current, depth)
        return impact(walk, start, max_nodes=max_nodes, want=want, position=self._position)

    def _unnamed_field(self, node_id: NodeId) -> Node | None:
        """Return a field that is not stored, of a dataset that is."""
        if node_id.kind != NodeKind.FIELD:
            return None
        candidates = [Node(NodeKind.FIELD, *names) for names in node_id.candidates()]
        return next((field for field in candidates if field.dataset in self._nodes), None)

    def jobs_beside(
        self,
        datasets: Sequence[DatasetKey],
        direction: Direction,
        *,
        most: int,
        seconds: float,  # noqa: ARG002 - the model answers at its own pace
    ) -> JobsBeside:
        """Return the jobs that write or read each of the datasets now."""
        check_most(most)
        current = [edge for edge in self.edges() if edge.span.end is None]
        told = {key: beside(Node.of(key), current, direction, most) for key in datasets}
        return JobsBeside(told, self._position)


def _whole_edge(
    kind: EdgeKind,
    child: DatasetKey | JobKey,
    other: DatasetKey | JobKey,
    since: dt.datetime,
    type_: str = "",
) -> HeldEdge:
    origin, destination = Node.of(child), Node.of(other)
    return HeldEdge(kind, origin, Vertex(origin), Vertex(destination), Span(since, None), type_)
