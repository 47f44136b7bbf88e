"""The jobs next to many datasets, aliases crossed, for adapters that give the edges of many vertices at once."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from catalog.keys import DatasetKey
from graph.model import Beside, Completeness, Direction, EdgeKind, Incomplete, Node
from graph.traversal import NODE_MASK, Adjacency, slices


@dataclass(slots=True)
class Surroundings:
    """What lies around some datasets: of each of them, and of each of their other names, the aliases and the jobs."""

    aliases: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    jobs: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: Whether the time allowed was over before all was seen.
    late: bool = False

    def mentioned(self, datasets: Iterable[int]) -> set[int]:
        """Return the datasets, their other names and the jobs."""
        return set(datasets).union(self.aliases, *self.aliases.values(), *self.jobs.values())

    def names_of(self, dataset: int) -> frozenset[int]:
        """Return the dataset and everything that means the same."""
        found = {dataset}
        waiting = [dataset]
        while waiting:
            new = self.aliases[waiting.pop()] - found
            found |= new
            waiting += new
        return frozenset(found)


def look_around(
    adjacency: Adjacency, datasets: Iterable[int], direction: Direction, deadline: float
) -> Surroundings:
    """Return what lies around the datasets; `direction` is not BOTH, `deadline` in seconds of `time.monotonic`."""
    found = Surroundings()
    wave = set(datasets)
    seen = set(wave)
    while wave:
        beyond: set[int] = set()
        for part in slices(wave):
            if time.monotonic() >= deadline:
                found.late = True
                return found
            edges = adjacency.edges(part, direction)
            down = direction is Direction.DOWNSTREAM
            ends = (edges.origins, edges.destinations) if down else (edges.destinations, edges.origins)
            for here, there, kind in zip(*ends, edges.kinds, strict=True):
                if kind is EdgeKind.ALIAS:
                    found.aliases[here].add(there)
                    beyond.add(there)
                elif kind is not EdgeKind.RENAMED:
                    found.jobs[here].add(there & NODE_MASK)
        wave = beyond - seen
        seen |= wave
    return found


class Telling:
    """Says what lies beside datasets; those that mean the same get the same answer, made once."""

    def __init__(
        self, around: Surroundings, nodes: Mapping[int, Node], *, most: int, parked: set[str] | None
    ) -> None:
        self._around = around
        self._nodes = nodes
        self._most = most
        self._parked = parked
        self._told: dict[frozenset[int], Beside] = {}

    def of(self, dataset: int) -> Beside:
        """Return what lies beside the dataset."""
        names = self._around.names_of(dataset)
        if names not in self._told:
            self._told[names] = self._tell(names)
        return self._told[names]

    def of_unknown(self, key: DatasetKey) -> Beside:
        """Return that nothing lies beside a dataset that is not stored, or that this cannot be said."""
        parked = self._parked is None or key.node_id in self._parked
        return Beside((), Completeness(Incomplete.PARKED, (key.node_id,))) if parked else Beside()

    def _tell(self, names: frozenset[int]) -> Beside:
        rows = {job for name in names for job in self._around.jobs[name]}
        jobs = sorted((self._nodes[row] for row in rows), key=lambda node: node.id)
        kept = tuple(jobs[: self._most])
        left_out = {node.id for node in jobs[self._most :]}
        reason: Incomplete | None = None
        stopped: Iterable[int] = ()
        if self._around.late:
            reason, stopped = Incomplete.TIME, names
        elif left_out:
            reason = Incomplete.NODE_LIMIT
            stopped = (
                name
                for name in names
                if any(self._nodes[job].id in left_out for job in self._around.jobs[name])
            )
        frontier = tuple(sorted(self._nodes[name].id for name in stopped))
        answer = (*sorted(self._nodes[name].id for name in names), *(node.id for node in kept))
        touched = answer if self._parked is None else tuple(id_ for id_ in answer if id_ in self._parked)
        if touched:
            reason, frontier = Incomplete.PARKED, touched
        return Beside(kept, Completeness(reason, frontier))
