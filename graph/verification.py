"""Law 3 as a check: the stored graph against the reference model that is made from the same observations."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from catalog.observations import Observation
from graph.digest import edge_digest, fold, node_digest
from graph.memory import MemoryGraph
from graph.model import HeldEdge, Node, Vertex

#: Differences that are told in words; the rest is counted.
TOLD = 20
BATCH = 5_000

Part = TypeVar("Part", Node, HeldEdge)


@dataclass(frozen=True, slots=True)
class Verification:
    """What the comparison found: counts of the stored graph, and what it lacks or has too much, the first in words."""

    nodes: int
    edges: int
    digest: bytes
    expected_digest: bytes
    missing: int
    surplus: int
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the stored graph is the one that the observations make."""
        return not self.missing and not self.surplus


@dataclass(slots=True)
class _Comparison:
    found: int
    digest: bytes
    expected_digest: bytes
    missing: int
    surplus: int
    differences: list[str]


def verify(
    observations: Iterable[Observation], nodes: Iterable[Node], edges: Iterable[HeldEdge]
) -> Verification:
    """Compare a stored graph with what the observations make of the reference model.

    Keeps the model in memory: about 5 KiB for each job of six edges.
    """
    model = MemoryGraph()
    remaining = iter(observations)
    while batch := list(itertools.islice(remaining, BATCH)):
        model.apply(batch)
    by_node = _compare(model.nodes, nodes, node_digest, lambda node: f"node {node.id}")
    by_edge = _compare(model.edges, edges, edge_digest, describe_edge)
    return Verification(
        nodes=by_node.found,
        edges=by_edge.found,
        digest=fold([by_node.digest, by_edge.digest]),
        expected_digest=fold([by_node.expected_digest, by_edge.expected_digest]),
        missing=by_node.missing + by_edge.missing,
        surplus=by_node.surplus + by_edge.surplus,
        differences=(*by_node.differences, *by_edge.differences)[:TOLD],
    )


def _compare(
    expected: Callable[[], Iterator[Part]],
    stored: Iterable[Part],
    digest: Callable[[Part], bytes],
    describe: Callable[[Part], str],
) -> _Comparison:
    """Compare by digests, which are smaller than what they stand for."""
    wanted = {digest(part) for part in expected()}
    missing = set(wanted)
    total: list[bytes] = []
    surplus: list[str] = []
    surplus_count = found = 0
    for part in stored:
        found += 1
        key = digest(part)
        total.append(key)
        if key in missing:
            missing.remove(key)
            continue
        surplus_count += 1
        if len(surplus) < TOLD:
            surplus.append(f"surplus: {describe(part)}")
    lacking = (f"missing: {describe(part)}" for part in expected() if digest(part) in missing)
    told = sorted(itertools.islice(lacking, TOLD)) if missing else []
    return _Comparison(found, fold(total), fold(wanted), len(missing), surplus_count, told + sorted(surplus))


def describe_edge(edge: HeldEdge) -> str:
    """Return the edge in words."""
    end = "now" if edge.span.end is None else edge.span.end.isoformat()
    ends = f"{_describe_vertex(edge.origin)} {edge.kind} {_describe_vertex(edge.destination)}"
    return f"edge {ends} from {edge.span.start.isoformat()} to {end}"


def _describe_vertex(vertex: Vertex) -> str:
    return f"{vertex.node.id}, step {vertex.step}," if vertex.step else vertex.node.id
