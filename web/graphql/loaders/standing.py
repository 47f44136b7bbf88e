"""How thousands of datasets and jobs stand: rows with current version, latest run and parent, in one statement each.

For answers in which a cohort of records would cost several times as much.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from catalog.queries import load_queries
from web.graphql.loaders.facets import DESCRIBING
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("standing.sql"))


class DatasetStanding(NamedTuple):
    """A dataset, its current version, and the columns that its newest version with columns told."""

    id: uuid.UUID
    first_seen_at: dt.datetime
    version_id: uuid.UUID | None
    version_time: dt.datetime | None
    lifecycle: str | None
    schema_hash: str | None
    #: Whether facets say something of it that has a field of its own.
    described: bool


class JobStanding(NamedTuple):
    """A job, the run of it that started last, and the first of the jobs within which its runs are started."""

    id: uuid.UUID
    first_seen_at: dt.datetime
    shape_at: dt.datetime | None
    #: The run, or the JobEvent, that told the shape.
    shape_tiebreak: uuid.UUID | None
    shape_hash: bytes | None
    run_id: uuid.UUID | None
    run_state: str | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    parent_id: uuid.UUID | None
    parent_name: str | None
    #: Whether facets say something of it that has a field of its own.
    described: bool


def dataset_standings(request: QueryRequest, ids: Sequence[uuid.UUID]) -> list[DatasetStanding]:
    """Return those among the datasets that are stored, in no order."""
    rows = _rows(request, "datasets", ids=list(ids), describing=DESCRIBING) if ids else []
    return [DatasetStanding(*row) for row in rows]


def job_standings(request: QueryRequest, ids: Sequence[uuid.UUID]) -> list[JobStanding]:
    """Return those among the jobs that are stored, in no order."""
    rows = _rows(request, "jobs", ids=list(ids), describing=DESCRIBING) if ids else []
    return [JobStanding(*row) for row in rows]


def schema_bodies(request: QueryRequest, hashes: Sequence[str]) -> Mapping[str, bytes]:
    """Return the stored columns by the hash of the schema, as JSON."""
    return dict(_rows(request, "schemas", hashes=list(hashes))) if hashes else {}


def shape_bodies(request: QueryRequest, hashes: Sequence[bytes]) -> Mapping[bytes, bytes]:
    """Return the stored shapes by their hash, as JSON."""
    return dict(_rows(request, "shapes", hashes=list(hashes))) if hashes else {}


def _rows(request: QueryRequest, name: str, **parameters: Any) -> list[Any]:
    """Return rows in binary form, which is read a little quicker."""
    return request.read(
        lambda connection: connection.cursor(binary=True).execute(QUERIES[name], parameters).fetchall()
    )
