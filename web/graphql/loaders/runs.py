"""Runs as OpenLineage tells them: by identity, by job, their children, what their events say."""

import datetime as dt
import uuid
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from catalog.errors import QueryTooExpensive
from catalog.keys import HEADWATER_NAMESPACE, DatasetKey, JobKey
from catalog.ledger import REMOVED_BODY
from catalog.openlineage.events import DatasetReference
from catalog.openlineage.merge import MergedRun
from catalog.queries import load_queries
from web.graphql.cohort import in_cohort
from web.graphql.loaders.pipeline_runs import pipeline_runs_by_id
from web.graphql.pages import (
    LAST_UUID,
    LATEST,
    Order,
    Page,
    check_first,
    counted_once,
    pages_by_parent,
)
from web.graphql.records import FactRecord, JobRecord, RunDatasetRecord, RunRecord
from web.graphql.request import QueryRequest
from web.graphql.scalars import raw_json

QUERIES = load_queries(Path(__file__).with_name("runs.sql"))

LATEST_FIRST = Order("runs", (dt.datetime, uuid.UUID), (LATEST, LAST_UUID))
BY_POSITION = Order("facts", (int,), (0,))

#: Bytes of bodies that one list of facts may hold; what is beyond comes with the next page.
MAX_FACT_BYTES = 8 * 1024 * 1024
#: Bytes of bodies beyond which an answer about many runs is refused.
MOST_FACT_BYTES = 32 * 1024 * 1024


def runs_by_id(request: QueryRequest, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, RunRecord]:
    """Return the runs among the ids, one cohort; a pipeline run that never reported itself is one of them."""
    wanted = set(ids)
    if not wanted:
        return {}
    found = {row[0]: RunRecord(*row) for row in request.rows(QUERIES["by_id"], ids=list(wanted))}
    missing = wanted - found.keys()
    if missing:
        for run, planned in pipeline_runs_by_id(request, missing).items():
            job = JobKey(HEADWATER_NAMESPACE, planned.pipeline_name)
            found[run] = RunRecord(run, job.id, None, None, None, None, run, None, reported=False)
    in_cohort(request, list(found.values()))
    return found


def parent_runs(request: QueryRequest, members: Sequence[RunRecord]) -> Mapping[uuid.UUID, RunRecord]:
    """Return the runs that the members name as their parents."""
    return runs_by_id(request, [member.parent_id for member in members if member.parent_id is not None])


def root_runs(request: QueryRequest, members: Sequence[RunRecord]) -> Mapping[uuid.UUID, RunRecord]:
    """Return the runs that the members name as their roots."""
    return runs_by_id(request, [member.root_id for member in members])


def runs_of_members(request: QueryRequest, members: Sequence[Any]) -> Mapping[uuid.UUID, RunRecord]:
    """Return the runs whose UUIDs the members bear."""
    return runs_by_id(request, [member.row_id for member in members])


def merged_runs(request: QueryRequest, members: Sequence[RunRecord]) -> Mapping[uuid.UUID, MergedRun]:
    """Return what the events of each run say together; a run that never reported is not in the answer."""
    reported = [member.row_id for member in members if member.reported]
    rows = request.rows(QUERIES["merged"], ids=reported) if reported else []
    return {run: MergedRun.decode(merged) for run, merged in rows}


def run_pages_of_jobs(
    request: QueryRequest,
    members: Sequence[JobRecord],
    first: int,
    after: str | None,
    states: tuple[str, ...] | None,
) -> Mapping[uuid.UUID, Page[RunRecord]]:
    """Return a page of runs for each job, latest first."""
    check_first(first)
    after_at, after_id = LATEST_FIRST.decode(after)
    jobs = [member.row_id for member in members]
    chosen = None if states is None else list(states)
    rows = request.rows(
        QUERIES["of_jobs"], jobs=jobs, after_at=after_at, after_id=after_id, states=chosen, limit=first + 1
    )
    return pages_by_parent(
        request,
        jobs,
        [(row[1], RunRecord(*row)) for row in rows],
        first=first,
        after=after,
        order=LATEST_FIRST,
        place_of=_place,
        count=counted_once(lambda: request.rows(QUERIES["counts_of_jobs"], jobs=jobs, states=chosen)),
    )


def listed_runs(
    request: QueryRequest, job: uuid.UUID, *, limit: int, offset: int
) -> tuple[Sequence[RunRecord], int]:
    """Return so many runs of a job, latest first, after as many as the offset says, and how many there are."""
    rows = request.rows(QUERIES["listed_of_job"], job=job, limit=limit, offset=offset)
    counts = dict(request.rows(QUERIES["counts_of_jobs"], jobs=[job], states=None))
    return in_cohort(request, [RunRecord(*row) for row in rows]), counts.get(job, 0)


def latest_runs(request: QueryRequest, members: Sequence[JobRecord]) -> Mapping[uuid.UUID, RunRecord]:
    """Return the run of each job that started last."""
    pages = run_pages_of_jobs(request, members, 1, None, None)
    return {job: page.nodes[0] for job, page in pages.items() if page.nodes}


