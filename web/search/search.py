"""One search: exact before prefix before fuzzy, each hit once, in an order that pages can rely on."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.errors import InvalidInput, InvalidNodeId
from catalog.keys import NodeId
from web.graphql.cohort import in_cohort
from web.graphql.loaders.datasets import dataset_by_names
from web.graphql.loaders.jobs import job_by_names
from web.graphql.node_ids import named
from web.graphql.request import QueryRequest
from web.search.hits import KINDS, Hit, Kind
from web.search.names import look_exactly, look_fuzzily
from web.search.words import Match

#: The longest text that is looked for, in characters: a name's own length.
MOST_TEXT = 8192


@dataclass(frozen=True, slots=True)
class Found:
    """All hits of a text, the best first; not complete where so much may fit that not all of it was judged."""

    hits: Sequence[Hit]
    complete: bool


def search(
    request: QueryRequest,
    text: str,
    *,
    kinds: Sequence[Kind] = KINDS,
    namespace: str | None = None,
    enough: int = 0,
) -> Found:
    """Return what the text may mean; a node id finds what it names.

    Where as many as `enough` fit exactly or by their beginnings, others are not looked for. Raises `InvalidInput` for a
    text that is blank, too long, or holds NUL.
    """
    wanted = text.strip()
    if not wanted or len(wanted) > MOST_TEXT or "\0" in wanted:
        raise InvalidInput(
            f"expected a text of 1 to {MOST_TEXT} characters without NUL, found {len(wanted)}",
            pointer="/text",
        )
    by_id = _named_by_id(request, wanted)
    if by_id is not None:
        return Found(in_cohort(request, [by_id]), complete=True)
    exactly = look_exactly(request, wanted, kinds, namespace)
    hits = {hit.row_id: hit for hit in exactly.hits}
    complete = exactly.complete
    if not enough or len(hits) < enough:
        fuzzily = look_fuzzily(request, wanted, kinds, namespace)
        complete = complete and fuzzily.complete
        hits = {hit.row_id: hit for hit in fuzzily.hits} | hits
    ordered = sorted(hits.values(), key=lambda hit: hit.place)
    for kind in KINDS:
        in_cohort(request, [hit.record for hit in ordered if hit.kind == kind])
    return Found(in_cohort(request, ordered), complete)


def _named_by_id(request: QueryRequest, text: str) -> Hit | None:
    """Return what the text names as a node id, None where it is none or nothing is called so."""
    try:
        node_id = NodeId.parse(text)
    except InvalidNodeId:
        return None
    match node_id.kind:
        case "dataset":
            dataset = dataset_by_names(request, named("dataset", None, None, text))
            return None if dataset is None else Hit("dataset", dataset, Match.EXACT, 0)
        case "job":
            job = job_by_names(request, named("job", None, None, text))
            return None if job is None else Hit("job", job, Match.EXACT, 0)
        case _:
            return None
