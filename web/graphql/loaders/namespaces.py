"""Namespaces: nothing declares them, they are there because a dataset or a job is in them."""

from collections.abc import Sequence
from pathlib import Path

from catalog.queries import load_queries
from web.graphql.records import NamespaceRecord
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("namespaces.sql"))


def listed_namespaces(
    request: QueryRequest, *, with_jobs: bool, limit: int, offset: int
) -> Sequence[NamespaceRecord]:
    """Return so many namespaces by name, after as many as the offset says; those of jobs only where asked for."""
    rows = request.rows(QUERIES["listed"], with_jobs=with_jobs, limit=limit, offset=offset)
    return [NamespaceRecord(*row) for row in rows]


def namespace_named(request: QueryRequest, name: str, *, with_jobs: bool) -> NamespaceRecord | None:
    """Return the namespace, None where nothing is in it."""
    rows = request.rows(QUERIES["by_name"], name=name, with_jobs=with_jobs)
    return next((NamespaceRecord(*row) for row in rows), None)
