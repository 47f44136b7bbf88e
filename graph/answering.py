"""From the rows that a walk found to the answer: their names, in order, and whether that is everything."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from graph.impact_walk import ImpactWalk
from graph.model import (
    Affected,
    Completeness,
    Edge,
    EdgeKind,
    Impact,
    ImpactLevel,
    Incomplete,
    Lineage,
    Node,
    NodeKind,
    Trail,
    Want,
)
from graph.snapshot import Snapshot
from graph.traversal import Walk

#: By what a node id begins with.
_KINDS = {kind.value: kind for kind in NodeKind}


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk found, with names."""

    #: Rows by distance, in the order of their node ids.
    levels: list[list[int]]
    names: Mapping[int, str]
    #: Empty unless they were asked for.
    nodes: Mapping[int, Node]
    completeness: Completeness


def look_up(snapshot: Snapshot, walk: Walk, *, with_nodes: bool) -> Found:
    """Return what the walk found, in order, and whether that is everything."""
    stopped = walk.stopped_at()
    rows = [row for level in walk.levels for row in level]
    parked = snapshot.parked_nodes()
    # What is parked names datasets and jobs; that a field is of one of them only its node tells.
    nodes = snapshot.nodes(rows) if with_nodes or parked else {}
    names = {row: node.id for row, node in nodes.items()} if nodes else snapshot.names(rows)
    levels = [sorted(level, key=names.__getitem__) for level in walk.levels]
    ordered = [row for level in levels for row in level]
    frontier = tuple(names[row] for row in ordered if row in stopped) if stopped else ()
    completeness = Completeness(walk.reason, frontier)
    touched: list[str] = []
    if parked is None:
        touched = [names[row] for row in ordered]
    elif parked:
        touched = [names[row] for row in ordered if _is_in(row, nodes, parked)]
    if touched:
        completeness = Completeness(Incomplete.PARKED, tuple(touched))
    return Found(levels, names, nodes, completeness)


def lineage_answer(snapshot: Snapshot, walk: Walk, want: Want) -> Lineage:
    """Return what the walk found as an answer."""
    found = look_up(snapshot, walk, with_nodes=Want.NODES in want)
    ordered = [row for level in found.levels for row in level]
    return Lineage(
        node_ids=tuple([found.names[row] for row in ordered]),
        nodes=tuple([found.nodes[row] for row in ordered]) if Want.NODES in want else (),
        edges=_shown(walk.edges(), ordered, found.names) if Want.EDGES in want else (),
        completeness=found.completeness,
        position=snapshot.position,
    )


def impact_answer(snapshot: Snapshot, walk: ImpactWalk, start: Node, want: Want) -> Impact:
    """Return what the walk found as an answer about the start."""
    found = look_up(snapshot, walk, with_nodes=Want.NODES in want)
    rows = [row for level in found.levels[1:] for row in level]
    node_ids = [found.names[row] for row in rows]
    kinds = [_KINDS[node_id.partition(":")[0]] for node_id in node_ids]
    visited = walk.visited
    levels = [
        None if kind is not NodeKind.DATASET else ImpactLevel.TABLE if row in visited else ImpactLevel.COLUMNS
        for row, kind in zip(rows, kinds, strict=True)
    ]
    distances = [distance for distance, level in enumerate(found.levels) if distance for _ in level]
    trail, steps = walk.trail(rows, found.names) if Want.PATHS in want else (Trail(), [-1] * len(rows))
    columns = zip(node_ids, kinds, distances, levels, steps, strict=True)
    return Impact(
        start=start,
        affected=tuple(map(Affected._make, columns)),
        nodes=tuple([found.nodes[row] for row in rows]) if Want.NODES in want else (),
        trail=trail,
        completeness=found.completeness,
        position=snapshot.position,
    )


def _is_in(row: int, nodes: Mapping[int, Node], parked: Container[str]) -> bool:
    """Return whether the node, or the dataset of the field, is one of the parked."""
    node = nodes.get(row)
    return node is not None and (node.id in parked or (bool(node.field) and node.dataset.id in parked))


def _shown(
    edges: Iterable[tuple[int, int, EdgeKind]], ordered: Sequence[int], names: Mapping[int, str]
) -> tuple[Edge, ...]:
    """Return the edges in the order of their nodes, each alias once."""
    place = {row: index for index, row in enumerate(ordered)}
    placed = [(place[origin], place[destination], kind) for origin, destination, kind in edges]
    node_ids = [names[row] for row in ordered]
    once = (edge for edge in placed if edge[2] is not EdgeKind.ALIAS or edge[0] < edge[1])
    return tuple(
        [Edge(node_ids[origin], node_ids[destination], kind) for origin, destination, kind in sorted(once)]
    )
