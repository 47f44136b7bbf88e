"""Decisions: those about a run, and those of a pipeline."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.queries import load_queries
from web.graphql.cohort import in_cohort
from web.graphql.loaders.datasets import datasets_by_id
from web.graphql.loaders.versions import versions_by_id
from web.graphql.pages import LAST_LONG, LAST_UUID, Order, Page, check_first, counted_once, pages_by_parent
from web.graphql.records import (
    DatasetRecord,
    DecisionRecord,
    PipelineRecord,
    PipelineRunRecord,
    VersionRecord,
)
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("decisions.sql"))

LATEST_FIRST = Order("decisions", (int, uuid.UUID), (LAST_LONG, LAST_UUID))


def decisions_of_runs(
    request: QueryRequest, members: Sequence[PipelineRunRecord]
) -> Mapping[uuid.UUID, list[DecisionRecord]]:
    """Return the decisions about each run in their order."""
    rows = request.rows(QUERIES["of_runs"], runs=[member.row_id for member in members])
    records = in_cohort(request, [DecisionRecord(*row) for row in rows])
    found: defaultdict[uuid.UUID, list[DecisionRecord]] = defaultdict(list)
    for record in records:
        if record.run_id is not None:
            found[record.run_id].append(record)
    return found


def decision_pages(
    request: QueryRequest, members: Sequence[PipelineRecord], first: int, after: str | None
) -> Mapping[str, Page[DecisionRecord]]:
    """Return a page of the decisions of each pipeline, latest first."""
    check_first(first)
    after_position, after_id = LATEST_FIRST.decode(after)
    names = [member.name for member in members]
    rows = request.rows(
        QUERIES["of_pipelines"],
        pipelines=names,
        after_position=after_position,
        after_id=after_id,
        limit=first + 1,
    )
    return pages_by_parent(
        request,
        names,
        [(row[1], DecisionRecord(*row)) for row in rows],
        first=first,
        after=after,
        order=LATEST_FIRST,
        place_of=lambda decision: (decision.position, decision.row_id),
        count=counted_once(lambda: request.rows(QUERIES["counts_of_pipelines"], pipelines=names)),
    )


def input_datasets(
    request: QueryRequest, members: Sequence[DecisionRecord]
) -> Mapping[uuid.UUID, DatasetRecord]:
    """Return the datasets that the decisions looked at."""
    return datasets_by_id(
        request, [uuid.UUID(given["dataset"]) for member in members for given in member.inputs]
    )


def input_versions(
    request: QueryRequest, members: Sequence[DecisionRecord]
) -> Mapping[uuid.UUID, VersionRecord]:
    """Return the versions that the decisions looked at."""
    return versions_by_id(
        request, [uuid.UUID(given["version"]) for member in members for given in member.inputs]
    )
