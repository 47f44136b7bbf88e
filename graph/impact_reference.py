"""The reference of impact: what a change of a dataset, a job or a field may change, said without regard to cost.

**What is walked.** Four kinds of places, each shown as its node:

- WHOLE, a dataset or a flow of a job: all of it may be affected. From there the walk is that of lineage between tables
  and jobs, and everything that it reaches is WHOLE; what jobs say of columns does not count any more.
- FIELD, a field of a dataset, or the step of a job on which all fields of an output depend: it is affected. It leads
  to every field that a job says it makes of it, at a distance of two, by THROUGH; to the field of the same name under
  every other name of its dataset, at no distance; and to its dataset, TOUCHED, at no distance.
- THROUGH, a job that makes something of one field: it leads to what it makes of that field alone.
- TOUCHED, a dataset some of whose fields are affected, by all of its names, or a flow of a job that reads it. The flow
  leads to each output of which the job does not say of what columns it makes it (no `columns` edge): that output is
  WHOLE. So is a job that is fed without a dataset, and the dataset under the name that it was given later.

**Which jobs a field touches.** Where the start is a field, the columns of an output that a job tells of are all that
this output has to do with the field. So a flow whose outputs are all told of is not reached from TOUCHED; one that
leads to any other output is, and so is one that leads nowhere, since nobody says what it is read for.

**A dataset or a job as the start.** All fields of the dataset, under all of its names, are starts too. Every flow that
reads it is reached, and leads to the outputs that the job tells of as TOUCHED: whoever asks what follows a table gets
everything that lineage knows, with those fields that are made of the start's. A job touches what it writes: outputs
that it does not tell of are WHOLE, and of the others every field that is known is affected.

**Level.** A dataset is marked TABLE where a WHOLE place of it is reached, else COLUMNS: then the fields of it that are
affected are those in the answer, even if there are none. Of a TABLE dataset those fields are affected at any rate.

**Bounds** are those of lineage (`graph.reference`): rank is (edges walked, links of no distance crossed since the last
edge), and nodes in the order (rank, node id) are kept. A dataset that is the start counts as one node with all of its
fields. What has distance 0 is the start itself, and is not repeated in the answer.
"""

from collections import defaultdict
from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from graph.model import (
    COLUMN_STEPS,
    Affected,
    EdgeKind,
    HeldEdge,
    Impact,
    ImpactLevel,
    Node,
    NodeKind,
    Trail,
    Vertex,
    Want,
)
from graph.reference import Rank, RankedWalk, field_aliases, keep, names_of_datasets, ranked


class PlaceKind(StrEnum):
    """In what way a node is affected."""

    WHOLE = "whole"
    TOUCHED = "touched"
    FIELD = "field"
    THROUGH = "through"


class Place(NamedTuple):
    """Where the walk goes."""

    node: Node
    kind: PlaceKind
    step: int = 0
    #: Of THROUGH the node id of the field that goes through the job.
    source: str = ""


