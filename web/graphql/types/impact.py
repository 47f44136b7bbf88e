"""Impact: what a change may change, and what would start."""

from enum import Enum

import strawberry

from web.graphql.loaders.impact import (
    ConsequenceRecord,
    ImpactNodeRecord,
    datasets_of_impact,
    jobs_of_impact,
    pipelines_of_consequences,
)
from web.graphql.records import DatasetRecord, JobRecord, PipelineRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import enum_type, object_type, plain, resolved, word
from web.graphql.types.enums import NodeKind
from web.graphql.types.lineage import Completeness
from web.graphql.types.references import DatasetType, JobType, PipelineType


@enum_type
class ImpactLevel(Enum):
    """How precisely it is known what of a dataset is affected."""

    TABLE = word("TABLE", "All of it may be.")
    COLUMNS = word(
        "COLUMNS",
        "The fields of it in the answer are, and no others; where there are none, nothing is made of it.",
    )


@object_type
class ImpactCounts:
    """How much is affected, of what the answer holds."""

    datasets: int = plain("Datasets.")
    datasets_by_columns: int = plain("Those of them whose affected fields are known.")
    fields: int = plain("Fields that are known to be affected.")
    jobs: int = plain("Jobs.")


def _dataset(root: ImpactNodeRecord) -> DatasetRecord | None:
    """The dataset, of a field the one that it is in; null for a job."""
    return root.cohort.ask(datasets_of_impact).get(root.row_id)


def _job(root: ImpactNodeRecord) -> JobRecord | None:
    """The job; null for a dataset or a field."""
    return root.cohort.ask(jobs_of_impact).get(root.row_id)


def _path(root: ImpactNodeRecord) -> list[str]:
    """Node ids of a shortest path to it, from the start on.

    Names of one dataset, and a field and its dataset, are no distance apart.
    """
    return root.path


@object_type
class ImpactNode:
    """A dataset, a job or a field that may be affected."""

    id: strawberry.ID = plain("Its node id.")
    kind: NodeKind = plain("Whether it is a dataset, a job or a field.")
    namespace: str = plain("Where it is.")
    name: str = plain("Its name there; of a field, the name of its dataset.")
    field: str | None = plain("The name of the field in its dataset; null for a dataset or a job.")
    distance: int = plain("Edges from the start: dataset to job is one, field to field two.")
    level: ImpactLevel | None = plain("How precisely it is known what of a dataset is affected; else null.")
    path = resolved(_path, list[strawberry.ID])
    dataset = resolved(_dataset, DatasetType | None)
    job = resolved(_job, JobType | None)


def _pipeline(root: ConsequenceRecord) -> PipelineRecord | None:
    """The pipeline."""
    return root.cohort.ask(pipelines_of_consequences).get(root.name)


@object_type
class ImpactPipeline:
    """An active pipeline whose condition names something that would change."""

    name: str = plain("Its name.")
    starts: bool = plain("Whether its condition would be true by that, with what is queued already.")
    round: int = plain(
        "1 where it waits for what is affected itself; n + 1 where it waits for what a pipeline of round n writes."
    )
    because: list[strawberry.ID] = plain(
        "Node ids of the datasets in its condition that would have a new version."
    )
    waiting_for: str | None = plain("What else it waits for; null where it would start.")
    pipeline = resolved(_pipeline, PipelineType | None)


@object_type
class Impact:
    """What a change of a dataset, a job or a field may change: what is downstream, by columns where they are known."""

    node_id: strawberry.ID = plain("The node id that was asked about, as it is stored.")
    counts: ImpactCounts = plain("How much is affected, of what this answer holds.")
    nodes: list[ImpactNode] = plain("What is affected, nearest first; the start itself is not repeated.")
    pipelines: list[ImpactPipeline] = plain(
        "Active pipelines that wait for any of it or of the start, and those that wait for what these write."
    )
    completeness: Completeness = plain("Whether this is everything.")
    position: Long = plain("Ledger position that the graph was read at.")
