"""Jobs: by identity, by page, what they read and write now, and within which jobs they run."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from catalog.keys import JobKey
from catalog.openlineage.shape import Shape
from catalog.queries import load_queries
from web.graphql.cohort import in_cohort
from web.graphql.loaders.datasets import datasets_by_id
from web.graphql.loaders.named import NamedThings
from web.graphql.records import DatasetRecord, JobRecord, PipelineRecord, RunRecord
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("jobs.sql"))

JOBS = NamedThings.of("jobs", QUERIES, JobRecord, JobKey)
jobs_by_id = JOBS.by_id
job_by_names = JOBS.by_names
job_page = JOBS.page


def jobs_of(request: QueryRequest, members: Sequence[RunRecord]) -> Mapping[uuid.UUID, JobRecord]:
    """Return the jobs that the members name by `job_id`."""
    return jobs_by_id(request, [member.job_id for member in members])


def shapes(request: QueryRequest, members: Sequence[JobRecord]) -> Mapping[bytes, Shape]:
    """Return the current shapes of the jobs by their hash."""
    hashes = list({member.shape_hash for member in members if member.shape_hash is not None})
    rows = request.rows(QUERIES["shapes"], hashes=hashes) if hashes else []
    return {bytes(found): Shape.from_json(orjson.loads(body)) for found, body in rows}


def job_inputs(
    request: QueryRequest, members: Sequence[JobRecord]
) -> Mapping[uuid.UUID, list[DatasetRecord]]:
    """Return what each job reads now; a job whose lineage nobody told is not in the answer."""
    return _datasets(request, members, "inputs")


def job_outputs(
    request: QueryRequest, members: Sequence[JobRecord]
) -> Mapping[uuid.UUID, list[DatasetRecord]]:
    """Return what each job writes now; a job whose lineage nobody told is not in the answer."""
    return _datasets(request, members, "outputs")


def _datasets(
    request: QueryRequest, members: Sequence[JobRecord], side: str
) -> dict[uuid.UUID, list[DatasetRecord]]:
    known: Mapping[Any, Shape] = members[0].cohort.ask(shapes) if members else {}
    keys = {
        member.row_id: [key.id for key in getattr(known[member.shape_hash], side)]
        for member in members
        if member.shape_hash in known
    }
    found = datasets_by_id(request, [key for listed in keys.values() for key in listed])
    return {job: [found[key] for key in listed if key in found] for job, listed in keys.items()}


def parents(request: QueryRequest, members: Sequence[JobRecord]) -> Mapping[uuid.UUID, list[JobRecord]]:
    """Return the jobs within whose runs each job's runs were started."""
    found: defaultdict[uuid.UUID, list[JobRecord]] = defaultdict(list)
    for job, *columns in request.rows(QUERIES["parents"], ids=[member.row_id for member in members]):
        found[job].append(JobRecord(*columns))
    in_cohort(request, [record for records in found.values() for record in records])
    return found


def jobs_reported(request: QueryRequest, members: Sequence[PipelineRecord]) -> Mapping[uuid.UUID, JobRecord]:
    """Return the stored jobs that the documents of the pipelines name."""
    return jobs_by_id(request, [key.id for member in members if (key := member.reported_job) is not None])
