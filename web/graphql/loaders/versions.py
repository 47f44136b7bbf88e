"""Dataset versions: current ones, pages, those of runs, and what a run consumed."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from catalog.queries import load_queries
from web.graphql.cohort import in_cohort
from web.graphql.loaders.ancestry import pipeline_runs_above
from web.graphql.loaders.datasets import classes
from web.graphql.loaders.pipeline_runs import pipeline_runs_by_id
from web.graphql.loaders.runs import merged_runs, runs_by_id
from web.graphql.pages import (
    FIRST_UUID,
    LAST_UUID,
    LATEST,
    Order,
    Page,
    check_first,
    counted_once,
    pages_by_parent,
)
from web.graphql.records import (
    ConsumedVersionRecord,
    ConsumedVersionsRecord,
    DatasetRecord,
    PipelineRunRecord,
    RunRecord,
    VersionRecord,
)
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("versions.sql"))

LATEST_FIRST = Order("versions", (dt.datetime, uuid.UUID), (LATEST, LAST_UUID))
SCHEMAS_LATEST_FIRST = Order("schemas", (dt.datetime, uuid.UUID), (LATEST, LAST_UUID))

BY_SEQUENCE = Order("consumption", (int, uuid.UUID), (0, FIRST_UUID))

#: Versions that are told of one run's consumption; the pages of its pipeline run have them all.
MOST_CONSUMED = 1000

#: How it is known that a run read a version.
CONSUMED, CURRENT_AT_START = "consumed", "currentAtStart"


def versions_by_id(request: QueryRequest, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, VersionRecord]:
    """Return the stored versions among the ids, one cohort."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    records = in_cohort(request, _records(request.rows(QUERIES["by_id"], ids=wanted)))
    return {record.row_id: record for record in records}


def current_versions(
    request: QueryRequest, members: Sequence[DatasetRecord]
) -> Mapping[uuid.UUID, VersionRecord]:
    """Return for each dataset the greatest (time, identity) among its published versions."""
    rows = request.rows(QUERIES["current"], datasets=[member.row_id for member in members])
    records = in_cohort(request, _records(rows))
    return {record.dataset_id: record for record in records}


def current_ids(request: QueryRequest, members: Sequence[VersionRecord]) -> Mapping[uuid.UUID, uuid.UUID]:
    """Return the current version's identity for the dataset of each version."""
    wanted = list({member.dataset_id for member in members})
    return {row[1]: row[0] for row in request.rows(QUERIES["current"], datasets=wanted)}


def version_pages(
    request: QueryRequest,
    members: Sequence[DatasetRecord],
    first: int,
    after: str | None,
    states: tuple[str, ...] | None,
) -> Mapping[uuid.UUID, Page[VersionRecord]]:
    """Return a page of versions for each dataset, latest first."""
    check_first(first)
    after_time, after_id = LATEST_FIRST.decode(after)
    datasets = [member.row_id for member in members]
    chosen = None if states is None else list(states)
    rows = request.rows(
        QUERIES["page"],
        datasets=datasets,
        after_time=after_time,
        after_id=after_id,
        states=chosen,
        limit=first + 1,
    )
    return pages_by_parent(
        request,
        datasets,
        [(record.dataset_id, record) for record in _records(rows)],
        first=first,
        after=after,
        order=LATEST_FIRST,
        place_of=lambda record: (record.time, record.row_id),
        count=counted_once(lambda: request.rows(QUERIES["counts"], datasets=datasets, states=chosen)),
    )


def schema_pages(
    request: QueryRequest, members: Sequence[DatasetRecord], first: int, after: str | None
) -> Mapping[uuid.UUID, Page[VersionRecord]]:
    """Return a page of the versions with which the columns of each dataset changed, latest first."""
    check_first(first)
    after_time, after_id = SCHEMAS_LATEST_FIRST.decode(after)
    datasets = [member.row_id for member in members]
    rows = request.rows(
        QUERIES["schema_page"], datasets=datasets, after_time=after_time, after_id=after_id, limit=first + 1
    )
    return pages_by_parent(
        request,
        datasets,
        [(record.dataset_id, record) for record in _records(rows)],
        first=first,
        after=after,
        order=SCHEMAS_LATEST_FIRST,
        place_of=lambda record: (record.time, record.row_id),
        count=counted_once(lambda: request.rows(QUERIES["schema_counts"], datasets=datasets)),
    )


def listed_versions(
    request: QueryRequest, dataset: uuid.UUID, *, limit: int, offset: int
) -> tuple[Sequence[VersionRecord], int]:
    """Return so many versions of a dataset, latest first, after as many as the offset says, and how many there are."""
    rows = request.rows(QUERIES["listed_of_dataset"], dataset=dataset, limit=limit, offset=offset)
    counts = dict(request.rows(QUERIES["counts"], datasets=[dataset], states=None))
    return in_cohort(request, _records(rows)), counts.get(dataset, 0)


def versions_of_runs(
    request: QueryRequest, members: Sequence[RunRecord]
) -> Mapping[uuid.UUID, list[VersionRecord]]:
    """Return the versions that each run made by itself."""
    rows = request.rows(QUERIES["of_runs"], runs=[member.row_id for member in members])
    records = in_cohort(request, _records(rows))
    found: defaultdict[uuid.UUID, list[VersionRecord]] = defaultdict(list)
    for record in records:
        if record.run_id is not None:
            found[record.run_id].append(record)
    return found


