"""The walk over a stored graph, level by level, for adapters that give neighbours of many vertices at once.

What is visited is said declaratively in `graph.reference`; this is the quick form. Vertices are integers: the id of a
node, and above its bits the number of a hidden step of it. (The other way round sets would be slow: Python finds the
place of an integer by its low bits.)
"""

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from graph.model import Direction, EdgeKind, Incomplete

#: Ids of nodes are below 2 to this power, numbers of steps below 2 to what is left of 63.
NODE_BITS = 43
NODE_MASK = (1 << NODE_BITS) - 1
STEPS = 1 << (63 - NODE_BITS)

#: Vertices in one question to the adapter: between two of them the walk looks at its deadline.
SLICE = 20_000


class Neighbours(NamedTuple):
    """What lies one edge away from some vertices, and what an alias away; may repeat vertices."""

    by_edge: Iterable[int]
    by_alias: Iterable[int]


class Edges(NamedTuple):
    """Edges that carry data, as data moves; columns, because they come by the hundred thousand."""

    origins: Sequence[int]
    destinations: Sequence[int]
    kinds: Sequence[EdgeKind]


class Adjacency(Protocol):
    """What the walk asks of an adapter. `direction` is never BOTH; every answer is of one snapshot."""

    def neighbours(self, vertices: Sequence[int], direction: Direction) -> Neighbours:
        """Return what lies one step from the vertices in the direction."""

    def edges(self, vertices: Sequence[int], direction: Direction) -> Edges:
        """Return the edges that leave (DOWNSTREAM) or enter (UPSTREAM) the vertices, and their aliases."""

    def names(self, nodes: Sequence[int]) -> Mapping[int, str]:
        """Return the node id, as users write it, of each of the nodes."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a walk may go; `deadline` in seconds of `time.monotonic`."""

    depth: int
    max_nodes: int
    deadline: float

    def over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self.deadline


@dataclass(slots=True)
class Way:
    """The walk in one direction."""

    direction: Direction
    visited: set[int] = field(default_factory=set)
    #: Visited, not yet expanded.
    wave: set[int] = field(default_factory=set)
    #: One edge beyond the present distance, not admitted yet.
    beyond: set[int] = field(default_factory=set)
    #: Visited at the present distance and at the one before it: only beyond them something can be left out.
    present: set[int] = field(default_factory=set)
    before: set[int] = field(default_factory=set)
    #: Of everything at the last distance.
    last_edges: list[Edges] = field(default_factory=list)

    def sides(self, edges: Edges) -> tuple[Sequence[int], Sequence[int]]:
        """Return the near and the far ends of the edges."""
        if self.direction is Direction.DOWNSTREAM:
            return edges.origins, edges.destinations
        return edges.destinations, edges.origins

    def left_out(self, edges: Edges) -> Iterable[int]:
        """Give the vertices at the far ends of whose edges something lies that was not visited."""
        visited = self.visited
        return (here for here, there in zip(*self.sides(edges), strict=True) if there not in visited)


