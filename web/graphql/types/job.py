"""Jobs."""

import datetime as dt

import strawberry

from catalog.keys import HEADWATER_NAMESPACE
from web.graphql.connections import Connection
from web.graphql.facet_records import (
    UNDESCRIBED,
    Described,
    FacetRecord,
    JobTypeRecord,
    OwnerRecord,
    TagRecord,
)
from web.graphql.loaders.facets import described_jobs, facets_of_jobs
from web.graphql.loaders.jobs import job_inputs, job_outputs, parents
from web.graphql.loaders.pipelines import pipelines_of_jobs
from web.graphql.loaders.runs import latest_runs, run_pages_of_jobs
from web.graphql.pages import NESTED_FIRST, Page
from web.graphql.records import DatasetRecord, JobRecord, PipelineRecord, RunRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.enums import RunEventType
from web.graphql.types.facet import Facet, JobKind, Owner, Tag
from web.graphql.types.references import DatasetType, JobType, PipelineType, RunType


def _latest_run(root: JobRecord) -> RunRecord | None:
    """The run that started last; null where none was told."""
    return root.cohort.ask(latest_runs).get(root.row_id)


def _runs(
    root: JobRecord,
    first: int = NESTED_FIRST,
    after: str | None = None,
    states: list[RunEventType] | None = None,
) -> Page[RunRecord]:
    """The runs, those that started last first."""
    chosen = None if states is None else tuple(state.value for state in states)
    return root.cohort.ask(run_pages_of_jobs, first, after, chosen)[root.row_id]


def _inputs(root: JobRecord) -> list[DatasetRecord] | None:
    """What it reads now: the inputs of its last completed run or JobEvent; null where nobody told."""
    return root.cohort.ask(job_inputs).get(root.row_id)


def _outputs(root: JobRecord) -> list[DatasetRecord] | None:
    """What it writes now: the outputs of its last completed run or JobEvent; null where nobody told."""
    return root.cohort.ask(job_outputs).get(root.row_id)


def _facets(root: JobRecord) -> list[FacetRecord]:
    """Every facet that was told of it, by name, as it was sent last."""
    return root.cohort.ask(facets_of_jobs).get(root.row_id, [])


def _described(root: JobRecord) -> Described:
    return root.cohort.ask(described_jobs).get(root.row_id, UNDESCRIBED)


def _description(root: JobRecord) -> str | None:
    """What it does, as a producer told (OpenLineage documentation)."""
    return _described(root).description


def _owners(root: JobRecord) -> list[OwnerRecord]:
    """Who answers for it, as a producer told."""
    return _described(root).owners


def _tags(root: JobRecord) -> list[TagRecord]:
    """The labels that a producer gave it."""
    return _described(root).tags


def _job_type(root: JobRecord) -> JobTypeRecord | None:
    """What it is; null where no producer told."""
    return _described(root).job_type


def _sql(root: JobRecord) -> str | None:
    """The statement that it runs; null where no producer told."""
    return _described(root).sql


def _parents(root: JobRecord) -> list[JobRecord]:
    """The jobs within whose runs its runs were started."""
    return root.cohort.ask(parents).get(root.row_id, [])


def _pipeline(root: JobRecord) -> PipelineRecord | None:
    """The pipeline whose runs are runs of this job: jobs of the namespace headwater bear a pipeline's name."""
    return (
        root.cohort.ask(pipelines_of_jobs).get(root.name) if root.namespace == HEADWATER_NAMESPACE else None
    )


@object_type
class Job:
    """A job as OpenLineage names it."""

    id: strawberry.ID = plain("Its node id, job:NAMESPACE:NAME.")
    namespace: str = plain("Where it runs.")
    name: str = plain("Its name there.")
    first_seen_at: dt.datetime = plain("When it was first heard of.")
    position: Long = plain("Ledger position of the fact that first named it.")
    shape_at: dt.datetime | None = plain(
        "Since when it reads and writes what it does now; null where nobody told."
    )
    latest_run = resolved(_latest_run, RunType | None)
    runs = resolved(_runs, Connection[RunType])
    inputs = resolved(_inputs, list[DatasetType] | None)
    outputs = resolved(_outputs, list[DatasetType] | None)
    parents = resolved(_parents, list[JobType])
    description = resolved(_description, str | None)
    owners = resolved(_owners, list[Owner])
    tags = resolved(_tags, list[Tag])
    job_type = resolved(_job_type, JobKind | None)
    sql = resolved(_sql, str | None)
    facets = resolved(_facets, list[Facet])
    pipeline = resolved(_pipeline, PipelineType | None)
