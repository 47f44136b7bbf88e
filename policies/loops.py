"""Loops that documents show: pipelines that would trigger each other without end.

Only datasets that stand in `when` count as read. What a run reads or writes beyond its document cannot be
seen here; such a loop is stopped at run time by the length of its causal chain.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.documents.pipeline import Pipeline
from catalog.keys import DatasetKey
from policies.conditions import from_document, leaves

#: A described loop names at most this many pipelines and datasets.
SHOWN_AT_MOST = 21


@dataclass(frozen=True, slots=True)
class PipelineEdges:
    """What a pipeline waits for and what it writes, as its document says."""

    name: str
    reads: frozenset[DatasetKey]
    writes: frozenset[DatasetKey]

    @classmethod
    def of(cls, name: str, pipeline: Pipeline) -> "PipelineEdges":
        """Return what the document of the pipeline says."""
        return cls(
            name=name,
            reads=frozenset(leaf.key for leaf in leaves(from_document(pipeline.spec.when))),
            writes=frozenset(reference.key for reference in pipeline.spec.produces),
        )


_Node = tuple[str, ...]
"""A pipeline or a dataset: its kind, which keeps the two apart, and its name."""

_Edges = Mapping[_Node, list[_Node]]


def find_loop(
    pipelines: Iterable[PipelineEdges], aliases: Mapping[DatasetKey, DatasetKey] | None = None
) -> list[str] | None:
    """Return a loop as the chain of pipelines and datasets, first and last the same pipeline, or None.

    `aliases` maps a name of a dataset to the one name that stands for all of its names. Of the loops through
    one pipeline the chain is a shortest; the same documents give the same chain in whatever order they come.
    """
    edges = _edges(pipelines, aliases or {})
    start = _on_a_loop(edges)
    return None if start is None else [_shown(node) for node in _shortest_loop(edges, start)]


def _edges(pipelines: Iterable[PipelineEdges], aliases: Mapping[DatasetKey, DatasetKey]) -> _Edges:
    """Return who follows whom; datasets stand between pipelines, so that a hub costs a sum, not a product."""
    edges: defaultdict[_Node, list[_Node]] = defaultdict(list)
    for pipeline in sorted(pipelines, key=lambda pipeline: pipeline.name):
        node = ("pipeline", pipeline.name)
        for key in {aliases.get(key, key) for key in pipeline.reads}:
            edges["dataset", *key].append(node)
        edges[node] = sorted({("dataset", *aliases.get(key, key)) for key in pipeline.writes})
    return dict(edges)


def describe_loop(chain: list[str]) -> str:
    """Return the chain as one line; of a long one its beginning and its end."""
    shown = chain if len(chain) <= SHOWN_AT_MOST else [*chain[: SHOWN_AT_MOST - 5], "…", *chain[-4:]]
    return " -> ".join(shown)


def _shown(node: _Node) -> str:
    match node:
        case ("dataset", namespace, name):
            return DatasetKey(namespace, name).node_id
        case _:
            return node[-1]


def _on_a_loop(edges: _Edges) -> _Node | None:
    """Return the pipeline of smallest name on a loop that a search in order of names meets first."""
    done: set[_Node] = set()
    for root in sorted(node for node in edges if node[0] == "pipeline"):
        chain: list[_Node] = []
        on_chain: set[_Node] = set()
        waiting = [(root, False)]
        while waiting:
            node, leaving = waiting.pop()
            if leaving:
                chain.pop()
                on_chain.discard(node)
                done.add(node)
            elif node in on_chain:
                loop = chain[chain.index(node) :]
                return min(member for member in loop if member[0] == "pipeline")
            elif node not in done:
                chain.append(node)
                on_chain.add(node)
                waiting.append((node, True))
                waiting.extend((follower, False) for follower in reversed(edges.get(node, [])))
    return None


def _shortest_loop(edges: _Edges, start: _Node) -> list[_Node]:
    """Return a shortest way from `start` back to itself, both ends included."""
    came_from: dict[_Node, _Node] = {}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for follower in edges.get(node, []):
            if follower == start:
                way = [start, node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if follower not in came_from:
                came_from[follower] = node
                waiting.append(follower)
    raise AssertionError(f"{start} is on no loop")
