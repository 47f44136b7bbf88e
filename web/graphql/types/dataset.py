"""Datasets."""

import datetime as dt

import strawberry

from graph.model import Direction
from web.graphql.connections import Connection
from web.graphql.loaders.datasets import aliases, dataset_fields, shown_names
from web.graphql.loaders.neighbours import Neighbours as NeighboursRecord
from web.graphql.loaders.neighbours import neighbours
from web.graphql.loaders.versions import current_versions, version_pages
from web.graphql.pages import NESTED_FIRST, Page
from web.graphql.records import AliasRecord, DatasetRecord, FieldRecord, VersionRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.enums import DatasetVersionState
from web.graphql.types.lineage import Completeness
from web.graphql.types.references import DatasetType, DatasetVersionType, JobType


@object_type
class SchemaField:
    """A column, as the producer described it."""

    name: str = plain("Its name.")
    type: str | None = plain("Its type in the producer's words; null where the producer did not tell.")
    description: str | None = plain("What it holds; null where the producer did not tell.")
    fields: list["SchemaField"] = plain("The columns within it, for a nested one.")


@object_type
class DatasetAlias:
    """Another name of a dataset (OpenLineage symlinks): nothing is merged, but conditions see both."""

    dataset: DatasetType = plain("The dataset under its other name.")
    type: str | None = plain("Such as TABLE; null where the two are only connected through a third name.")
    since: dt.datetime | None = plain("When an event first named the two together; null as for `type`.")


@object_type
class JobNeighbours:
    """The jobs next to a dataset, aliases crossed."""

    jobs: list[JobType] = plain("The jobs by node id.")
    completeness: Completeness = plain("Whether these are all.")
    position: Long = plain("Ledger position that the graph was read at.")


def _current_version(root: DatasetRecord) -> VersionRecord | None:
    """The version with the greatest (event time, identity) among the published ones; null where there is none.

    It is of this name alone; what was written under an alias stands there.
    """
    return root.cohort.ask(current_versions).get(root.row_id)


def _versions(
    root: DatasetRecord,
    first: int = NESTED_FIRST,
    after: str | None = None,
    states: list[DatasetVersionState] | None = None,
) -> Page[VersionRecord]:
    """The versions, latest first."""
    chosen = None if states is None else tuple(state.value for state in states)
    return root.cohort.ask(version_pages, first, after, chosen)[root.row_id]


def _fields(root: DatasetRecord) -> list[FieldRecord] | None:
    """The columns that the newest of the last 100 published versions told; null where none of them did."""
    return root.cohort.ask(dataset_fields).get(root.row_id)


def _aliases(root: DatasetRecord) -> list[AliasRecord]:
    """Its other names."""
    return root.cohort.ask(aliases).get(root.row_id, [])


def _shown_name(root: DatasetRecord) -> DatasetRecord:
    """The dataset under the name to show people: the TABLE symlink's, else the smallest of its names."""
    return root.cohort.ask(shown_names).get(root.row_id, root)


def _producers(root: DatasetRecord, first: int = NESTED_FIRST) -> NeighboursRecord:
    """The jobs that write it now."""
    return root.cohort.ask(neighbours, Direction.UPSTREAM, first)[root.row_id]


def _consumers(root: DatasetRecord, first: int = NESTED_FIRST) -> NeighboursRecord:
    """The jobs that read it now."""
    return root.cohort.ask(neighbours, Direction.DOWNSTREAM, first)[root.row_id]


@object_type
class Dataset:
    """A dataset as OpenLineage names it."""

    id: strawberry.ID = plain("Its node id, dataset:NAMESPACE:NAME.")
    namespace: str = plain("Where it is.")
    name: str = plain("Its name there.")
    first_seen_at: dt.datetime = plain("When it was first heard of.")
    position: Long = plain("Ledger position of the fact that first named it.")
    shown_name = resolved(_shown_name, DatasetType)
    aliases = resolved(_aliases, list[DatasetAlias])
    fields = resolved(_fields, list[SchemaField] | None)
    current_version = resolved(_current_version, DatasetVersionType | None)
    versions = resolved(_versions, Connection[DatasetVersionType])
    producers = resolved(_producers, JobNeighbours)
    consumers = resolved(_consumers, JobNeighbours)
