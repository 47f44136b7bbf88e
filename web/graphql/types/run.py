"""OpenLineage runs."""

import datetime as dt

import strawberry

from catalog.openlineage.merge import MergedRun
from web.graphql.connections import Connection
from web.graphql.facet_records import Described, FacetRecord, TagRecord
from web.graphql.loaders.datasets import datasets_of, schemas_of
from web.graphql.loaders.facets import facets_of_run_datasets, facets_of_runs, run_facets
from web.graphql.loaders.jobs import jobs_of
from web.graphql.loaders.pipeline_runs import pipeline_runs_of
from web.graphql.loaders.runs import (
    child_pages,
    fact_pages,
    merged_runs,
    parent_runs,
    removed_events,
    root_runs,
    run_inputs,
    run_outputs,
)
from web.graphql.loaders.versions import consumed_by_runs, versions_of_runs
from web.graphql.pages import NESTED_FIRST, Page
from web.graphql.records import (
    ConsumedVersionsRecord,
    DatasetRecord,
    FactRecord,
    FieldRecord,
    JobRecord,
    PipelineRunRecord,
    RunDatasetRecord,
    RunRecord,
    VersionRecord,
)
from web.graphql.scalars import Long
from web.graphql.types.dataset import SchemaField
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.enums import RunEventType
from web.graphql.types.facet import Facet, Tag
from web.graphql.types.references import (
    DatasetType,
    DatasetVersionType,
    FactType,
    JobType,
    PipelineRunType,
    RunType,
)
from web.graphql.types.version import ConsumedVersions


def _dataset(root: RunDatasetRecord) -> DatasetRecord | None:
    """The dataset."""
    return root.cohort.ask(datasets_of).get(root.dataset_id)


def _fields(root: RunDatasetRecord) -> list[FieldRecord] | None:
    """The columns that the run told; null where it did not."""
    return None if root.schema_hash is None else root.cohort.ask(schemas_of).get(root.schema_hash)


def _dataset_facets(root: RunDatasetRecord) -> list[FacetRecord]:
    """The facets that it has as an input or output of this run alone, by name, as they were sent last."""
    return root.cohort.ask(facets_of_run_datasets).get(root.row_id, [])


@object_type
class RunDataset:
    """A dataset as the events of one run speak of it, together."""

    lifecycle: str | None = plain("Such as CREATE, DROP or RENAME; null where it was not told.")
    producer_version: str | None = plain("The version as the producer names it; null where it was not told.")
    row_count: Long | None = plain("Rows read or written; null where it was not told.")
    byte_count: Long | None = plain("Bytes read or written; null where it was not told.")
    file_count: Long | None = plain("Files read or written; null where it was not told.")
    partition: str | None = plain("The one partition read or written; null for several or the whole.")
    description: str | None = plain("What the producer says that it holds.")
    dataset = resolved(_dataset, DatasetType | None)
    fields = resolved(_fields, list[SchemaField] | None)
    facets = resolved(_dataset_facets, list[Facet])


def _merged(root: RunRecord) -> MergedRun | None:
    return root.cohort.ask(merged_runs).get(root.row_id)


def _job(root: RunRecord) -> JobRecord | None:
    """The job."""
    return root.cohort.ask(jobs_of).get(root.job_id)


def _last_event_at(root: RunRecord) -> dt.datetime | None:
    """Event time of its latest event; null where it never reported."""
    merged = _merged(root)
    return None if merged is None else merged.last_event_at


def _nominal_start(root: RunRecord) -> dt.datetime | None:
    """The time for which it was scheduled; null where that was not told."""
    merged = _merged(root)
    return None if merged is None else merged.nominal_start


def _nominal_end(root: RunRecord) -> dt.datetime | None:
    """The end of the interval for which it was scheduled; null where that was not told."""
    merged = _merged(root)
    return None if merged is None else merged.nominal_end


def _error_message(root: RunRecord) -> str | None:
    """What the producer says went wrong."""
    merged = _merged(root)
    return None if merged is None else merged.error_message


def _extraction_error(root: RunRecord) -> bool | None:
    """Whether the producer could not extract all lineage, so that the run changes none; null as for `inputs`."""
    merged = _merged(root)
    return None if merged is None else merged.extraction_error


def _id_derived(root: RunRecord) -> bool | None:
    """Whether the producer's run id is no UUID, so that this one was made of it; null where it never reported."""
    merged = _merged(root)
    return None if merged is None else merged.id_derived


