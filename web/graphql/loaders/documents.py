"""Documents: by version, current ones, histories."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from catalog.queries import load_queries
from web.graphql.cohort import in_cohort
from web.graphql.pages import Order, Page, check_first, counted_once, page_of, pages_by_parent
from web.graphql.records import DocumentRecord, PipelineRecord, PipelineRunRecord
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("documents.sql"))

BY_NAME = Order("documents", (str, str), ("", ""))
NEWEST_FIRST = Order("documentVersions", (int,), (2**31 - 1,))

PIPELINE = "Pipeline"


def documents_by_version(
    request: QueryRequest, wanted: Iterable[tuple[str, str, int]]
) -> dict[tuple[str, str, int], DocumentRecord]:
    """Return the documents that are stored among (kind, name, version), one cohort."""
    keys = list(set(wanted))
    if not keys:
        return {}
    rows = request.rows(
        QUERIES["by_version"],
        kinds=[kind for kind, _, _ in keys],
        names=[name for _, name, _ in keys],
        versions=[version for _, _, version in keys],
    )
    records = in_cohort(request, [DocumentRecord(*row) for row in rows])
    return {record.row_id: record for record in records}


def current_documents(
    request: QueryRequest, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], DocumentRecord]:
    """Return the newest version of each document among (kind, name), deleted ones too."""
    keys = list(set(wanted))
    rows = request.rows(
        QUERIES["current"], kinds=[kind for kind, _ in keys], names=[name for _, name in keys]
    )
    records = in_cohort(request, [DocumentRecord(*row) for row in rows])
    return {(record.kind, record.name): record for record in records}


def document_page(
    request: QueryRequest, *, first: int, after: str | None, kind: str | None, deleted: bool
) -> Page[DocumentRecord]:
    """Return the newest versions of documents by kind and name."""
    check_first(first)
    after_kind, after_name = BY_NAME.decode(after)
    filters = {"kind": kind, "deleted": deleted}
    rows = request.rows(
        QUERIES["page"], after_kind=after_kind, after_name=after_name, limit=first + 1, **filters
    )
    records = [DocumentRecord(*row) for row in rows]
    return page_of(
        request,
        records,
        first=first,
        after=after,
        order=BY_NAME,
        place_of=lambda record: (record.kind, record.name),
        count=lambda: int(request.rows(QUERIES["count"], **filters)[0][0]),
    )


def history_pages(
    request: QueryRequest, members: Sequence[Any], first: int, after: str | None
) -> Mapping[tuple[str, str], Page[DocumentRecord]]:
    """Return a page of the versions of each member's document, newest first."""
    check_first(first)
    (version,) = NEWEST_FIRST.decode(after)
    keys = list(dict.fromkeys(document_key(member) for member in members))
    kinds, names = [kind for kind, _ in keys], [name for _, name in keys]
    rows = request.rows(QUERIES["histories"], kinds=kinds, names=names, after=version, limit=first + 1)
    return pages_by_parent(
        request,
        keys,
        [((record.kind, record.name), record) for record in (DocumentRecord(*row) for row in rows)],
        first=first,
        after=after,
        order=NEWEST_FIRST,
        place_of=lambda record: (record.version,),
        count=counted_once(
            lambda: [
                ((kind, name), count)
                for kind, name, count in request.rows(QUERIES["history_counts"], kinds=kinds, names=names)
            ]
        ),
    )


def document_key(member: DocumentRecord | PipelineRecord) -> tuple[str, str]:
    """Return kind and name of the document that the member is or has."""
    match member:
        case DocumentRecord():
            return member.kind, member.name
        case PipelineRecord():
            return PIPELINE, member.name


def documents_of_pipelines(
    request: QueryRequest, members: Sequence[PipelineRecord]
) -> Mapping[tuple[str, str, int], DocumentRecord]:
    """Return the current document of each pipeline."""
    return documents_by_version(
        request, [(PIPELINE, member.name, member.document_version) for member in members]
    )


def newest_documents_of_pipelines(
    request: QueryRequest, members: Sequence[PipelineRecord]
) -> Mapping[tuple[str, str], DocumentRecord]:
    """Return the newest version of each pipeline's document: of a deleted one, that which says so."""
    return current_documents(request, [document_key(member) for member in members])


def documents_of_pipeline_runs(
    request: QueryRequest, members: Sequence[PipelineRunRecord]
) -> Mapping[tuple[str, str, int], DocumentRecord]:
    """Return the documents that the runs go by."""
    return documents_by_version(
        request, [(PIPELINE, member.pipeline_name, member.document_version) for member in members]
    )
