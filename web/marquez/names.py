"""How Headwater's records are called in Marquez's answers: states, types, versions of jobs and schemas."""

import datetime as dt
import functools
import uuid
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import assert_never
from urllib.parse import urlsplit

import orjson

from catalog.keys import DatasetKey, JobKey, digest_uuid
from catalog.openlineage.envelope import EventType
from web.graphql.facet_records import Described, FacetRecord
from web.graphql.records import FieldRecord
from web.marquez.shapes import DatasetTypeName, Facets, Field, JobTypeName, NamedVersion, RunState

#: Schemes of namespaces whose datasets are streams of records.
STREAM_SCHEMES = frozenset({"kafka", "kinesis", "pubsub", "pulsar", "eventhubs"})
#: What Marquez calls the owner of a namespace that nobody declared.
NO_OWNER = "anonymous"


def run_state(state: EventType | None) -> RunState:
    """Return Marquez's name of a run's state; a run that told neither start nor end is NEW."""
    match state:
        case "START" | "RUNNING":
            return "RUNNING"
        case "COMPLETE":
            return "COMPLETED"
        case "FAIL":
            return "FAILED"
        case "ABORT":
            return "ABORTED"
        case "OTHER" | None:
            return "NEW"
        case _:
            assert_never(state)


def milliseconds(start: dt.datetime | None, end: dt.datetime | None) -> int | None:
    """Return how long a run took, None while that is not known."""
    return None if start is None or end is None else max(0, (end - start) // dt.timedelta(milliseconds=1))


def named_version(key: DatasetKey | JobKey, version: uuid.UUID) -> NamedVersion:
    """Return a version with the namespace and the name of what it is a version of."""
    return {"namespace": key.namespace, "name": key.name, "version": version}


def datasets_digest(read: Iterable[Sequence[str]], written: Iterable[Sequence[str]]) -> bytes:
    """Return what tells what a job reads and writes, as pairs of namespace and name, from anything else."""
    return blake2b(orjson.dumps([list(map(list, read)), list(map(list, written))]), digest_size=16).digest()


def job_version(job: JobKey, digest: bytes) -> NamedVersion:
    """Return the version of a job: the same for as long as it reads and writes the same datasets."""
    text = b"job version:" + job.id.bytes + digest
    return named_version(job, uuid.UUID(bytes=blake2b(text, digest_size=16).digest()))


def schema_version(schema_hash: str | None) -> uuid.UUID | None:
    """Return the version of a schema: equal for equal columns."""
    return None if schema_hash is None else digest_uuid("schema version", schema_hash)


def source_type(namespace: str) -> str:
    """Return what a source is, which the scheme of its namespace tells, in capitals."""
    return (_scheme(namespace) or "unknown").upper()


def dataset_type(namespace: str, told: Described) -> DatasetTypeName:
    """Return STREAM for what the datasetType facet, or else the namespace, calls so."""
    kind = None if told.dataset_type is None else told.dataset_type.type
    if kind is not None:
        return "STREAM" if kind.upper() in {"STREAM", "TOPIC"} else "DB_TABLE"
    return "STREAM" if _scheme(namespace) in STREAM_SCHEMES else "DB_TABLE"


@functools.lru_cache(maxsize=1024)
def _scheme(namespace: str) -> str | None:
    try:
        return urlsplit(namespace).scheme or None
    except ValueError:
        return None


def job_type(told: Described) -> JobTypeName:
    """Return what the jobType facet says; BATCH where it says nothing."""
    kind = None if told.job_type is None else told.job_type.processing_type
    return "STREAM" if kind is not None and kind.upper() in {"STREAMING", "STREAM"} else "BATCH"


def facets(records: Sequence[FacetRecord]) -> Facets:
    """Return facets by name, as they were sent."""
    return {record.name: record.body for record in records}


def tags(told: Described) -> list[str]:
    """Return the tags of a thing, not those of its columns, each once and in order."""
    return sorted({tag.key for tag in told.tags if tag.field is None}) if told.tags else []


def labels(told: Described) -> list[str]:
    """Return what a job is and what told of it, as its jobType facet says."""
    kind = told.job_type
    return [] if kind is None else [text for text in (kind.job_type, kind.integration) if text is not None]


def fields(columns: Sequence[FieldRecord], above: str = "") -> list[Field]:
    """Return columns; those within a nested one stand after it, with its name and a dot before theirs."""
    found: list[Field] = []
    for column in columns:
        name = above + column.name
        found.append(
            {
                "name": name,
                "type": column.type,
                "tags": sorted({tag.key for tag in column.tags}),
                "description": column.description,
            }
        )
        found += fields(column.fields, f"{name}.")
    return found


def tagged_fields(columns: Sequence[FieldRecord], told: Described) -> list[Field]:
    """Return columns with the tags that facets of their dataset give them."""
    tags = told.tags_by_column
    return fields([column.tagged(tags) for column in columns] if tags else columns)
