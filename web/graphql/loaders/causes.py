"""Why a pipeline run exists: versions, what made them, the pipeline run that this belongs to, its versions, and so on.

The chain is read generation by generation for all runs that are asked about, and told as a list in depth-first order:
each line knows its level and the line that it explains, so that whoever prints it needs no recursion. A version, a run
or a pipeline run that is met on several ways is explained once, below the first line about it; every later line says
which that is, and nothing stands below it.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar, assert_never

from catalog.errors import InvalidInput
from catalog.queries import load_queries
from web.graphql.cohort import in_cohort
from web.graphql.loaders.ancestry import pipeline_runs_above
from web.graphql.loaders.datasets import datasets_by_id
from web.graphql.loaders.jobs import jobs_by_id
from web.graphql.loaders.pipeline_runs import pipeline_runs_by_id
from web.graphql.loaders.runs import facts_at, runs_by_id
from web.graphql.loaders.versions import consumed_versions
from web.graphql.records import (
    CauseRecord,
    CausesRecord,
    DatasetRecord,
    FactRecord,
    JobRecord,
    PipelineRunRecord,
    RunRecord,
    VersionRecord,
)
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("causes.sql"))

Found = TypeVar("Found")

VERSION, RUN, PIPELINE_RUN, FACT = "version", "run", "pipelineRun", "fact"
MAX_DEPTH = 1_000
MAX_NODES = 10_000
DEPTH, NODE_LIMIT = "DEPTH", "NODE_LIMIT"


@dataclass(slots=True)
class _Known:
    """What was read of the chains so far."""

    pipeline_runs: dict[uuid.UUID, PipelineRunRecord] = field(default_factory=dict)
    versions: dict[uuid.UUID, list[VersionRecord]] = field(default_factory=dict)
    datasets: dict[uuid.UUID, DatasetRecord] = field(default_factory=dict)
    runs: dict[uuid.UUID, RunRecord] = field(default_factory=dict)
    jobs: dict[uuid.UUID, JobRecord] = field(default_factory=dict)
    above: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    facts: dict[int, tuple[str, str, dt.datetime]] = field(default_factory=dict)


def causes(
    request: QueryRequest, members: Sequence[PipelineRunRecord], depth: int, max_nodes: int
) -> Mapping[uuid.UUID, CausesRecord]:
    """Return for each run at most `max_nodes` lines, that go back at most `depth` generations of pipeline runs."""
    if not 1 <= depth <= MAX_DEPTH or not 1 <= max_nodes <= MAX_NODES:
        message = f"expected `depth` to be from 1 to {MAX_DEPTH} and `maxNodes` from 1 to {MAX_NODES}"
        raise InvalidInput(f"{message}, found {depth} and {max_nodes}")
    known = _Known()
    generation = {member.row_id: member for member in members}
    for _ in range(depth):
        if not generation:
            break
        request.check_time()
        generation = _read_generation(request, generation, known, max_nodes)
    # The runs of the last generation are told, but not what caused them.
    known.pipeline_runs |= generation
    answer = {member.row_id: _Telling(known, max_nodes).of(member) for member in members}
    nodes = [node for told in answer.values() for node in told.nodes]
    in_cohort(request, nodes)
    in_cohort(request, _unique(node.version for node in nodes))
    in_cohort(request, _unique(node.run for node in nodes))
    in_cohort(request, _unique(node.pipeline_run for node in nodes))
    return answer


def facts_of_causes(request: QueryRequest, members: Sequence[CauseRecord]) -> Mapping[int, FactRecord]:
    """Return the facts behind the lines, by position."""
    return facts_at(request, [member.position for member in members if member.position is not None])


def _read_generation(
    request: QueryRequest, generation: Mapping[uuid.UUID, PipelineRunRecord], known: _Known, max_nodes: int
) -> dict[uuid.UUID, PipelineRunRecord]:
    """Read what these runs consumed and who made it; return the pipeline runs to go on with."""
    known.pipeline_runs |= generation
    # One more than can be told says that there are more.
    consumed = consumed_versions(request, list(generation), max_nodes + 1)
    known.versions |= {run: consumed.get(run, []) for run in generation}
    versions = [version for listed in consumed.values() for version in listed]
    known.datasets |= datasets_by_id(request, {version.dataset_id for version in versions})
    makers = {version.run_id for version in versions if version.run_id is not None} - known.runs.keys()
    known.runs |= runs_by_id(request, makers)
    known.jobs |= jobs_by_id(request, {known.runs[run].job_id for run in makers if run in known.runs})
    known.above |= pipeline_runs_above(request, makers)
    positions = {version.position for version in versions if version.run_id is None}
    positions |= {run.due_position for run in generation.values() if run.cause == "manual"}
    if positions:
        rows = request.rows(QUERIES["commands"], positions=list(positions))
        known.facts |= {position: (kind, actor, at) for position, kind, actor, at in rows}
    following = {known.above[run] for run in makers if run in known.above} - known.pipeline_runs.keys()
    return pipeline_runs_by_id(request, following)


def _unique(records: Iterable[Found | None]) -> list[Found]:
    return list({id(record): record for record in records if record is not None}.values())


@dataclass(frozen=True, slots=True)
class _Step:
    """A line before it is told: under which line it stands, and the one thing that it is about."""

    parent: int | None
    level: int
    about: VersionRecord | RunRecord | PipelineRunRecord | int
    """A version, the run that made it, the pipeline run that this belongs to; or the position of a fact."""
    position: int | None = None
    """Of a run: that of the fact by which its version became known."""


class _Telling:
    """Writes the lines of one run's chain, each cause right after what it explains."""

    def __init__(self, known: _Known, max_nodes: int) -> None:
        self._known = known
        self._max_nodes = max_nodes
        self._answer = CausesRecord()
        # The kind belongs to it: a pipeline run has the UUID of its run.
        self._explained: dict[tuple[str, uuid.UUID], int | None] = {}

    def of(self, run: PipelineRunRecord) -> CausesRecord:
        """Return the lines that explain the run."""
        self._explained[PIPELINE_RUN, run.row_id] = None
        waiting = self._explain(run, None, 0)
        while waiting:
            step = waiting.pop()
            if len(self._answer.nodes) >= self._max_nodes:
                self._stop(NODE_LIMIT)
                break
            index = len(self._answer.nodes)
            line = self._line(step, index)
            self._answer.nodes.append(line)
            if isinstance(step.about, int):
                continue
            about = line.kind, step.about.row_id
            if about in self._explained:
                line.repeated, line.explained_at = True, self._explained[about]
            else:
                self._explained[about] = index
                waiting += self._following(step, index)
        return self._answer

    def _stop(self, reason: str) -> None:
        self._answer.complete = False
        self._answer.reason = reason

    def _explain(self, run: PipelineRunRecord, parent: int | None, level: int) -> list[_Step]:
        """Return the direct causes of a pipeline run, the first one last."""
        if run.row_id not in self._known.versions:
            self._stop(DEPTH)
            return []
        steps = [_Step(parent, level, version) for version in self._known.versions[run.row_id]]
        if run.cause == "manual" and run.due_position in self._known.facts:
            steps.insert(0, _Step(parent, level, run.due_position))
        return steps[::-1]

    def _following(self, step: _Step, index: int) -> list[_Step]:
        match step.about:
            case VersionRecord(run_id=None, position=position):
                return [_Step(index, step.level + 1, position)] if position in self._known.facts else []
            case VersionRecord(run_id=maker):
                run = None if maker is None else self._known.runs.get(maker)
                return [] if run is None else [_Step(index, step.level + 1, run, step.about.position)]
            case RunRecord(row_id=run_id):
                above = self._known.pipeline_runs.get(self._known.above.get(run_id, run_id))
                return [] if above is None else [_Step(index, step.level + 1, above)]
            case PipelineRunRecord() as run:
                return self._explain(run, index, step.level + 1)
            case int():
                return []
            case _:
                assert_never(step.about)

    def _line(self, step: _Step, index: int) -> CauseRecord:
        line = partial(CauseRecord, index=index, parent=step.parent, level=step.level)
        match step.about:
            case VersionRecord() as version:
                dataset = self._known.datasets.get(version.dataset_id)
                name = "a dataset" if dataset is None else dataset.id
                partition = f" partition {version.partition}" if version.partition else ""
                text = f"version of {name}{partition} ({version.state})"
                return line(
                    kind=VERSION, text=text, at=version.time, position=version.position, version=version
                )
            case RunRecord() as run:
                job = self._known.jobs.get(run.job_id)
                name = "a job" if job is None else job.id
                return line(
                    kind=RUN,
                    text=f"run {run.row_id} of {name} ({run.state or 'not reported'})",
                    at=run.ended_at or run.started_at,
                    position=step.position,
                    run=run,
                )
            case PipelineRunRecord() as run:
                return line(
                    kind=PIPELINE_RUN,
                    text=f"run {run.number} of pipeline {run.pipeline_name} ({run.state}): {run.reason}",
                    at=run.due_at,
                    position=run.due_position,
                    pipeline_run=run,
                )
            case int() as position:
                kind, actor, at = self._known.facts[position]
                return line(kind=FACT, text=f"{kind} by {actor}", at=at, position=position)
            case _:
                assert_never(step.about)
