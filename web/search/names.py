"""Datasets and jobs by their names, with an index on what names are found by."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.queries import load_queries
from web.graphql.records import DatasetRecord, JobRecord
from web.graphql.request import QueryRequest
from web.search.hits import Hit, Kind
from web.search.words import asked_words, exact_query, fuzzy_query, judged, prefix_query

QUERIES = load_queries(Path(__file__).with_name("names.sql"))

#: Names that are judged of one kind and in one way of looking; shorter ones first.
MOST_JUDGED = 2_000


@dataclass(frozen=True, slots=True)
class Looked:
    """The hits of one way of looking, and whether all that may fit were judged."""

    hits: list[Hit]
    complete: bool


def look_exactly(request: QueryRequest, text: str, kinds: Sequence[Kind], namespace: str | None) -> Looked:
    """Return what is called so, or of which every word that is asked for begins a word of the name."""
    words = asked_words(text)
    query = exact_query(text)
    if words:
        query = f"{query} | ({prefix_query(words)})"
    return _look(request, text, query, kinds, namespace)


def look_fuzzily(request: QueryRequest, text: str, kinds: Sequence[Kind], namespace: str | None) -> Looked:
    """Return what holds every word that is asked for, within a word or with one typing error."""
    words = asked_words(text)
    return _look(request, text, fuzzy_query(words), kinds, namespace) if words else Looked([], complete=True)


def _look(
    request: QueryRequest, text: str, query: str, kinds: Sequence[Kind], namespace: str | None
) -> Looked:
    words = asked_words(text)
    hits: list[Hit] = []
    complete = True
    with _index_alone(request):
        for kind in kinds:
            found = _candidates(request, kind, query, namespace)
            complete = complete and len(found) <= MOST_JUDGED
            for record in found[:MOST_JUDGED]:
                fit = judged(text, words, record.name)
                if fit is not None:
                    hits.append(Hit(kind, record, *fit))
    return Looked(hits, complete)


def _candidates(
    request: QueryRequest, kind: Kind, query: str, namespace: str | None
) -> Sequence[DatasetRecord | JobRecord]:
    parameters = {"terms": query, "namespace": namespace, "limit": MOST_JUDGED + 1}
    if kind == "dataset":
        return [DatasetRecord(*row) for row in request.rows(QUERIES["found_datasets"], **parameters)]
    return [JobRecord(*row) for row in request.rows(QUERIES["found_jobs"], **parameters)]


@contextmanager
def _index_alone(request: QueryRequest) -> Iterator[None]:
    """Let statements use the index; the next ones in the snapshot plan as they always do."""
    request.rows(QUERIES["index_alone"])
    yield
    request.rows(QUERIES["as_before"], seqscan="on")
