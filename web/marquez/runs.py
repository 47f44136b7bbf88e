"""Runs: of a job, by UUID, and the facets that they told."""

import contextlib
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, assert_never

from fastapi import APIRouter, Path, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from catalog.errors import NotFound, QueryTooExpensive
from catalog.keys import DatasetKey
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.run_facets import RunFacets as MergedFacets
from catalog.openlineage.run_facets import ToldFacets
from catalog.openlineage.shape import shape_of
from web.graphql.loaders.datasets import datasets_of
from web.graphql.loaders.facets import run_facets
from web.graphql.loaders.runs import merged_runs, runs_by_id
from web.graphql.loaders.versions import consumed_by_runs, versions_of_runs
from web.graphql.pages import EARLIEST
from web.graphql.records import DatasetRecord, RunRecord, VersionRecord
from web.graphql.request import QueryRequest
from web.marquez import names
from web.marquez.asking import Asking
from web.marquez.route import NameRoute
from web.marquez.shapes import (
    DatasetFacets,
    DatasetVersionOfRun,
    Facets,
    NamedVersion,
    Run,
    RunFacets,
)

Whose = Annotated[Literal["run", "job", "dataset"], BeforeValidator(lambda text: str(text).lower())]
RunId = Annotated[uuid.UUID, Path(description="UUID of the run.")]


def lean_run(
    run_id: uuid.UUID,
    state: str | None,
    started_at: dt.datetime | None,
    ended_at: dt.datetime | None,
    *,
    last_at: dt.datetime | None,
    version: NamedVersion | None,
) -> Run:
    """Return a run as its row tells it; `last_at` is the event time of its latest event, where that is known."""
    first = started_at or ended_at or last_at or EARLIEST
    return {
        "id": run_id,
        "createdAt": first,
        "updatedAt": last_at or ended_at or first,
        "state": names.run_state(state),  # type: ignore[arg-type]  # what a merged run wrote
        "startedAt": started_at,
        "endedAt": ended_at,
        "durationMs": names.milliseconds(started_at, ended_at),
        "args": {},
        "jobVersion": version,
    }


def whole_runs(request: QueryRequest, runs: Sequence[RunRecord]) -> list[Run]:
    """Return the runs, one cohort, with all that is known of them."""
    if not runs:
        return []
    ask = runs[0].cohort.ask
    merged: Mapping[uuid.UUID, MergedRun] = ask(merged_runs)
    told = told_by_runs(request, runs)
    read, written = _read_versions(runs), _written_versions(runs)
    answer = []
    for run in runs:
        events, facets = merged[run.row_id], told.get(run.row_id)
        whole = lean_run(
            run.row_id,
            run.state,
            run.started_at,
            run.ended_at,
            last_at=events.last_event_at,
            version=_job_version(events),
        )
        whole["args"] = _args(events)
        whole["nominalStartTime"] = events.nominal_start
        whole["nominalEndTime"] = events.nominal_end
        whole["inputDatasetVersions"] = [
            _with_facets({"datasetVersionId": version}, None if facets is None else facets.inputs)
            for version in read[run.row_id]
        ]
        whole["outputDatasetVersions"] = [
            _with_facets({"datasetVersionId": version}, None if facets is None else facets.outputs)
            for version in written[run.row_id]
        ]
        if facets is not None:
            whole["facets"] = plain(facets.run)
        answer.append(whole)
    return answer


def told_by_runs(request: QueryRequest, runs: Sequence[RunRecord]) -> Mapping[uuid.UUID, MergedFacets]:
    """Return the facets of each run, one cohort; one that told more events than an answer may read is not there."""
    try:
        found: Mapping[uuid.UUID, MergedFacets] = runs[0].cohort.ask(run_facets)
    except QueryTooExpensive:
        answer: dict[uuid.UUID, MergedFacets] = {}
        for run in runs:
            with contextlib.suppress(QueryTooExpensive):
                answer.update(run_facets(request, [run]))
        return answer
    return found


def _with_facets(
    version: DatasetVersionOfRun, told: Mapping[DatasetKey, ToldFacets] | None
) -> DatasetVersionOfRun:
    if told is not None:
        named = version["datasetVersionId"]
        version["facets"] = plain(told.get(DatasetKey(named["namespace"], named["name"]), {}))
    return version


