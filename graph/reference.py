"""The reference walk: what a lineage answer is, said without regard to cost.

Rank: each vertex has the pair (edges walked, aliases crossed since the last edge) of its best path, compared
in this order. A node has the least rank of its vertices.

Limit: the nodes in the order (rank, node id) are kept up to `max_nodes`. A vertex is visited when its node is
kept and its rank is not beyond that of the first node left out.
"""

import datetime as dt
import heapq
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from graph.model import (
    CARRIES_DATA,
    COLUMN_STEPS,
    Beside,
    Completeness,
    Direction,
    Edge,
    EdgeKind,
    HeldEdge,
    Incomplete,
    Lineage,
    Node,
    Span,
    Vertex,
    Want,
)

Rank = tuple[int, int]
START: Rank = (0, 0)


class OfNode(Protocol):
    """What a walk goes through: it is shown as its node."""

    @property
    def node(self) -> Node:
        """The node."""

    def __lt__(self, other: Any, /) -> bool: ...

    def __hash__(self) -> int: ...


Place = TypeVar("Place", bound=OfNode)


class RankedWalk(Generic[Place]):
    """A walk whose ranks are known."""

    #: What lies one step from each place, and whether that costs no distance.
    neighbours: defaultdict[Place, set[tuple[Place, bool]]]
    #: Of everything that is reached.
    ranks: dict[Place, Rank]


class ReferenceWalk(RankedWalk[Vertex]):
    """The ranks of all vertices that one direction reaches within the depth."""

    def __init__(self, start: Node, edges: Collection[HeldEdge], direction: Direction, depth: int) -> None:
        self.edges = [edge for edge in edges if edge.kind in CARRIES_DATA]
        self.neighbours = defaultdict(set)
        for edge in self.edges:
            pair = (edge.origin, edge.destination)
            alias = edge.kind is EdgeKind.ALIAS
            if direction is Direction.DOWNSTREAM or alias:
                self.neighbours[pair[0]].add((pair[1], alias))
            if direction is Direction.UPSTREAM or alias:
                self.neighbours[pair[1]].add((pair[0], alias))
        vertices = {vertex for edge in self.edges for vertex in (edge.origin, edge.destination)}
        # A walk from a job starts at every step of it, but for those between columns.
        steps = {vertex for vertex in vertices if vertex.node == start and vertex.step < COLUMN_STEPS}
        self.ranks = ranked({Vertex(start)} | steps, self.neighbours, depth)


def ranked(
    starts: Collection[Place], neighbours: Mapping[Place, set[tuple[Place, bool]]], depth: int
) -> dict[Place, Rank]:
    """Return the rank of everything within the depth; a neighbour comes with whether it costs no distance."""
    ranks: dict[Place, Rank] = {}
    waiting = [(START, vertex) for vertex in starts]
    heapq.heapify(waiting)
    while waiting:
        rank, vertex = heapq.heappop(waiting)
        if vertex in ranks:
            continue
        ranks[vertex] = rank
        for neighbour, alias in neighbours[vertex]:
            onward = (rank[0], rank[1] + 1) if alias else (rank[0] + 1, 0)
            if onward[0] <= depth:
                heapq.heappush(waiting, (onward, neighbour))
    return ranks


def names_of_datasets(edges: Collection[HeldEdge]) -> dict[Node, set[Node]]:
    """Return for each dataset that has several names all of them."""
    other_names: dict[Node, set[Node]] = defaultdict(set)
    for edge in (edge for edge in edges if edge.kind is EdgeKind.ALIAS):
        here, there = edge.origin.node, edge.destination.node
        joined = {here, there} | other_names[here] | other_names[there]
        for name in joined:
            other_names[name] = joined
    return other_names


def field_aliases(nodes: Collection[Node], edges: Collection[HeldEdge]) -> list[HeldEdge]:
    """Return an alias between every two fields of one name whose datasets are names of one dataset."""
    other_names = names_of_datasets(edges)
    found = []
    for field in (node for node in nodes if node.field):
        others = {Node(field.kind, *name[1:3], field.field) for name in other_names[field.dataset]}
        span = Span(dt.datetime.min.replace(tzinfo=dt.UTC), None)
        found += [
            HeldEdge(EdgeKind.ALIAS, field, Vertex(field), Vertex(other), span)
            for other in others.intersection(nodes)
            if field.id < other.id
        ]
    return found