class ReferenceImpact(RankedWalk[Place]):
    """The ranks of all places within the depth."""

    def __init__(self, start: Node, nodes: Collection[Node], edges: Collection[HeldEdge], depth: int) -> None:
        self.neighbours = defaultdict(set)
        self._start = start
        self._nodes = set(nodes)
        self._edges = list(edges)
        self._told = {
            (edge.origin.node, edge.destination.node) for edge in edges if edge.kind is EdgeKind.COLUMNS
        }
        for edge in self._edges:
            self._link_tables(edge)
        self._link_fields()
        self.starts = self._starts()
        self.ranks = ranked(self.starts, self.neighbours, depth)

    def _link(self, origin: Place, destination: Place, *, free: bool = False) -> None:
        self.neighbours[origin].add((destination, free))

    def _link_tables(self, edge: HeldEdge) -> None:
        origin, destination = edge.origin, edge.destination
        match edge.kind:
            case EdgeKind.ALIAS:
                for one, other in ((origin, destination), (destination, origin)):
                    self._link(_whole(one), _whole(other), free=True)
                    self._link(_touched(one), _touched(other), free=True)
            case EdgeKind.CONSUMES:
                self._link(_whole(origin), _whole(destination))
                if self._asks_all or self._leads_on(destination):
                    self._link(_touched(origin), _touched(destination))
            case EdgeKind.PRODUCES if self._is_told(edge):
                self._link(_whole(origin), _whole(destination))
                self._link_told_output(origin, destination)
            case EdgeKind.PRODUCES | EdgeKind.FEEDS | EdgeKind.RENAMED:
                self._link(_whole(origin), _whole(destination))
                self._link(_touched(origin), _whole(destination))
            case EdgeKind.DERIVES:
                self._link_derivation(edge)
            case EdgeKind.PARENT | EdgeKind.COLUMNS:
                pass

    def _link_told_output(self, flow: Vertex, output: Vertex) -> None:
        if not self._asks_all:
            return
        self._link(_touched(flow), _touched(output))
        if flow.node == self._start:
            for field in self._fields_of({output.node}):
                self._link(_touched(flow), _field(Vertex(field)))

    def _link_derivation(self, edge: HeldEdge) -> None:
        if edge.origin.node.field and edge.destination.node.field:
            through = Place(edge.owner, PlaceKind.THROUGH, source=edge.origin.node.id)
            self._link(_field(edge.origin), through)
            self._link(through, _field(edge.destination))
        else:
            self._link(_field(edge.origin), _field(edge.destination))

    def _link_fields(self) -> None:
        for field in self._fields():
            self._link(_field(Vertex(field)), _touched(Vertex(field.dataset)), free=True)
        for alias in field_aliases(self._nodes, self._edges):
            self._link(_field(alias.origin), _field(alias.destination), free=True)
            self._link(_field(alias.destination), _field(alias.origin), free=True)

    def _starts(self) -> set[Place]:
        start = self._start
        match start.kind:
            case NodeKind.FIELD if start in self._nodes:
                return {_field(Vertex(start))}
            case NodeKind.FIELD:
                return {_touched(Vertex(start.dataset))}
            case NodeKind.DATASET:
                names = {start} | names_of_datasets(self._edges).get(start, set())
                fields = {_field(Vertex(field)) for field in self._fields_of(names)}
                return {_touched(Vertex(start))} | fields
            case NodeKind.JOB:
                ends = {end for edge in self._edges for end in (edge.origin, edge.destination)}
                steps = {end for end in ends if end.node == start and end.step < COLUMN_STEPS}
                return {_touched(step) for step in {Vertex(start)} | steps}

    @property
    def _asks_all(self) -> bool:
        return self._start.kind is not NodeKind.FIELD

    def _is_told(self, edge: HeldEdge) -> bool:
        return (edge.origin.node, edge.destination.node) in self._told

    def _leads_on(self, step: Vertex) -> bool:
        onward = [
            edge
            for edge in self._edges
            if edge.origin == step and edge.kind in {EdgeKind.PRODUCES, EdgeKind.FEEDS}
        ]
        return not onward or any(edge.kind is EdgeKind.FEEDS or not self._is_told(edge) for edge in onward)

    def _fields(self) -> list[Node]:
        return [node for node in self._nodes if node.kind is NodeKind.FIELD]

    def _fields_of(self, datasets: Collection[Node]) -> list[Node]:
        return [field for field in self._fields() if field.dataset in datasets]


def impact(walk: ReferenceImpact, start: Node, *, max_nodes: int, want: Want, position: int) -> Impact:
    """Return what the walk reaches, of which at most `max_nodes` nodes are kept."""
    kept = keep([walk], max_nodes + len({place.node for place in walk.starts}) - 1)
    [visited] = kept.visited
    whole = {place.node for place in visited if place.kind is PlaceKind.WHOLE}
    nodes = [node for node in kept.nodes if kept.ranks[node][0] > 0]
    trail, steps = _trail(walk, nodes) if Want.PATHS in want else (Trail(), [-1] * len(nodes))
    levels = {True: ImpactLevel.TABLE, False: ImpactLevel.COLUMNS}
    affected = [
        Affected(
            node.id,
            node.kind,
            kept.ranks[node][0],
            levels[node in whole] if node.kind is NodeKind.DATASET else None,
            step,
        )
        for node, step in zip(nodes, steps, strict=True)
    ]
    return Impact(
        start=start,
        affected=tuple(affected),
        nodes=tuple(nodes) if Want.NODES in want else (),
        trail=trail,
        completeness=kept.completeness,
        position=position,
    )


def _trail(walk: ReferenceImpact, nodes: Collection[Node]) -> tuple[Trail, list[int]]:
    node_ids: list[str] = []
    before: list[int] = []
    ends = []
    for node in nodes:
        path = _shortest_path(walk, node)
        before += [-1, *range(len(node_ids), len(node_ids) + len(path) - 1)]
        node_ids += [place.node.id for place in path]
        ends.append(len(node_ids) - 1)
    return Trail(tuple(node_ids), tuple(before)), ends


def _shortest_path(walk: ReferenceImpact, node: Node) -> list[Place]:
    path = [min((rank, place) for place, rank in walk.ranks.items() if place.node == node)[1]]
    while path[-1] not in walk.starts:
        path.append(
            min(
                (walk.ranks[place], place)
                for place in walk.ranks
                for there, free in walk.neighbours[place]
                if there == path[-1] and _onward(walk.ranks[place], free=free) == walk.ranks[there]
            )[1]
        )
    return path[::-1]


def _onward(rank: Rank, *, free: bool) -> Rank:
    return (rank[0], rank[1] + 1) if free else (rank[0] + 1, 0)


def _whole(vertex: Vertex) -> Place:
    return Place(vertex.node, PlaceKind.WHOLE, vertex.step)


def _touched(vertex: Vertex) -> Place:
    return Place(vertex.node, PlaceKind.TOUCHED, vertex.step)


def _field(vertex: Vertex) -> Place:
    return Place(vertex.node, PlaceKind.FIELD, vertex.step)
