"""Facets as producers sent them, and what some of them say."""

import datetime as dt

import strawberry
from strawberry.scalars import JSON

from web.graphql.facet_records import FacetRecord
from web.graphql.loaders.facets import tellers
from web.graphql.types.declaring import object_type, plain, resolved


def _run_id(root: FacetRecord) -> strawberry.ID | None:
    """UUID of the run whose event told it; null for an event outside any run, and where the event was removed."""
    run = root.told_by or root.cohort.ask(tellers).get(root.event_digest)
    return None if run is None else strawberry.ID(str(run))


@object_type
class Facet:
    """A facet as the producer sent it: of each, what the greatest event told."""

    name: str = plain("Its name, such as schema.")
    body: JSON = plain("All of it; integers keep every digit.")
    producer: str | None = plain("Who made it, as it says itself.")
    at: dt.datetime = plain("Event time of the event that told it.")
    run_id = resolved(_run_id, strawberry.ID | None)


@object_type
class Owner:
    """Who answers for something, as a producer told (OpenLineage ownership)."""

    name: str = plain("Such as team:orders or mailto:jane@example.com.")
    type: str | None = plain("In which way, such as MAINTAINER; null where the producer did not tell.")


@object_type
class Tag:
    """A label that a producer gave (OpenLineage tags)."""

    key: str = plain("What it says.")
    value: str | None = plain("The value that goes with it; null where there is none.")
    source: str | None = plain(
        "Where it comes from, such as an integration; null where the producer did not tell."
    )
    field: str | None = plain("The column that it is about; null where it is about the whole.")


@object_type
class DatasetKind:
    """What a dataset is (OpenLineage datasetType)."""

    type: str | None = plain("Such as TABLE, VIEW or TOPIC.")
    sub_type: str | None = plain("Such as MATERIALIZED; null where the producer did not tell.")


@object_type
class JobKind:
    """What a job is (OpenLineage jobType)."""

    processing_type: str | None = plain("BATCH or STREAMING.")
    integration: str | None = plain("What tells of it, such as SPARK or DBT.")
    job_type: str | None = plain("Such as QUERY, TASK or MODEL; null where the producer did not tell.")
