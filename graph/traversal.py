"""The walk over a stored graph, level by level, for adapters that give neighbours of many vertices at once.

What is visited is said declaratively in `graph.reference`; this is the quick form. Vertices are integers: a node's id,
whose low `STEP_BITS` bits are 0, plus the number of a hidden step of the node.
"""

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from graph.model import Direction, EdgeKind, Incomplete

STEP_BITS = 20
NODE_MASK = -1 << STEP_BITS

#: Vertices in one question to the adapter: between two of them the walk looks at its deadline.
SLICE = 20_000


class Neighbours(NamedTuple):
    """What lies one edge away from some vertices, and what an alias away; may repeat vertices."""

    by_edge: Iterable[int]
    by_alias: Iterable[int]


class VertexEdge(NamedTuple):
    """An edge that carries data, as data moves."""

    origin: int
    destination: int
    kind: EdgeKind


class Adjacency(Protocol):
    """What the walk asks of an adapter. `direction` is never BOTH; every answer is of one snapshot."""

    def neighbours(self, vertices: Sequence[int], direction: Direction) -> Neighbours:
        """Return what lies one step from the vertices in the direction."""

    def edges(self, vertices: Sequence[int], direction: Direction) -> list[VertexEdge]:
        """Return the edges that leave (DOWNSTREAM) or enter (UPSTREAM) the vertices, aliases from them."""

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
            if not self._expand():
                return
            if not any(way.beyond for way in self.ways):
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

    def _expand(self) -> bool:
        """Look around everything at this distance, across aliases too; return whether the walk may go on."""
        while any(way.wave for way in self.ways):
            across = []
            for way in self.ways:
                found: set[int] = set()
                for part in slices(way.wave):
                    if self._bounds.over():
                        self.reason = Incomplete.TIME
                        return False
                    by_edge, by_alias = self._adjacency.neighbours(part, way.direction)
                    way.beyond.update(by_edge)
                    found.update(by_alias)
                across.append(found - way.visited)
            if not self._admit(across):
                return False
        for way in self.ways:
            way.beyond -= way.visited
        return True

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
            # Everything before was expanded and all that was found there is visited.
            suspects = way.present if self.reason is Incomplete.DEPTH else way.present | way.before
            for part in slices(suspects):
                for edge in self._adjacency.edges(part, way.direction):
                    here, there = (
                        (edge.origin, edge.destination)
                        if way.direction is Direction.DOWNSTREAM
                        else (edge.destination, edge.origin)
                    )
                    if there not in way.visited:
                        frontier.add(here & NODE_MASK)
        return frontier

    def edges(self) -> set[VertexEdge]:
        """Return the edges between what was visited, of each way for itself."""
        found: set[VertexEdge] = set()
        for way in self.ways:
            for part in slices(way.visited):
                edges = self._adjacency.edges(part, way.direction)
                visited = way.visited
                found.update(edge for edge in edges if edge.origin in visited and edge.destination in visited)
        return found


def slices(vertices: Iterable[int]) -> Iterable[list[int]]:
    """Cut the vertices into lists of at most `SLICE`."""
    remaining = iter(vertices)
    while part := list(itertools.islice(remaining, SLICE)):
        yield part
