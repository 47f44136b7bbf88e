"""Datasets and their versions."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from catalog.errors import NotFound
from catalog.keys import DatasetKey
from web.graphql.facet_records import UNDESCRIBED, Described, FacetRecord
from web.graphql.loaders.datasets import DATASETS, dataset_by_names, dataset_fields, schemas_of
from web.graphql.loaders.facets import described_datasets, facets_of_datasets
from web.graphql.loaders.runs import runs_by_id
from web.graphql.loaders.standing import DatasetStanding, dataset_standings
from web.graphql.loaders.versions import listed_versions, versions_by_id
from web.graphql.records import DatasetRecord, FieldRecord, VersionRecord
from web.graphql.request import QueryRequest
from web.marquez import names
from web.marquez.asking import Asking, DatasetName, Limit, NamespaceName, Offset
from web.marquez.namespaces import check_namespace
from web.marquez.route import NameRoute
from web.marquez.runs import plain, told_by_runs, whole_runs
from web.marquez.shapes import Dataset, DatasetList, DatasetVersion, DatasetVersionList, Facets, Field, Run

VersionId = Annotated[uuid.UUID, Path(description="UUID of the version.")]
_NO_RUN = uuid.UUID(int=0)


def updated_at(standing: DatasetStanding) -> dt.datetime:
    """Return when something of the dataset last changed."""
    return max(standing.first_seen_at, standing.version_time or standing.first_seen_at)


def lean_dataset(key: DatasetKey, standing: DatasetStanding, fields: list[Field], told: Described) -> Dataset:
    """Return a dataset without its facets."""
    return {
        "id": {"namespace": key.namespace, "name": key.name},
        "type": names.dataset_type(key.namespace, told),
        "name": key.name,
        "physicalName": key.name,
        "createdAt": standing.first_seen_at,
        "updatedAt": updated_at(standing),
        "namespace": key.namespace,
        "sourceName": key.namespace,
        "fields": fields,
        "tags": names.tags(told),
        "lastModifiedAt": standing.version_time,
        "lastLifecycleState": standing.lifecycle,
        "description": told.description,
        "currentVersion": standing.version_id,
        "deleted": standing.lifecycle == "DROP",
    }


def whole_datasets(request: QueryRequest, records: Sequence[DatasetRecord]) -> list[Dataset]:
    """Return the datasets, one cohort, with all that is known of them."""
    if not records:
        return []
    ask = records[0].cohort.ask
    found = dataset_standings(request, [record.row_id for record in records])
    standings = {standing.id: standing for standing in found}
    columns: Mapping[uuid.UUID, list[FieldRecord]] = ask(dataset_fields)
    described: Mapping[uuid.UUID, Described] = ask(described_datasets)
    facets: Mapping[uuid.UUID, list[FacetRecord]] = ask(facets_of_datasets)
    answer = []
    for record in records:
        whole = lean_dataset(
            DatasetKey(record.namespace, record.name),
            standings[record.row_id],
            names.fields(columns.get(record.row_id, [])),
            described.get(record.row_id, UNDESCRIBED),
        )
        whole["columnLineage"] = None
        whole["facets"] = names.facets(facets.get(record.row_id, []))
        answer.append(whole)
    return answer


def found_dataset(request: QueryRequest, namespace: str, name: str) -> DatasetRecord:
    """Return the dataset; raise `NotFound`, for its namespace where nothing is in that."""
    found = dataset_by_names(request, [(namespace, name)])
    if found is None:
        check_namespace(request, namespace)
        raise NotFound(
            f"expected a dataset that was heard of, found none named {name!r} in {namespace!r}"[:500]
        )
    return found


def whole_versions(
    request: QueryRequest, dataset: DatasetRecord, versions: Sequence[VersionRecord]
) -> list[DatasetVersion]:
    """Return the versions, one cohort, of the dataset, each with the run that made it."""
    if not versions:
        return []
    schemas: Mapping[str, list[FieldRecord]] = versions[0].cohort.ask(schemas_of)
    made_by = [version.run_id for version in versions if version.run_id is not None]
    found = runs_by_id(request, made_by)
    makers = list(found.values())
    runs = dict(zip(found, whole_runs(request, makers), strict=True))
    told = told_by_runs(request, makers) if makers else {}
    key = DatasetKey(dataset.namespace, dataset.name)
    answer = []
    for version in versions:
        maker = version.run_id or _NO_RUN
        written = plain(told[maker].datasets.get(key, {})) if maker in told else {}
        columns = schemas.get(version.schema_hash or "", [])
        answer.append(_version(dataset, version, columns, written, runs.get(maker)))
    return answer


def _version(
    dataset: DatasetRecord,
    version: VersionRecord,
    columns: list[FieldRecord],
    facets: Facets,
    run: Run | None,
) -> DatasetVersion:
    told = Described.of(facets)
    return {
        "id": names.named_version(DatasetKey(dataset.namespace, dataset.name), version.row_id),
        "type": names.dataset_type(dataset.namespace, told),
        "name": dataset.name,
        "physicalName": dataset.name,
        "createdAt": version.time,
        "version": version.row_id,
        "namespace": dataset.namespace,
        "sourceName": dataset.namespace,
        "fields": names.tagged_fields(columns, told),
        "tags": names.tags(told),
        "lifecycleState": version.lifecycle,
        "description": told.description,
        "currentSchemaVersion": names.schema_version(version.schema_hash),
        "createdByRun": run,
        "facets": facets,
        "state": version.state,
    }


def dataset_router(asking: Asking) -> APIRouter:
    """Return the routes about datasets."""
    router = APIRouter(prefix="/namespaces/{namespace}/datasets", tags=["datasets"], route_class=NameRoute)

    @router.get("", response_model=DatasetList)
    async def get_datasets(
        request: Request, namespace: NamespaceName, limit: Limit = 100, offset: Offset = 0
    ) -> Response:
        """The datasets of a namespace, by name."""

        def read(question: QueryRequest) -> DatasetList:
            check_namespace(question, namespace)
            found = DATASETS.listed(question, namespace=namespace, limit=limit, offset=offset)
            return {
                "datasets": whole_datasets(question, found),
                "totalCount": DATASETS.counted(question, namespace),
            }

        return await asking.answer(request, read)

    @router.get("/{dataset}", response_model=Dataset)
    async def get_dataset(request: Request, namespace: NamespaceName, dataset: DatasetName) -> Response:
        """One dataset with its columns and facets."""

        def read(question: QueryRequest) -> Dataset:
            (found,) = whole_datasets(question, [found_dataset(question, namespace, dataset)])
            return found

        return await asking.answer(request, read)

    @router.get("/{dataset}/versions", response_model=DatasetVersionList)
    async def get_dataset_versions(
        request: Request,
        namespace: NamespaceName,
        dataset: DatasetName,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Response:
        """The versions of a dataset, latest first."""

        def read(question: QueryRequest) -> DatasetVersionList:
            record = found_dataset(question, namespace, dataset)
            versions, count = listed_versions(question, record.row_id, limit=limit, offset=offset)
            return {"versions": whole_versions(question, record, versions), "totalCount": count}

        return await asking.answer(request, read, events=True)

    @router.get("/{dataset}/versions/{version}", response_model=DatasetVersion)
    async def get_dataset_version(
        request: Request, namespace: NamespaceName, dataset: DatasetName, version: VersionId
    ) -> Response:
        """One version of a dataset."""

        def read(question: QueryRequest) -> DatasetVersion:
            record = found_dataset(question, namespace, dataset)
            found = versions_by_id(question, [version]).get(version)
            if found is None or found.dataset_id != record.row_id:
                raise NotFound(f"expected a version of {dataset!r}, found none with the id {version}"[:500])
            (whole,) = whole_versions(question, record, [found])
            return whole

        return await asking.answer(request, read, events=True)

    return router
