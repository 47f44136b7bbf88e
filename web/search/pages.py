"""Pages of hits: a cursor names a hit's place, so that a page goes on where another ended, whatever was added since."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from web.graphql.pages import FIRST_UUID, Order, Page, check_first
from web.graphql.request import QueryRequest
from web.search.hits import Hit, Kind
from web.search.search import search

BY_FIT = Order("search", (int, int, int, str, str, uuid.UUID), (-1, 0, 0, "", "", FIRST_UUID))


@dataclass(slots=True, eq=False)
class SearchPage(Page[Hit]):
    """A page of hits, and whether all that may fit were judged."""

    complete: bool


def search_page(
    request: QueryRequest,
    text: str,
    *,
    first: int,
    after: str | None,
    kinds: Sequence[Kind],
    namespace: str | None,
) -> SearchPage:
    """Return the hits that stand after the cursor; raise `InvalidInput` for a text that nothing is looked for by."""
    check_first(first)
    start = BY_FIT.decode(after)
    found = search(request, text, kinds=kinds, namespace=namespace)
    rest = [hit for hit in found.hits if hit.place > start]
    return SearchPage(
        request=request,
        nodes=rest[:first],
        has_next_page=len(rest) > first,
        has_previous_page=after is not None,
        order=BY_FIT,
        place_of=lambda hit: hit.place,
        count=lambda: len(found.hits),
        complete=found.complete,
    )