def _parent(root: RunRecord) -> RunRecord | None:
    """The run that started it; null where there is none, or where it never reported (`parentId` still names it)."""
    return None if root.parent_id is None else root.cohort.ask(parent_runs).get(root.parent_id)


def _root_run(root: RunRecord) -> RunRecord | None:
    """The run that all this began with, perhaps itself; null where that never reported."""
    return root if root.root_id == root.row_id else root.cohort.ask(root_runs).get(root.root_id)


def _children(root: RunRecord, first: int = NESTED_FIRST, after: str | None = None) -> Page[RunRecord]:
    """The runs that it started, latest first."""
    return root.cohort.ask(child_pages, first, after)[root.row_id]


def _inputs(root: RunRecord) -> list[RunDatasetRecord] | None:
    """What it read; null where it never reported."""
    return root.cohort.ask(run_inputs).get(root.row_id)


def _outputs(root: RunRecord) -> list[RunDatasetRecord] | None:
    """What it wrote; null where it never reported."""
    return root.cohort.ask(run_outputs).get(root.row_id)


def _versions(root: RunRecord) -> list[VersionRecord]:
    """The dataset versions that it made."""
    return root.cohort.ask(versions_of_runs).get(root.row_id, [])


def _consumed_versions(root: RunRecord) -> ConsumedVersionsRecord | None:
    """The versions that it read; null where nobody can know."""
    return root.cohort.ask(consumed_by_runs).get(root.row_id)


def _facets(root: RunRecord) -> list[FacetRecord]:
    """Every facet of the run, by name, as it was sent last; those of datasets and jobs stand there."""
    return root.cohort.ask(facets_of_runs).get(root.row_id, [])


def _tags(root: RunRecord) -> list[TagRecord]:
    """The labels that the producer gave it."""
    facets = root.cohort.ask(run_facets).get(root.row_id)
    return (
        [] if facets is None else Described.of({name: told.facet for name, told in facets.run.items()}).tags
    )


def _events(root: RunRecord, first: int = NESTED_FIRST, after: str | None = None) -> Page[FactRecord]:
    """The facts that name it, in ledger order; a page ends early where their bodies are large."""
    return root.cohort.ask(fact_pages, first, after)[root.row_id]


def _removed_events(root: RunRecord) -> int:
    """How many of its events have lost their bodies to retention.

    Where it is not 0, its facets and tags, and those of its inputs and outputs, lack what those events told.
    """
    return root.cohort.ask(removed_events).get(root.row_id, 0)


def _pipeline_run(root: RunRecord) -> PipelineRunRecord | None:
    """The pipeline run that it is; null for a run that Headwater did not create."""
    return root.cohort.ask(pipeline_runs_of).get(root.row_id)


@object_type
class Run:
    """A run as OpenLineage tells it."""

    id: strawberry.ID = plain("Its UUID.")
    node_id: strawberry.ID = plain("Its node id, run:UUID.")
    reported: bool = plain("Whether an event of it was heard; a pipeline run need not report itself.")
    state: RunEventType | None = plain("How it stands; null where it never reported.")
    started_at: dt.datetime | None = plain("Event time of its first START; null where none was told.")
    ended_at: dt.datetime | None = plain("Event time of its end; null where none was told.")
    parent_id: strawberry.ID | None = plain("UUID of the run that started it.")
    root_id: strawberry.ID = plain("UUID of the run that all this began with, perhaps its own.")
    position: Long | None = plain("Ledger position of its first event; null where it never reported.")
    job = resolved(_job, JobType | None)
    last_event_at = resolved(_last_event_at, dt.datetime | None)
    nominal_start = resolved(_nominal_start, dt.datetime | None)
    nominal_end = resolved(_nominal_end, dt.datetime | None)
    error_message = resolved(_error_message, str | None)
    extraction_error = resolved(_extraction_error, bool | None)
    id_derived = resolved(_id_derived, bool | None)
    parent = resolved(_parent, RunType | None)
    root = resolved(_root_run, RunType | None)
    children = resolved(_children, Connection[RunType])
    inputs = resolved(_inputs, list[RunDataset] | None)
    outputs = resolved(_outputs, list[RunDataset] | None)
    versions = resolved(_versions, list[DatasetVersionType])
    consumed_versions = resolved(_consumed_versions, ConsumedVersions | None)
    tags = resolved(_tags, list[Tag])
    facets = resolved(_facets, list[Facet])
    events = resolved(_events, Connection[FactType])
    removed_events = resolved(_removed_events, Long)
    pipeline_run = resolved(_pipeline_run, PipelineRunType | None)
