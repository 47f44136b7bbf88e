"""The jobs next to a dataset, as the graph knows them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catalog.keys import DatasetKey, JobKey
from graph.model import Completeness, Direction
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
    """Return for each dataset the jobs that write it (UPSTREAM) or read it (DOWNSTREAM) now; at most `first` of them.

    The graph follows the state: a dataset that it has not heard of yet has no neighbours there.
    """
    check_first(first)
    keys = {member.row_id: DatasetKey(member.namespace, member.name) for member in members}
    answer = request.graph.jobs_beside(
        list(keys.values()), direction, most=first, seconds=request.traversal_seconds
    )
    request.positions.append(answer.position)
    found = {
        dataset: [JobKey(node.namespace, node.name).id for node in answer.by_dataset[key].jobs]
        for dataset, key in keys.items()
    }
    jobs = jobs_by_id(request, [job for listed in found.values() for job in listed])
    return {
        dataset: Neighbours(
            [jobs[job] for job in found[dataset] if job in jobs],
            answer.by_dataset[key].completeness,
            answer.position,
        )
        for dataset, key in keys.items()
    }
