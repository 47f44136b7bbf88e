"""Pipeline runs: by identity, by pipeline, their moves, attempts and outputs."""

import datetime as dt
import uuid
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from catalog.errors import InvalidInput
from catalog.queries import load_queries
from web.graphql.cohort import in_cohort
from web.graphql.loaders.ancestry import runs_below
from web.graphql.pages import (
    EARLIEST,
    FIRST_UUID,
    LAST_LONG,
    Order,
    Page,
    check_first,
    counted_once,
    page_of,
    pages_by_parent,
)
from web.graphql.records import (
    AttemptRecord,
    DecisionRecord,
    PipelineRecord,
    PipelineRunRecord,
    TransitionRecord,
    VersionRecord,
)
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("pipeline_runs.sql"))

#: Runs that an error names where the beginning of a UUID is that of several.
MOST_CANDIDATES = 5

LATEST_DUE_FIRST = Order("pipelineRuns", (int, uuid.UUID), (LAST_LONG, FIRST_UUID))
OLDEST_FIRST = Order("outputs", (dt.datetime, uuid.UUID), (EARLIEST, FIRST_UUID))
LATEST_NUMBER_FIRST = Order("runsOfPipeline", (int,), (LAST_LONG,))


def pipeline_runs_by_id(
    request: QueryRequest, ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, PipelineRunRecord]:
    """Return the pipeline runs among the ids, one cohort."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    records = in_cohort(
        request, [PipelineRunRecord(*row) for row in request.rows(QUERIES["by_id"], ids=wanted)]
    )
    return {record.row_id: record for record in records}


def pipeline_run_between(
    request: QueryRequest, least: uuid.UUID, greatest: uuid.UUID, *, prefix: str
) -> PipelineRunRecord | None:
    """Return the one run whose UUID lies between these; raise `InvalidInput` that names several."""
    rows = request.rows(QUERIES["by_range"], least=least, greatest=greatest, limit=MOST_CANDIDATES + 1)
    found = in_cohort(request, [PipelineRunRecord(*row) for row in rows])
    if len(found) > 1:
        candidates = [f"{run.id} ({run.pipeline_name}/{run.number})" for run in found[:MOST_CANDIDATES]]
        how_many = str(len(found)) if len(found) <= MOST_CANDIDATES else f"more than {MOST_CANDIDATES}"
        raise InvalidInput(
            f"expected one run to begin with {prefix}, found {how_many}: {', '.join(candidates)}",
            pointer="/idPrefix",
        )
    return found[0] if found else None


def pipeline_runs_of(request: QueryRequest, members: Sequence[Any]) -> Mapping[uuid.UUID, PipelineRunRecord]:
    """Return the pipeline runs whose UUIDs the members bear."""
    return pipeline_runs_by_id(request, [member.row_id for member in members])


def pipeline_runs_of_decisions(
    request: QueryRequest, members: Sequence[DecisionRecord]
) -> Mapping[uuid.UUID, PipelineRunRecord]:
    """Return the pipeline runs that the decisions are about."""
    return pipeline_runs_by_id(request, [member.run_id for member in members if member.run_id is not None])


def pipeline_run_page(
    request: QueryRequest, *, first: int, after: str | None, states: Sequence[str] | None
) -> Page[PipelineRunRecord]:
    """Return pipeline runs, those that became due last first."""
    check_first(first)
    after_position, after_id = LATEST_DUE_FIRST.decode(after)
    chosen = None if states is None else list(states)
    rows = request.rows(
        QUERIES["page"],
        after_position=after_position,
        after_id=after_id,
        states=chosen,
        limit=first + 1,
    )
    records = [PipelineRunRecord(*row) for row in rows]
    return page_of(
        request,
        records,
        first=first,
        after=after,
        order=LATEST_DUE_FIRST,
        place_of=lambda run: (run.due_position, run.row_id),
        count=lambda: int(request.rows(QUERIES["count"], states=chosen)[0][0]),
    )


def run_pages_of_pipelines(
    request: QueryRequest,
    members: Sequence[PipelineRecord],
    first: int,
    after: str | None,
    states: tuple[str, ...] | None,
) -> Mapping[str, Page[PipelineRunRecord]]:
    """Return a page of runs for each pipeline, the latest first."""
    return run_pages_of_names(request, [member.name for member in members], first, after, states)


def run_pages_of_names(
    request: QueryRequest,
    pipelines: Sequence[str],
    first: int,
    after: str | None,
    states: tuple[str, ...] | None,
) -> Mapping[str, Page[PipelineRunRecord]]:
    """Return a page of runs for each pipeline that is named, the latest first."""
    check_first(first)
    (number,) = LATEST_NUMBER_FIRST.decode(after)
    chosen = None if states is None else list(states)
    names = list(pipelines)
    rows = request.rows(
        QUERIES["of_pipelines"], pipelines=names, after=number, states=chosen, limit=first + 1
    )
    return pages_by_parent(
        request,
        names,
        [(row[1], PipelineRunRecord(*row)) for row in rows],
        first=first,
        after=after,
        order=LATEST_NUMBER_FIRST,
        place_of=lambda run: (run.number,),
        count=counted_once(
            lambda: request.rows(QUERIES["counts_of_pipelines"], pipelines=names, states=chosen)
        ),
    )


def latest_pipeline_runs(
    request: QueryRequest, members: Sequence[PipelineRecord]
) -> Mapping[str, PipelineRunRecord]:
    """Return the run of each pipeline with the greatest number."""
    pages = run_pages_of_pipelines(request, members, 1, None, None)
    return {name: page.nodes[0] for name, page in pages.items() if page.nodes}


def transitions(
    request: QueryRequest, members: Sequence[PipelineRunRecord]
) -> Mapping[uuid.UUID, list[TransitionRecord]]:
    """Return the moves of each run in their order."""
    found: defaultdict[uuid.UUID, list[TransitionRecord]] = defaultdict(list)
    for run, *columns in request.rows(QUERIES["transitions"], runs=[member.row_id for member in members]):
        found[run].append(TransitionRecord(*columns))
    return found


def attempts(
    request: QueryRequest, members: Sequence[PipelineRunRecord]
) -> Mapping[uuid.UUID, list[AttemptRecord]]:
    """Return the attempts of each run in their order, as claims and the ledger know them."""
    runs = [member.row_id for member in members]
    found: dict[tuple[uuid.UUID, int], AttemptRecord] = {}

    def attempt(run: uuid.UUID, number: int) -> AttemptRecord:
        return found.setdefault((run, number), AttemptRecord(number, *[None] * 8))

    for run, number, host, name, claimed_at in request.rows(QUERIES["claims"], runs=runs):
        if host:  # A claim without a host keeps a cancelled attempt from being started.
            record = attempt(run, number)
            record.host_id, record.host_name, record.claimed_at = host, name, claimed_at
    for run, kind, body in request.rows(QUERIES["attempt_facts"], runs=runs):
        told = orjson.loads(zlib.decompress(body))
        record = attempt(run, told["attempt"])
        if kind == "attempt.started":
            record.started_at = dt.datetime.fromisoformat(told["at"])
        elif record.outcome is None:
            record.ended_at = dt.datetime.fromisoformat(told["at"])
            record.outcome, record.exit_code = told["outcome"], told["exitCode"]
            record.reason = told["reason"] or None
    answer: defaultdict[uuid.UUID, list[AttemptRecord]] = defaultdict(list)
    for run, number in sorted(found):
        answer[run].append(found[run, number])
    return answer


def engine_answers(
    request: QueryRequest, members: Sequence[PipelineRunRecord]
) -> Mapping[uuid.UUID, dict[int, str]]:
    """Return the last answer of the engine that has it for each attempt that one has, empty where there is none yet."""
    found: defaultdict[uuid.UUID, dict[int, str]] = defaultdict(dict)
    for run, number, told in request.rows(
        QUERIES["engine_answers"], runs=[member.row_id for member in members]
    ):
        found[run][number] = told
    return found


def output_pages(
    request: QueryRequest, members: Sequence[PipelineRunRecord], first: int, after: str | None
) -> Mapping[uuid.UUID, Page[VersionRecord]]:
    """Return a page of the versions made by each run or by a run that was started within it, oldest first."""
    check_first(first)
    after_time, after_id = OLDEST_FIRST.decode(after)
    runs = [member.row_id for member in members]
    pairs = [(asked, run) for asked, below in runs_below(request, runs).items() for run in below]
    parameters = {"asked": [asked for asked, _ in pairs], "runs": [run for _, run in pairs]}
    rows = request.rows(
        QUERIES["outputs"], after_time=after_time, after_id=after_id, limit=first + 1, **parameters
    )
    return pages_by_parent(
        request,
        runs,
        [(row[0], VersionRecord(*row[1:])) for row in rows],
        first=first,
        after=after,
        order=OLDEST_FIRST,
        place_of=lambda version: (version.time, version.row_id),
        count=counted_once(lambda: request.rows(QUERIES["output_counts"], **parameters)),
    )
