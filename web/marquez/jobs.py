"""Jobs and their runs."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from catalog.errors import NotFound
from catalog.keys import JobKey
from web.graphql.facet_records import UNDESCRIBED, Described, FacetRecord
from web.graphql.loaders.facets import described_jobs, facets_of_jobs
from web.graphql.loaders.jobs import JOBS, job_by_names
from web.graphql.loaders.runs import latest_runs, listed_runs
from web.graphql.loaders.standing import JobStanding, job_standings
from web.graphql.records import JobRecord, RunRecord
from web.graphql.request import QueryRequest
from web.marquez import names
from web.marquez.asking import Asking, JobName, Limit, NamespaceName, Offset
from web.marquez.contents import NO_DATASETS, Contents, JobDatasets
from web.marquez.namespaces import check_namespace
from web.marquez.route import NameRoute
from web.marquez.runs import lean_run, whole_runs
from web.marquez.shapes import Job, JobList, NamedVersion, Run, RunList

#: Runs that one job is told with.
LATEST_RUNS = 10


def updated_at(standing: JobStanding) -> dt.datetime:
    """Return when something of the job was last heard."""
    instants = (standing.shape_at, standing.started_at, standing.ended_at)
    return max([standing.first_seen_at, *(instant for instant in instants if instant is not None)])


def current_version(key: JobKey, standing: JobStanding, datasets: JobDatasets) -> NamedVersion | None:
    """Return the version of the job now, None where nobody told what it reads and writes."""
    return None if standing.shape_hash is None else names.job_version(key, datasets.digest)


def lean_job(
    key: JobKey,
    standing: JobStanding,
    datasets: JobDatasets,
    version: NamedVersion | None,
    latest_run: Run | None,
    told: Described,
) -> Job:
    """Return a job without its facets."""
    return {
        "id": {"namespace": key.namespace, "name": key.name},
        "type": names.job_type(told),
        "name": key.name,
        "simpleName": key.name.removeprefix(f"{standing.parent_name}."),
        "parentJobName": standing.parent_name,
        "parentJobUuid": standing.parent_id,
        "createdAt": standing.first_seen_at,
        "updatedAt": updated_at(standing),
        "namespace": key.namespace,
        "inputs": datasets.inputs,
        "outputs": datasets.outputs,
        "location": told.source_url,
        "description": told.description,
        "latestRun": latest_run,
        "currentVersion": None if version is None else version["version"],
        "labels": names.labels(told),
        "tags": names.tags(told),
    }


def lean_latest_run(standing: JobStanding, version: NamedVersion | None) -> Run | None:
    """Return the run of a job that started last, as its row tells it; None where none is known."""
    if standing.run_id is None:
        return None
    return lean_run(
        standing.run_id,
        standing.run_state,
        standing.started_at,
        standing.ended_at,
        last_at=None,
        version=version,
    )


def whole_jobs(request: QueryRequest, contents: Contents, jobs: Sequence[JobRecord]) -> list[Job]:
    """Return the jobs, one cohort, with all that is known of them."""
    if not jobs:
        return []
    ask = jobs[0].cohort.ask
    latest: Mapping[uuid.UUID, RunRecord] = ask(latest_runs)
    runs = dict(zip(latest, whole_runs(request, list(latest.values())), strict=True))
    described: Mapping[uuid.UUID, Described] = ask(described_jobs)
    facets: Mapping[uuid.UUID, list[FacetRecord]] = ask(facets_of_jobs)
    found = job_standings(request, [job.row_id for job in jobs])
    standings = {standing.id: standing for standing in found}
    datasets = contents.datasets(request, [standing.shape_hash for standing in found])
    answer = []
    for job in jobs:
        key, standing = JobKey(job.namespace, job.name), standings[job.row_id]
        of_job = datasets.get(standing.shape_hash, NO_DATASETS)
        version, run = current_version(key, standing, of_job), runs.get(job.row_id)
        whole = lean_job(key, standing, of_job, version, run, described.get(job.row_id, UNDESCRIBED))
        whole["latestRuns"] = [] if run is None else [run]
        whole["facets"] = names.facets(facets.get(job.row_id, []))
        answer.append(whole)
    return answer


def found_job(request: QueryRequest, namespace: str, name: str) -> JobRecord:
    """Return the job; raise `NotFound`, for its namespace where nothing is in that."""
    found = job_by_names(request, [(namespace, name)])
    if found is None:
        check_namespace(request, namespace)
        raise NotFound(f"expected a job that was heard of, found none named {name!r} in {namespace!r}"[:500])
    return found


def job_router(asking: Asking, contents: Contents) -> APIRouter:
    """Return the routes about jobs."""
    router = APIRouter(tags=["jobs"], route_class=NameRoute)

    def listed(question: QueryRequest, namespace: str | None, limit: int, offset: int) -> JobList:
        found = JOBS.listed(question, namespace=namespace, limit=limit, offset=offset)
        jobs = whole_jobs(question, contents, found)
        return {"jobs": jobs, "totalCount": JOBS.counted(question, namespace)}

    @router.get("/jobs", response_model=JobList)
    async def get_all_jobs(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
        """The jobs of all namespaces, by namespace and name."""
        return await asking.answer(
            request, lambda question: listed(question, None, limit, offset), events=True
        )

    @router.get("/namespaces/{namespace}/jobs", response_model=JobList)
    async def get_jobs(
        request: Request, namespace: NamespaceName, limit: Limit = 100, offset: Offset = 0
    ) -> Response:
        """The jobs of a namespace, by name; none where nobody heard of the namespace, as Marquez answers."""
        return await asking.answer(
            request, lambda question: listed(question, namespace, limit, offset), events=True
        )

    @router.get("/namespaces/{namespace}/jobs/{job}", response_model=Job)
    async def get_job(request: Request, namespace: NamespaceName, job: JobName) -> Response:
        """One job with its latest runs and its facets."""

        def read(question: QueryRequest) -> Job:
            record = found_job(question, namespace, job)
            (found,) = whole_jobs(question, contents, [record])
            runs, _ = listed_runs(question, record.row_id, limit=LATEST_RUNS, offset=0)
            found["latestRuns"] = whole_runs(question, runs)
            return found

        return await asking.answer(request, read, events=True)

    @router.get("/namespaces/{namespace}/jobs/{job}/runs", response_model=RunList)
    async def get_runs(
        request: Request, namespace: NamespaceName, job: JobName, limit: Limit = 100, offset: Offset = 0
    ) -> Response:
        """The runs of a job, latest first."""

        def read(question: QueryRequest) -> RunList:
            record = found_job(question, namespace, job)
            runs, count = listed_runs(question, record.row_id, limit=limit, offset=offset)
            return {"runs": whole_runs(question, runs), "totalCount": count}

        return await asking.answer(request, read, events=True)

    return router
