"""The jobs next to a dataset, as the graph knows them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from catalog.errors import NotFound
from catalog.keys import JobKey, NodeId
from graph.model import Completeness, Direction, Incomplete, Node, NodeKind, Want
from web.graphql.loaders.jobs import jobs_by_id
from web.graphql.pages import check_first
from web.graphql.records import DatasetRecord, JobRecord
from web.graphql.request import QueryRequest


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Jobs, and whether they are all."""

    jobs: list[JobRecord]
    completeness: Completeness
    position: int


def neighbours(
    request: QueryRequest, members: Sequence[DatasetRecord], direction: Direction, first: int
) -> Mapping[uuid.UUID, Neighbours]:
    """Return for each dataset the jobs that write it (UPSTREAM) or read it (DOWNSTREAM) now.

    The graph is asked once for each dataset, which is why a query pays for this field as for many.
    """
    check_first(first)
    found: dict[uuid.UUID, tuple[list[uuid.UUID], Completeness, int]] = {}
    for member in members:
        request.check_time()
        found[member.row_id] = _ask(request, member, direction, first)
    jobs = jobs_by_id(request, [job for keys, _, _ in found.values() for job in keys])
    return {
        dataset: Neighbours([jobs[key] for key in keys if key in jobs], completeness, position)
        for dataset, (keys, completeness, position) in found.items()
    }


def _ask(
    request: QueryRequest, dataset: DatasetRecord, direction: Direction, first: int
) -> tuple[list[uuid.UUID], Completeness, int]:
    try:
        answer = request.graph.lineage(
            NodeId.parse(dataset.id),
            direction,
            depth=1,
            # The dataset itself and its aliases stand before its jobs.
            max_nodes=first + 1,
            seconds=request.traversal_seconds,
            want=Want.NODES,
        )
    except NotFound:
        # The graph follows the state: a dataset that it has not heard of yet has no neighbours there.
        return [], Completeness(), request.graph.position()
    completeness = answer.completeness
    if completeness.reason is Incomplete.DEPTH:
        # What lies beyond the neighbours was not asked for.
        completeness = replace(completeness, reason=None, frontier=())
    return [_job(node) for node in answer.nodes if node.kind is NodeKind.JOB], completeness, answer.position


def _job(node: Node) -> uuid.UUID:
    return JobKey(node.namespace, node.name).id