class Walk:
    """A walk up, down or both ways from one node; `run` once, then read what was found."""

    def __init__(
        self, adjacency: Adjacency, starts: Iterable[int], direction: Direction, bounds: Bounds
    ) -> None:
        self._adjacency = adjacency
        self._bounds = bounds
        self._starts = frozenset(starts)
        directions = (
            [Direction.UPSTREAM, Direction.DOWNSTREAM] if direction is Direction.BOTH else [direction]
        )
        self.ways = [Way(direction) for direction in directions]
        #: Found nodes by distance.
        self.levels: list[list[int]] = []
        self.reason: Incomplete | None = None
        self._shown: set[int] = set()

    def run(self) -> None:
        """Walk until nothing is left, or a bound is met; `reason` says which."""
        self.levels.append([])
        self._admit([self._starts for _ in self.ways])
        for distance in itertools.count():
            if not self._expand(last=distance == self._bounds.depth) or not any(
                way.beyond for way in self.ways
            ):
                return
            if distance == self._bounds.depth:
                self.reason = Incomplete.DEPTH
                return
            self.levels.append([])
            candidates = [way.beyond for way in self.ways]
            for way in self.ways:
                way.before, way.present, way.beyond = way.present, set(), set()
            if not self._admit(candidates):
                return

    def _expand(self, *, last: bool) -> bool:
        """Look around everything at this distance, across aliases too; return whether the walk may go on."""
        while any(way.wave for way in self.ways):
            across = []
            for way in self.ways:
                found: set[int] = set()
                for part in slices(way.wave):
                    if self._bounds.over():
                        self.reason = Incomplete.TIME
                        return False
                    by_edge, by_alias = self._look(way, part, last=last)
                    way.beyond.update(by_edge)
                    found.update(by_alias)
                across.append(found - way.visited)
            if not self._admit(across):
                return False
        for way in self.ways:
            way.beyond -= way.visited
        return True

    def _look(self, way: Way, part: Sequence[int], *, last: bool) -> Neighbours:
        if not last:
            return self._adjacency.neighbours(part, way.direction)
        # What is left out beyond the last distance has to be told, and only edges say of which vertex.
        edges = self._adjacency.edges(part, way.direction)
        way.last_edges.append(edges)
        _, there = way.sides(edges)
        aliases = [vertex for vertex, kind in zip(there, edges.kinds, strict=True) if kind is EdgeKind.ALIAS]
        return Neighbours(set(there).difference(aliases), aliases)

    def _admit(self, candidates: Sequence[Iterable[int]]) -> bool:
        """Visit the candidates of each way, as far as the number of nodes allows; return whether all found room."""
        new = {vertex & NODE_MASK for found in candidates for vertex in found} - self._shown
        room = self._bounds.max_nodes - len(self._shown)
        enough = len(new) <= room
        if not enough:
            names = self._adjacency.names(list(new))
            new = set(sorted(new, key=names.__getitem__)[:room])
            self.reason = Incomplete.NODE_LIMIT
        self._shown |= new
        self.levels[-1] += new
        for way, found in zip(self.ways, candidates, strict=True):
            wave = set(found) if enough else {vertex for vertex in found if vertex & NODE_MASK in self._shown}
            way.wave = wave
            way.present |= wave
            way.visited |= wave
        return enough

    def stopped_at(self) -> set[int]:
        """Return the nodes beyond which something lies that the walk did not visit (where time is over: may lie)."""
        if self.reason is None:
            return set()
        if self._bounds.over():
            self.reason = Incomplete.TIME
        if self.reason is Incomplete.TIME:
            return {vertex & NODE_MASK for way in self.ways for vertex in way.present}
        frontier: set[int] = set()
        for way in self.ways:
            if self.reason is Incomplete.DEPTH:
                edges: Iterable[Edges] = way.last_edges
            else:
                # Whatever lies two levels back was expanded, and all that was found there was admitted.
                suspects = slices(way.present | way.before)
                edges = (self._adjacency.edges(part, way.direction) for part in suspects)
            for each in edges:
                frontier.update(way.left_out(each))
        return {vertex & NODE_MASK for vertex in frontier}

    def edges(self) -> set[tuple[int, int, EdgeKind]]:
        """Return the edges between nodes whose two ends a way visited."""
        found: set[tuple[int, int, EdgeKind]] = set()
        for way in self.ways:
            for part in slices(way.visited):
                edges = self._adjacency.edges(part, way.direction)
                # The near ends are what was asked about. No function of ours is called for each of many thousand edges.
                _, there = way.sides(edges)
                found.update(
                    itertools.compress(zip(*edges, strict=True), map(way.visited.__contains__, there))
                )
        if all(vertex <= NODE_MASK for way in self.ways for vertex in way.visited):
            return found
        return {(origin & NODE_MASK, destination & NODE_MASK, kind) for origin, destination, kind in found}


def slices(vertices: Iterable[int]) -> Iterable[list[int]]:
    """Cut the vertices into lists of at most `SLICE`."""
    remaining = iter(vertices)
    while part := list(itertools.islice(remaining, SLICE)):
        yield part
