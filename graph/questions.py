"""Questions to a stored graph: found, walked and told from one snapshot, in the same way for every adapter."""

from collections.abc import Sequence

from catalog.errors import NotFound
from catalog.keys import DatasetKey, NodeId
from graph.answering import impact_answer, lineage_answer
from graph.beside import Telling, look_around
from graph.impact_walk import TOUCHED, ImpactAdjacency, ImpactWalk
from graph.model import Direction, Impact, JobsBeside, Lineage, NodeKind, Want
from graph.snapshot import FieldSnapshot, Snapshot
from graph.traversal import NODE_MASK, Bounds, Walk


def ask_lineage(
    snapshot: Snapshot, node_id: NodeId, direction: Direction, bounds: Bounds, want: Want
) -> Lineage:
    """Answer `GraphReader.lineage`."""
    found = snapshot.find(node_id)
    if found is None:
        raise NotFound(f"expected a stored node, found none with the id {node_id}"[:500])
    adjacency = FieldSnapshot(snapshot) if found.node.kind is NodeKind.FIELD else snapshot
    walk = Walk(adjacency, snapshot.vertices_of(found), direction, bounds)
    walk.run()
    return lineage_answer(snapshot, walk, want)


def ask_impact(snapshot: Snapshot, node_id: NodeId, bounds: Bounds, want: Want) -> Impact:
    """Answer `GraphReader.impact`."""
    found = snapshot.find(node_id)
    if found is not None:
        start = found.node
        adjacency = ImpactAdjacency(snapshot, start.kind)
        starts = adjacency.begin(snapshot.vertices_of(found), start.kind)
    else:
        unnamed = snapshot.find_dataset_of(node_id) if node_id.kind == NodeKind.FIELD else None
        if unnamed is None:
            raise NotFound(f"expected a stored node, found none with the id {node_id}"[:500])
        dataset, start = unnamed
        adjacency = ImpactAdjacency(snapshot, start.kind)
        starts = [dataset.id | TOUCHED]
    # The start counts as one node, whatever fields it has.
    further = len({vertex & NODE_MASK for vertex in starts}) - 1
    walk = ImpactWalk(adjacency, starts, Bounds(bounds.depth, bounds.max_nodes + further, bounds.deadline))
    walk.run()
    return impact_answer(snapshot, walk, start, want)


def ask_jobs_beside(
    snapshot: Snapshot, datasets: Sequence[DatasetKey], direction: Direction, *, most: int, deadline: float
) -> JobsBeside:
    """Answer `GraphReader.jobs_beside`; `deadline` in seconds of `time.monotonic`."""
    rows = snapshot.find_datasets(datasets)
    around = look_around(snapshot, rows.values(), direction, deadline)
    nodes = snapshot.nodes([*around.mentioned(rows.values())])
    telling = Telling(around, nodes, most=most, parked=snapshot.parked_nodes())
    told = {key: telling.of(rows[key]) if key in rows else telling.of_unknown(key) for key in datasets}
    return JobsBeside(told, snapshot.position)