def consumed_pages(
    request: QueryRequest, members: Sequence[PipelineRunRecord], first: int, after: str | None
) -> Mapping[uuid.UUID, Page[VersionRecord]]:
    """Return a page of the versions that each pipeline run consumed, in the order in which they came."""
    check_first(first)
    runs = [member.row_id for member in members]
    rows = _consumed(request, runs, BY_SEQUENCE.decode(after), first + 1)
    places = {id(version): (sequence, taken_by) for _, sequence, taken_by, version in rows}
    return pages_by_parent(
        request,
        runs,
        [(run, version) for run, _, _, version in rows],
        first=first,
        after=after,
        order=BY_SEQUENCE,
        place_of=lambda version: places[id(version)],
        count=counted_once(lambda: request.rows(QUERIES["consumed_counts"], runs=runs)),
    )


def consumed_versions(
    request: QueryRequest, runs: Sequence[uuid.UUID], limit: int
) -> Mapping[uuid.UUID, list[VersionRecord]]:
    """Return at most `limit` versions that each pipeline run consumed, in the order in which they came."""
    found: defaultdict[uuid.UUID, list[VersionRecord]] = defaultdict(list)
    for run, _, _, version in _consumed(request, runs, BY_SEQUENCE.start, limit):
        found[run].append(version)
    return found


def _consumed(
    request: QueryRequest, runs: Sequence[uuid.UUID], after: tuple[int, uuid.UUID], limit: int
) -> list[tuple[uuid.UUID, int, uuid.UUID, VersionRecord]]:
    if not runs:
        return []
    rows = request.rows(
        QUERIES["consumed"], runs=list(runs), after_sequence=after[0], after_input=after[1], limit=limit
    )
    return [(row[0], row[1], row[2], VersionRecord(*row[3:])) for row in rows]


def consumed_by_runs(
    request: QueryRequest, members: Sequence[RunRecord]
) -> Mapping[uuid.UUID, ConsumedVersionsRecord]:
    """Return what each run read: what its pipeline run consumed, and for every other input the version then current.

    A run whose start is unknown, and that belongs to no pipeline run, is not in the answer: nobody knows.
    """
    above = pipeline_runs_above(request, [member.row_id for member in members])
    consumed = consumed_versions(request, list(set(above.values())), MOST_CONSUMED + 1)
    taken = {
        member.row_id: consumed.get(above[member.row_id], []) if member.row_id in above else []
        for member in members
    }
    current = _current_inputs(request, members, taken)
    answer = {
        member.row_id: ConsumedVersionsRecord(
            nodes=[
                *(
                    ConsumedVersionRecord(version, CONSUMED)
                    for version in taken[member.row_id][:MOST_CONSUMED]
                ),
                *(
                    ConsumedVersionRecord(version, CURRENT_AT_START)
                    for version in current.get(member.row_id, ())
                ),
            ],
            complete=len(taken[member.row_id]) <= MOST_CONSUMED
            and (member.started_at is not None or not member.reported),
        )
        for member in members
        if member.row_id in above or (member.started_at is not None and member.reported)
    }
    every = [record for found in answer.values() for record in found.nodes]
    in_cohort(request, every)
    in_cohort(request, [record.version for record in every])
    return answer


def _current_inputs(
    request: QueryRequest, members: Sequence[RunRecord], taken: Mapping[uuid.UUID, Sequence[VersionRecord]]
) -> Mapping[uuid.UUID, list[VersionRecord]]:
    """Return the versions current at each run's start of those of its inputs of which it was given none."""
    merged = merged_runs(request, members)
    read = {run: [key.id for key in found.input_registers] for run, found in merged.items()}
    named = classes(
        request,
        [
            *(dataset for datasets in read.values() for dataset in datasets),
            *(version.dataset_id for versions in taken.values() for version in versions),
        ],
    )
    asked: list[tuple[uuid.UUID, uuid.UUID, dt.datetime]] = []
    for member in members:
        given = {named[version.dataset_id] for version in taken[member.row_id]}
        if member.started_at is not None:
            asked += [
                (member.row_id, dataset, member.started_at)
                for dataset in read.get(member.row_id, ())
                if named[dataset] not in given
            ]
    return _current_at(request, asked)


def _current_at(
    request: QueryRequest, asked: Sequence[tuple[uuid.UUID, uuid.UUID, dt.datetime]]
) -> Mapping[uuid.UUID, list[VersionRecord]]:
    found: defaultdict[uuid.UUID, list[VersionRecord]] = defaultdict(list)
    if asked:
        rows = request.rows(
            QUERIES["current_at"],
            runs=[run for run, _, _ in asked],
            datasets=[dataset for _, dataset, _ in asked],
            instants=[instant for _, _, instant in asked],
        )
        for run, _, *columns in rows:
            found[run].append(VersionRecord(*columns))
    return found


def makers(request: QueryRequest, members: Sequence[VersionRecord]) -> Mapping[uuid.UUID, RunRecord]:
    """Return the runs that made the versions."""
    return runs_by_id(request, [member.run_id for member in members if member.run_id is not None])


def consumers(
    request: QueryRequest, members: Sequence[VersionRecord]
) -> Mapping[uuid.UUID, list[PipelineRunRecord]]:
    """Return the pipeline runs that consumed each version, those that became due first first."""
    rows = request.rows(QUERIES["consumers"], versions=[member.row_id for member in members])
    runs = pipeline_runs_by_id(request, [run for _, run in rows])
    found: defaultdict[uuid.UUID, list[PipelineRunRecord]] = defaultdict(list)
    for version, run in rows:
        found[version].append(runs[run])
    for listed in found.values():
        listed.sort(key=lambda run: (run.due_position, run.row_id))
    return found


def _records(rows: Iterable[tuple[Any, ...]]) -> list[VersionRecord]:
    return [VersionRecord(*row) for row in rows]
