"""Namespaces, and sources: in Headwater a source is a namespace that has datasets."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from catalog.errors import NotFound
from web.graphql.loaders.namespaces import listed_namespaces, namespace_named
from web.graphql.records import NamespaceRecord
from web.graphql.request import QueryRequest
from web.marquez import names
from web.marquez.asking import WITHOUT_NUL, Asking, Limit, NamespaceName, Offset
from web.marquez.route import NameRoute
from web.marquez.shapes import Namespace, NamespaceList, Source, SourceList

SourceName = Annotated[
    str, Path(description="The namespace of the datasets, percent-encoded.", json_schema_extra=WITHOUT_NUL)
]


def check_namespace(request: QueryRequest, name: str) -> None:
    """Raise `NotFound` where nothing is in the namespace."""
    _found(request, name, with_jobs=True)


def _found(request: QueryRequest, name: str, *, with_jobs: bool) -> NamespaceRecord:
    found = namespace_named(request, name, with_jobs=with_jobs)
    if found is None:
        kind = "namespace" if with_jobs else "source"
        raise NotFound(f"expected a {kind} that was heard of, found none named {name!r}"[:500])
    return found


def _namespace(record: NamespaceRecord) -> Namespace:
    return {
        "name": record.name,
        "createdAt": record.first_seen_at,
        "updatedAt": record.last_added_at,
        "ownerName": names.NO_OWNER,
        "description": None,
        "isHidden": False,
    }


def _source(record: NamespaceRecord) -> Source:
    return {
        "type": names.source_type(record.name),
        "name": record.name,
        "createdAt": record.first_seen_at,
        "updatedAt": record.last_added_at,
        "connectionUrl": record.name,
        "description": None,
    }


def namespace_router(asking: Asking) -> APIRouter:
    """Return the routes about namespaces and sources."""
    router = APIRouter(tags=["namespaces"], route_class=NameRoute)

    @router.get("/namespaces", response_model=NamespaceList)
    async def get_namespaces(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
        """The namespaces of datasets and jobs, by name."""

        def read(question: QueryRequest) -> NamespaceList:
            found = listed_namespaces(question, with_jobs=True, limit=limit, offset=offset)
            return {"namespaces": [_namespace(record) for record in found]}

        return await asking.answer(request, read)

    @router.get("/namespaces/{namespace}", response_model=Namespace)
    async def get_namespace(request: Request, namespace: NamespaceName) -> Response:
        """One namespace."""
        return await asking.answer(
            request, lambda question: _namespace(_found(question, namespace, with_jobs=True))
        )

    @router.get("/sources", response_model=SourceList)
    async def get_sources(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
        """The sources of datasets, by name."""

        def read(question: QueryRequest) -> SourceList:
            found = listed_namespaces(question, with_jobs=False, limit=limit, offset=offset)
            return {"sources": [_source(record) for record in found]}

        return await asking.answer(request, read)

    @router.get("/sources/{source}", response_model=Source)
    async def get_source(request: Request, source: SourceName) -> Response:
        """One source."""
        return await asking.answer(
            request, lambda question: _source(_found(question, source, with_jobs=False))
        )

    return router
