"""Pages of hits: a cursor names a hit's place, so that a page goes on where another ended, whatever was added since."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from catalog.search.texts import Field, Text
from web.graphql.cohort import in_cohort
from web.graphql.loaders.datasets import DATASETS
from web.graphql.loaders.jobs import JOBS
from web.graphql.loaders.pipelines import pipelines_by_name
from web.graphql.pages import FIRST_UUID, Order, Page, check_first
from web.graphql.records import DatasetRecord, JobRecord, PipelineRecord
from web.graphql.request import QueryRequest
from web.search.expanding import QUERIES
from web.search.hits import Hit, SearchFilters, Unfinished
from web.search.judging import Judge
from web.search.search import EVERYTHING, search

BY_FIT = Order("search", (int, int, int, int, int, str, str, uuid.UUID), (-1, 0, 0, 0, 0, "", "", FIRST_UUID))


@dataclass(slots=True, eq=False)
class SearchPage(Page[Hit]):
    """A page of hits, and why not all that may fit are in the list; None where they are."""

    unfinished: Unfinished | None


def search_page(
    request: QueryRequest, text: str, *, first: int, after: str | None, filters: SearchFilters
) -> SearchPage:
    """Return the hits that stand after the cursor; raise `InvalidInput` for a text that nothing is looked for by."""
    check_first(first)
    start = BY_FIT.decode(after)
    found = search(request, text, filters)
    rest = [hit for hit in found.hits if hit.place > start]
    _add_records(request, rest[:first])
    _add_texts(request, rest[:first], text.strip(), filters)
    return SearchPage(
        request=request,
        nodes=in_cohort(request, rest[:first]),
        has_next_page=len(rest) > first,
        has_previous_page=after is not None,
        order=BY_FIT,
        place_of=lambda hit: hit.place,
        count=lambda: len(found.hits),
        unfinished=found.unfinished,
    )


def _add_records(request: QueryRequest, hits: Sequence[Hit]) -> None:
    """Read what was found."""
    datasets: Mapping[uuid.UUID, DatasetRecord] = DATASETS.by_id(
        request, [hit.row_id for hit in hits if hit.kind == "dataset"]
    )
    jobs: Mapping[uuid.UUID, JobRecord] = JOBS.by_id(
        request, [hit.row_id for hit in hits if hit.kind == "job"]
    )
    pipelines: Mapping[str, PipelineRecord] = pipelines_by_name(
        request, [hit.name for hit in hits if hit.kind == "pipeline"]
    )
    for hit in hits:
        match hit.kind:
            case "dataset":
                hit.record = datasets.get(hit.row_id)
            case "job":
                hit.record = jobs.get(hit.row_id)
            case "pipeline":
                hit.record = pipelines.get(hit.name)


def _add_texts(request: QueryRequest, hits: Sequence[Hit], text: str, filters: SearchFilters) -> None:
    """Say where each hit was found."""
    if text == EVERYTHING or not hits:
        return
    judge = Judge(text, filters.fields)
    rows = request.rows(QUERIES["texts"], kinds=[hit.kind for hit in hits], ids=[hit.row_id for hit in hits])
    texts = {(kind, found): orjson.loads(told) for kind, found, told in rows}
    for hit in hits:
        told = [
            Text(Field(field), said, column) for field, said, column in texts.get((hit.kind, hit.row_id), ())
        ]
        hit.found_in = judge.found_in([Text(Field.NAME, hit.name), *told])
