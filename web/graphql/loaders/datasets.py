"""Datasets: by identity, by page, their aliases, their columns."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from catalog.keys import DatasetKey
from catalog.queries import load_queries
from web.graphql.cohort import in_cohort
from web.graphql.loaders.facets import described_datasets, schemas_told
from web.graphql.loaders.named import NamedThings
from web.graphql.records import AliasRecord, DatasetRecord, FieldRecord, PipelineRecord
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("datasets.sql"))

DATASETS = NamedThings.of("datasets", QUERIES, DatasetRecord, DatasetKey)
datasets_by_id = DATASETS.by_id
dataset_by_names = DATASETS.by_names
dataset_page = DATASETS.page


def aliases(request: QueryRequest, members: Sequence[DatasetRecord]) -> Mapping[uuid.UUID, list[AliasRecord]]:
    """Return the other names of each dataset by name."""
    rows = request.rows(QUERIES["aliases"], ids=[member.row_id for member in members])
    found: defaultdict[uuid.UUID, list[AliasRecord]] = defaultdict(list)
    for asked, type_, since, *columns in rows:
        found[asked].append(AliasRecord(DatasetRecord(*columns), type_ or None, since))
    every = [alias for listed in found.values() for alias in listed]
    in_cohort(request, every)
    in_cohort(request, [alias.dataset for alias in every])
    return found


def shown_names(request: QueryRequest, members: Sequence[DatasetRecord]) -> Mapping[uuid.UUID, DatasetRecord]:
    """Return for each dataset that has aliases the one whose name people are shown."""
    rows = request.rows(QUERIES["shown_names"], ids=[member.row_id for member in members])
    found = {asked: DatasetRecord(*columns) for asked, *columns in rows}
    in_cohort(request, list(found.values()))
    return found


def classes(request: QueryRequest, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Return for each dataset the one that stands for all of its names: itself where it has no other."""
    wanted = list(set(ids))
    own = {found: found for found in wanted}
    return own | dict(request.rows(QUERIES["classes"], ids=wanted)) if wanted else own


def dataset_fields(
    request: QueryRequest, members: Sequence[DatasetRecord]
) -> Mapping[uuid.UUID, list[FieldRecord]]:
    """Return the columns that the newest published version with a schema told, else the schema told last; with tags."""
    hashes = dict(request.rows(QUERIES["schema_hashes"], ids=[member.row_id for member in members]))
    schemas = schemas_by_hash(request, hashes.values())
    found = {dataset: schemas[hash_] for dataset, hash_ in hashes.items() if hash_ in schemas}
    # What was only ever read has no versions.
    unwritten = [member.row_id for member in members if member.row_id not in found]
    if unwritten:
        found |= schemas_told(request, unwritten)
    return {dataset: _tagged(fields, members[0], dataset) for dataset, fields in found.items()}


def _tagged(fields: list[FieldRecord], member: DatasetRecord, dataset: uuid.UUID) -> list[FieldRecord]:
    described = member.cohort.ask(described_datasets).get(dataset)
    tags = {} if described is None else described.tags_by_column
    return [column.tagged(tags) for column in fields] if tags else fields


def schemas_of(request: QueryRequest, members: Sequence[Any]) -> Mapping[str, list[FieldRecord]]:
    """Return the columns by the hash of the schema, for members that name one."""
    return schemas_by_hash(request, [member.schema_hash for member in members])


def schemas_by_hash(request: QueryRequest, hashes: Iterable[str | None]) -> dict[str, list[FieldRecord]]:
    """Return the columns by the hash of the schema."""
    wanted = list({found for found in hashes if found is not None})
    if not wanted:
        return {}
    rows = request.rows(QUERIES["schemas"], hashes=wanted)
    return {found: FieldRecord.all_of(orjson.loads(fields)) for found, fields in rows}


def datasets_of(request: QueryRequest, members: Sequence[Any]) -> Mapping[uuid.UUID, DatasetRecord]:
    """Return the datasets that the members name by `dataset_id`."""
    return datasets_by_id(request, [member.dataset_id for member in members])


def datasets_named(
    request: QueryRequest, members: Sequence[PipelineRecord]
) -> Mapping[uuid.UUID, DatasetRecord]:
    """Return the stored datasets that the documents of the pipelines name."""
    return datasets_by_id(request, [key.id for member in members for key in (*member.reads, *member.writes)])