def child_pages(
    request: QueryRequest, members: Sequence[RunRecord], first: int, after: str | None
) -> Mapping[uuid.UUID, Page[RunRecord]]:
    """Return a page of the runs that each run started, latest first."""
    check_first(first)
    after_at, after_id = LATEST_FIRST.decode(after)
    parents = [member.row_id for member in members]
    rows = request.rows(
        QUERIES["children"], parents=parents, after_at=after_at, after_id=after_id, limit=first + 1
    )
    return pages_by_parent(
        request,
        parents,
        [(row[5], RunRecord(*row)) for row in rows],
        first=first,
        after=after,
        order=LATEST_FIRST,
        place_of=_place,
        count=counted_once(lambda: request.rows(QUERIES["counts_of_children"], parents=parents)),
    )


def _place(run: RunRecord) -> tuple[dt.datetime, uuid.UUID]:
    return run.order, run.row_id


def run_inputs(
    request: QueryRequest, members: Sequence[RunRecord]
) -> Mapping[uuid.UUID, list[RunDatasetRecord]]:
    """Return the datasets that each run read."""
    merged = _merged(members)
    return _references(request, {run: found.inputs for run, found in merged.items()}, "input")


def run_outputs(
    request: QueryRequest, members: Sequence[RunRecord]
) -> Mapping[uuid.UUID, list[RunDatasetRecord]]:
    """Return the datasets that each run wrote."""
    merged = _merged(members)
    return _references(request, {run: found.outputs for run, found in merged.items()}, "output")


def _merged(members: Sequence[RunRecord]) -> Mapping[uuid.UUID, MergedRun]:
    return members[0].cohort.ask(merged_runs) if members else {}


def _references(
    request: QueryRequest, found: Mapping[uuid.UUID, Mapping[DatasetKey, DatasetReference]], role: str
) -> dict[uuid.UUID, list[RunDatasetRecord]]:
    answer = {
        run: [
            RunDatasetRecord(
                row_id=(run, role, key.id),
                dataset_id=key.id,
                lifecycle=reference.lifecycle,
                producer_version=reference.version,
                schema_hash=reference.schema,
                row_count=reference.row_count,
                byte_count=reference.byte_count,
                file_count=reference.file_count,
                partition=reference.partition,
                description=reference.description,
            )
            for key, reference in sorted(references.items())
        ]
        for run, references in found.items()
    }
    in_cohort(request, [record for records in answer.values() for record in records])
    return answer


def fact_pages(
    request: QueryRequest, members: Sequence[Any], first: int, after: str | None
) -> Mapping[uuid.UUID, Page[FactRecord]]:
    """Return a page of the facts that name each run, in ledger order; a page ends early where bodies are large."""
    check_first(first)
    (start,) = BY_POSITION.decode(after)
    runs = [member.row_id for member in members]
    rows = request.rows(QUERIES["facts"], runs=runs, after=start, limit=first + 1)
    found: defaultdict[uuid.UUID, list[FactRecord]] = defaultdict(list)
    cut: set[uuid.UUID] = set()
    size = 0
    for row in rows:
        text = _body(row[6])
        size += len(text)
        if size > MOST_FACT_BYTES:
            message = (
                f"expected at most {MOST_FACT_BYTES} bytes of facts, found more: ask about fewer runs at once"
            )
            raise QueryTooExpensive(message)
        # One fact of each run is always told, so that the next page begins further on.
        if size > MAX_FACT_BYTES and found[row[0]]:
            cut.add(row[0])
        if row[0] not in cut:
            found[row[0]].append(_fact((*row[1:6], text)))
    pages = pages_by_parent(
        request,
        runs,
        [(run, fact) for run, facts in found.items() for fact in facts],
        first=first,
        after=after,
        order=BY_POSITION,
        place_of=lambda fact: (fact.position,),
        count=counted_once(lambda: request.rows(QUERIES["fact_counts"], runs=runs)),
    )
    for run in cut:
        pages[run].has_next_page = True
    return pages


def facts_at(request: QueryRequest, positions: Iterable[int]) -> dict[int, FactRecord]:
    """Return the facts at the positions."""
    rows = request.rows(QUERIES["facts_at"], positions=list(set(positions)))
    found = {row[0]: _fact((*row[:5], _body(row[5]))) for row in rows}
    in_cohort(request, list(found.values()))
    return found


def _body(stored: bytes) -> bytes:
    """Return the body as received, or what stands for one that was removed."""
    return REMOVED_BODY if stored == REMOVED_BODY else zlib.decompress(stored)


def _fact(row: tuple[Any, ...]) -> FactRecord:
    position, kind, received_at, actor, redactions, body = row
    told = None if body == REMOVED_BODY else raw_json(body)
    return FactRecord(position, kind, received_at, actor, redactions, told)


def removed_events(request: QueryRequest, members: Sequence[RunRecord]) -> Mapping[uuid.UUID, int]:
    """Return how many events of each run have no body any more; one of which all are kept is not there."""
    return dict(request.rows(QUERIES["removed_events"], runs=[member.row_id for member in members]))