@dataclass(frozen=True, slots=True)
class Kept(Generic[Place]):
    """What the limit on nodes leaves of walks."""

    #: By distance, then id.
    nodes: list[Node]
    ranks: dict[Node, Rank]
    #: Of each walk what it visits.
    visited: list[set[Place]]
    completeness: Completeness


def keep(walks: Sequence[RankedWalk[Place]], max_nodes: int) -> Kept[Place]:
    """Return what is kept of the walks together, and whether that is everything."""
    ranks: dict[Node, Rank] = {}
    for walk in walks:
        for vertex, rank in walk.ranks.items():
            ranks[vertex.node] = min(rank, ranks.get(vertex.node, rank))
    ordered = sorted(ranks, key=lambda node: (ranks[node], node.id))
    kept, left_out = ordered[:max_nodes], ordered[max_nodes:]
    visited = [_visited(walk, set(kept), ranks[left_out[0]] if left_out else None) for walk in walks]
    frontier: set[Node] = set()
    for walk, seen in zip(walks, visited, strict=True):
        frontier |= {vertex.node for vertex in seen if {there for there, _ in walk.neighbours[vertex]} - seen}
    # By distance, then id: crossing aliases is no distance.
    kept.sort(key=lambda node: (ranks[node][0], node.id))
    reason = None if not frontier else Incomplete.NODE_LIMIT if left_out else Incomplete.DEPTH
    stopped = tuple(node.id for node in sorted(frontier, key=lambda node: (ranks[node][0], node.id)))
    return Kept(kept, ranks, visited, Completeness(reason, stopped))


def answer(walks: Sequence[ReferenceWalk], *, max_nodes: int, want: Want, position: int) -> Lineage:
    """Return the union of the walks, of which at most `max_nodes` nodes are kept."""
    found = keep(walks, max_nodes)
    edges: set[HeldEdge] = set()
    for walk, seen in zip(walks, found.visited, strict=True):
        edges |= {edge for edge in walk.edges if edge.origin in seen and edge.destination in seen}
    return Lineage(
        node_ids=tuple(node.id for node in found.nodes),
        nodes=tuple(found.nodes) if Want.NODES in want else (),
        edges=shown(edges, found.nodes) if Want.EDGES in want else (),
        completeness=found.completeness,
        position=position,
    )


def _visited(walk: RankedWalk[Place], kept: set[Node], bound: Rank | None) -> set[Place]:
    return {
        vertex
        for vertex, rank in walk.ranks.items()
        if vertex.node in kept and (bound is None or rank <= bound)
    }


def shown(edges: Collection[HeldEdge], nodes: Sequence[Node]) -> tuple[Edge, ...]:
    """Return the edges between the nodes as answers show them: in the order of the nodes, each alias once."""
    place = {node: index for index, node in enumerate(nodes)}
    placed = set()
    for edge in edges:
        origin, destination = place[edge.origin.node], place[edge.destination.node]
        if edge.kind is EdgeKind.ALIAS and destination < origin:
            origin, destination = destination, origin
        placed.add((origin, destination, edge.kind))
    return tuple(Edge(nodes[origin].id, nodes[there].id, kind) for origin, there, kind in sorted(placed))


def beside(dataset: Node, edges: Collection[HeldEdge], direction: Direction, most: int) -> Beside:
    """Return the jobs one edge away from any name of the dataset, of which at most `most` are kept."""
    # What is one edge away is what a walk of that depth finds, and it ranks every name of the dataset with no edge.
    of_jobs = [edge for edge in edges if edge.kind is not EdgeKind.RENAMED]
    walk = ReferenceWalk(dataset, of_jobs, direction, 1)
    names = {vertex.node for vertex, rank in walk.ranks.items() if rank[0] == 0}
    jobs = sorted(
        {vertex.node for vertex, rank in walk.ranks.items() if rank[0] == 1}, key=lambda node: node.id
    )
    left_out = set(jobs[most:])
    stopped = sorted(
        name.id
        for name in names
        if any(neighbour.node in left_out for neighbour, _ in walk.neighbours[Vertex(name)])
    )
    reason = Incomplete.NODE_LIMIT if left_out else None
    return Beside(tuple(jobs[:most]), Completeness(reason, tuple(stopped)))