def _args(events: MergedRun) -> dict[str, str]:
    """Return the arguments that Marquez makes of the facets `nominalTime` and `parent`."""
    args = {}
    for name, instant in (
        ("nominal_start_time", events.nominal_start),
        ("nominal_end_time", events.nominal_end),
    ):
        if instant is not None:
            args[name] = instant.isoformat().replace("+00:00", "Z")
    if (parent := events.parent) is not None:
        args["run_id"] = str(parent.run.run_id)
        args["name"], args["namespace"] = parent.run.job.name, parent.run.job.namespace
    return args


def _job_version(events: MergedRun) -> NamedVersion | None:
    """Return the version of the job that the run shows by what it read and wrote, None where it named nothing."""
    shape = shape_of(events)
    if shape is None:
        return None
    return names.job_version(events.job, names.datasets_digest(shape.inputs, shape.outputs))


def plain(told: ToldFacets) -> Facets:
    """Return facets by name without who told them."""
    return {name: facet for name, (_, facet) in sorted(told.items())}


def _read_versions(runs: Sequence[RunRecord]) -> dict[uuid.UUID, list[NamedVersion]]:
    consumed = runs[0].cohort.ask(consumed_by_runs)
    found = {
        run.row_id: [record.version for record in consumed[run.row_id].nodes]
        if run.row_id in consumed
        else []
        for run in runs
    }
    return {run: _named(versions) for run, versions in found.items()}


def _written_versions(runs: Sequence[RunRecord]) -> dict[uuid.UUID, list[NamedVersion]]:
    found = runs[0].cohort.ask(versions_of_runs)
    return {run.row_id: _named(found.get(run.row_id, [])) for run in runs}


def _named(versions: Sequence[VersionRecord]) -> list[NamedVersion]:
    if not versions:
        return []
    datasets: Mapping[uuid.UUID, DatasetRecord] = versions[0].cohort.ask(datasets_of)
    return [
        names.named_version(_key(datasets[version.dataset_id]), version.row_id)
        for version in versions
        if version.dataset_id in datasets
    ]


def _key(dataset: DatasetRecord) -> DatasetKey:
    return DatasetKey(dataset.namespace, dataset.name)


def found_run(request: QueryRequest, run_id: uuid.UUID) -> RunRecord:
    """Return the run; raise `NotFound`."""
    found = runs_by_id(request, [run_id]).get(run_id)
    if found is None or not found.reported:
        raise NotFound(f"expected a run that was heard of, found none with the id {run_id}")
    return found


def run_router(asking: Asking) -> APIRouter:
    """Return the routes about single runs."""
    router = APIRouter(tags=["runs"], route_class=NameRoute)

    @router.get("/jobs/runs/{id}", response_model=Run)
    async def get_run(
        request: Request,
        id: RunId,  # noqa: A002 - the name in Marquez's specification
    ) -> Response:
        """One run, with its facets and the versions that it read and wrote."""

        def read(question: QueryRequest) -> Run:
            (found,) = whole_runs(question, [found_run(question, id)])
            return found

        return await asking.answer(request, read, events=True)

    @router.get("/jobs/runs/{id}/facets", response_model=RunFacets)
    async def get_run_facets(
        request: Request,
        id: RunId,  # noqa: A002 - the name in Marquez's specification
        type: Annotated[  # noqa: A002 - the name in Marquez's specification
            Whose, Query(description="Whose facets: of the run, its job or its datasets.")
        ],
    ) -> Response:
        """The facets that the events of a run told, merged: the greatest event that names one decides."""

        def read(question: QueryRequest) -> RunFacets:
            run = found_run(question, id)
            return _facets(run, run_facets(question, [run])[run.row_id], type)

        return await asking.answer(request, read, events=True)

    return router


def _facets(run: RunRecord, told: MergedFacets, kind: Literal["run", "job", "dataset"]) -> RunFacets:
    facets: Any
    match kind:
        case "run":
            facets = plain(told.run)
        case "job":
            facets = plain(told.job)
        case "dataset":
            facets = {
                "inputs": [_dataset(told, key, "inputFacets", of) for key, of in sorted(told.inputs.items())],
                "outputs": [
                    _dataset(told, key, "outputFacets", of) for key, of in sorted(told.outputs.items())
                ],
            }
        case _:
            assert_never(kind)
    return {"runId": run.row_id, "facets": facets}


def _dataset(
    told: MergedFacets,
    key: DatasetKey,
    role: Literal["inputFacets", "outputFacets"],
    role_facets: ToldFacets,
) -> DatasetFacets:
    of_dataset = plain(told.datasets.get(key, {}))
    answer: DatasetFacets = {"namespace": key.namespace, "name": key.name, "facets": of_dataset}
    answer[role] = plain(role_facets)
    return answer
