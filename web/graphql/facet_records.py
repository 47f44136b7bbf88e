"""What answers about facets are made of: facets as they were sent, and what some of them say."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from web.graphql.cohort import Record


@dataclass(slots=True, eq=False)
class FacetRecord(Record):
    """A facet as it was sent; `told_by` is the run where that is known without asking."""

    name: str
    body: Any
    producer: str | None
    at: dt.datetime
    event_digest: bytes
    told_by: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """An entry of an ownership facet."""

    name: str
    type: str | None


@dataclass(frozen=True, slots=True)
class TagRecord:
    """An entry of a tags facet."""

    key: str
    value: str | None
    source: str | None
    field: str | None


@dataclass(frozen=True, slots=True)
class DatasetTypeRecord:
    """What a datasetType facet says."""

    type: str | None
    sub_type: str | None


@dataclass(frozen=True, slots=True)
class JobTypeRecord:
    """What a jobType facet says."""

    processing_type: str | None
    integration: str | None
    job_type: str | None


@dataclass(frozen=True, slots=True)
class Described:
    """What the facets of a dataset, a job or a run say of it; what has another type than it should is unknown."""

    description: str | None
    owners: list[OwnerRecord]
    tags: list[TagRecord]
    dataset_type: DatasetTypeRecord | None
    job_type: JobTypeRecord | None
    sql: str | None
    source_url: str | None

    @classmethod
    def of(cls, facets: Mapping[str, Mapping[str, Any]]) -> "Described":
        """Return what the facets say, by name."""
        dataset_type, job_type = facets.get("datasetType"), facets.get("jobType")
        return cls(
            description=_text(facets.get("documentation", {}), "description"),
            owners=[
                OwnerRecord(name, _text(owner, "type"))
                for owner in _objects(facets.get("ownership", {}), "owners")
                if (name := _text(owner, "name")) is not None
            ],
            tags=[
                TagRecord(key, _text(tag, "value"), _text(tag, "source"), _text(tag, "field"))
                for tag in _objects(facets.get("tags", {}), "tags")
                if (key := _text(tag, "key")) is not None
            ],
            dataset_type=None
            if dataset_type is None
            else DatasetTypeRecord(_text(dataset_type, "datasetType"), _text(dataset_type, "subType")),
            job_type=None
            if job_type is None
            else JobTypeRecord(
                *(_text(job_type, name) for name in ("processingType", "integration", "jobType"))
            ),
            sql=_text(facets.get("sql", {}), "query"),
            source_url=_text(facets.get("sourceCodeLocation", {}), "url"),
        )

    @property
    def tags_by_column(self) -> dict[str, list[TagRecord]]:
        """The tags that name a column, by the column."""
        found: dict[str, list[TagRecord]] = {}
        for tag in self.tags:
            if tag.field is not None:
                found.setdefault(tag.field, []).append(tag)
        return found


def _text(value: Mapping[str, Any], name: str) -> str | None:
    found = value.get(name)
    return found if isinstance(found, str) and found else None


def _objects(value: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = value.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


#: What is said of that of which no facet was told.
UNDESCRIBED = Described.of({})
