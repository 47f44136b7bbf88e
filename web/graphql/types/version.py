"""Dataset versions."""

import datetime as dt

import strawberry

from web.graphql.loaders.datasets import datasets_of, schemas_of
from web.graphql.loaders.versions import consumed_by_runs, consumers, current_ids, makers
from web.graphql.records import (
    ConsumedVersionsRecord,
    DatasetRecord,
    FieldRecord,
    PipelineRunRecord,
    RunRecord,
    VersionRecord,
)
from web.graphql.scalars import Long
from web.graphql.types.dataset import SchemaField
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.enums import ConsumptionBasis, DatasetVersionOrigin, DatasetVersionState
from web.graphql.types.references import DatasetType, DatasetVersionType, PipelineRunType, RunType


@object_type
class ConsumedVersion:
    """A version that a run read."""

    version: DatasetVersionType = plain("The version.")
    basis: ConsumptionBasis = plain("How that is known.")


@object_type
class ConsumedVersions:
    """What a run read."""

    nodes: list[ConsumedVersion] = plain("The versions that are known.")
    complete: bool = plain(
        "Whether these are all that is known to have been read: false beyond 1,000 consumed versions, and where the"
        " start of the run is unknown, so that nobody can say what was current then."
    )


def _dataset(root: VersionRecord) -> DatasetRecord | None:
    """The dataset."""
    return root.cohort.ask(datasets_of).get(root.dataset_id)


def _is_current(root: VersionRecord) -> bool:
    """Whether it is the current version of its dataset."""
    return root.cohort.ask(current_ids).get(root.dataset_id) == root.row_id


def _fields(root: VersionRecord) -> list[FieldRecord] | None:
    """The columns as they were told with this version; null where they were not."""
    return None if root.schema_hash is None else root.cohort.ask(schemas_of).get(root.schema_hash)


def _run(root: VersionRecord) -> RunRecord | None:
    """The run that made it; null for what no run made."""
    return None if root.run_id is None else root.cohort.ask(makers).get(root.run_id)


def _consumed_versions(root: VersionRecord) -> ConsumedVersionsRecord | None:
    """The versions that its run read; null where no run made it or nobody can know."""
    run = _run(root)
    return None if run is None else run.cohort.ask(consumed_by_runs).get(run.row_id)


def _consumed_by(root: VersionRecord) -> list[PipelineRunRecord]:
    """The pipeline runs that took it from a queue."""
    return root.cohort.ask(consumers).get(root.row_id, [])


@object_type
class DatasetVersion:
    """One state of a dataset's content."""

    id: strawberry.ID = plain("Its UUID.")
    state: DatasetVersionState = plain("What it counts for.")
    origin: DatasetVersionOrigin = plain("Who made it known.")
    time: dt.datetime = plain("When the data became so: the event's time, but never later than its receipt.")
    event_time: dt.datetime = plain("The time that the event told.")
    partition: str | None = plain("The one partition that was written; null for the dataset as a whole.")
    producer_version: str | None = plain("The producer's own name for the version; null where it has none.")
    lifecycle: str | None = plain("Such as CREATE, OVERWRITE or TRUNCATE; null where it was not told.")
    row_count: Long | None = plain("Rows written; null where it was not told.")
    byte_count: Long | None = plain("Bytes written; null where it was not told.")
    digest: str | None = plain("Digest of the content; null where it was not told.")
    run_id: strawberry.ID | None = plain("The run that made it; null for what no run made.")
    position: Long = plain("Ledger position of the fact that made it known.")
    dataset = resolved(_dataset, DatasetType | None)
    is_current = resolved(_is_current, bool)
    fields = resolved(_fields, list[SchemaField] | None)
    run = resolved(_run, RunType | None)
    consumed_versions = resolved(_consumed_versions, ConsumedVersions | None)
    consumed_by = resolved(_consumed_by, list[PipelineRunType])
