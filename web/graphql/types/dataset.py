"""Datasets."""

import datetime as dt

import strawberry

from graph.model import Direction
from web.graphql.connections import Connection
from web.graphql.facet_records import (
    UNDESCRIBED,
    DatasetTypeRecord,
    Described,
    FacetRecord,
    OwnerRecord,
    TagRecord,
)
from web.graphql.loaders.datasets import aliases, dataset_fields, shown_names
from web.graphql.loaders.facets import described_datasets, facets_of_datasets
from web.graphql.loaders.neighbours import Neighbours as NeighboursRecord
from web.graphql.loaders.neighbours import neighbours
from web.graphql.loaders.versions import current_versions, schema_pages, version_pages
from web.graphql.pages import NESTED_FIRST, Page
from web.graphql.records import AliasRecord, DatasetRecord, FieldRecord, VersionRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.enums import DatasetVersionState
from web.graphql.types.facet import DatasetKind, Facet, Owner, Tag
from web.graphql.types.lineage import Completeness
from web.graphql.types.references import DatasetType, DatasetVersionType, JobType


@object_type
class SchemaField:
    """A column, as the producer described it."""

    name: str = plain("Its name.")
    type: str | None = plain("Its type in the producer's words; null where the producer did not tell.")
    description: str | None = plain("What it holds; null where the producer did not tell.")
    fields: list["SchemaField"] = plain("The columns within it, for a nested one.")
    tags: list[Tag] = plain(
        "Labels that the dataset's tags give it now; none for columns of a version or a run."
    )


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
    """The columns that the newest of the last 100 published versions told, else the schema told last; else null."""
    return root.cohort.ask(dataset_fields).get(root.row_id)


def _schema_history(
    root: DatasetRecord, first: int = NESTED_FIRST, after: str | None = None
) -> Page[VersionRecord]:
    """The published versions whose columns differ from those of the version before that told any, latest first."""
    return root.cohort.ask(schema_pages, first, after)[root.row_id]


def _facets(root: DatasetRecord) -> list[FacetRecord]:
    """Every facet that was told of it, by name, as it was sent last."""
    return root.cohort.ask(facets_of_datasets).get(root.row_id, [])


def _described(root: DatasetRecord) -> Described:
    return root.cohort.ask(described_datasets).get(root.row_id, UNDESCRIBED)


def _description(root: DatasetRecord) -> str | None:
    """What it holds, as a producer told (OpenLineage documentation)."""
    return _described(root).description


def _owners(root: DatasetRecord) -> list[OwnerRecord]:
    """Who answers for it, as a producer told."""
    return _described(root).owners


def _tags(root: DatasetRecord) -> list[TagRecord]:
    """The labels that a producer gave it, those of its columns among them."""
    return _described(root).tags


def _dataset_type(root: DatasetRecord) -> DatasetTypeRecord | None:
    """What it is; null where no producer told."""
    return _described(root).dataset_type


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
    schema_history = resolved(_schema_history, Connection[DatasetVersionType])
    description = resolved(_description, str | None)
    owners = resolved(_owners, list[Owner])
    tags = resolved(_tags, list[Tag])
    dataset_type = resolved(_dataset_type, DatasetKind | None)
    facets = resolved(_facets, list[Facet])
    current_version = resolved(_current_version, DatasetVersionType | None)
    versions = resolved(_versions, Connection[DatasetVersionType])
    producers = resolved(_producers, JobNeighbours)
    consumers = resolved(_consumers, JobNeighbours)
