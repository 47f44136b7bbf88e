"""One search: exact and prefix before fuzzy, names before columns before what is said; each hit once.

The order is one that pages can rely on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from catalog.errors import InvalidInput, InvalidNodeId
from catalog.keys import NodeId
from catalog.openlineage.limits import MAX_NAME_BYTES
from catalog.search.texts import Field, word_key
from catalog.search.words import (
    BEGINS,
    EQUALS,
    ERROR,
    MOST_CHARACTERS,
    WITHIN,
    Match,
    asked_words,
    match_of,
    whole_of,
)
from web.graphql.cohort import in_cohort
from web.graphql.loaders.datasets import dataset_by_names
from web.graphql.loaders.jobs import job_by_names
from web.graphql.node_ids import named
from web.graphql.request import QueryRequest
from web.search.candidates import Candidate, Restriction, Way, find, restriction_of
from web.search.expanding import QUERIES, Meant, beginning_with, holding, known_words, like
from web.search.hits import SEVERAL, Fit, Hit, SearchFilters, Unfinished
from web.search.judging import Judge

#: The longest text that is looked for, in characters: the longest node id's own length.
MOST_TEXT = len("dataset::") + 2 * MAX_NAME_BYTES
#: Finds everything that the filters let through.
EVERYTHING = "*"
#: Where so many fit exactly or by their beginnings, nobody looks for typing errors.
FUZZY_BELOW = 100
#: Texts in a filter.
MOST_IN_FILTER = 100


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of a text, the best first, and why these are not all; None where they are."""

    hits: Sequence[Hit]
    unfinished: Unfinished | None


def search(
    request: QueryRequest, text: str, filters: SearchFilters | None = None, *, enough: int = 0
) -> Found:
    """Return what the text may mean; a node id finds what it names.

    Where as many as `enough`, or `FUZZY_BELOW`, fit exactly or by their beginnings, others are not looked for. Raises
    `InvalidInput` for a text that is blank, too long, or holds NUL, and for filters like that.
    """
    chosen = filters or SearchFilters()
    wanted = _checked(text.strip(), chosen)
    # As it stands first: a name may begin or end with a blank.
    by_id = _named_by_id(request, text)
    if by_id is None and text != wanted:
        by_id = _named_by_id(request, wanted)
    if by_id is not None:
        return Found([by_id], None)
    with _index_alone(request):
        ((waiting,),) = request.rows(QUERIES["waiting"])
        restriction = restriction_of(request, chosen)
        if restriction is None:
            return Found([], Unfinished.NOT_INDEXED if waiting else None)
        looking = _Looking(request, wanted, chosen, restriction)
        hits = looking.everything() if wanted == EVERYTHING else looking.by_words(enough)
    ordered = sorted(hits, key=lambda hit: hit.place)
    reasons = {Unfinished.NOT_INDEXED} if waiting else set()
    reasons |= looking.unfinished
    return Found(in_cohort(request, ordered), next((each for each in Unfinished if each in reasons), None))


@dataclass(slots=True)
class _Looking:
    """One search under way."""

    request: QueryRequest
    text: str
    filters: SearchFilters
    restriction: Restriction
    unfinished: set[Unfinished] = field(default_factory=set)

    def everything(self) -> list[Hit]:
        """Return whatever the filters let through."""
        return [_hit(found, found.fit) for found in self._find([Way(Fit.of(Field.NAME, Match.EXACT, 0), ())])]

    def by_words(self, enough: int) -> list[Hit]:
        """Return what fits exactly or by beginnings and, where that is not much, what fits fuzzily."""
        words = asked_words(self.text)
        judge = Judge(self.text, self.filters.fields)
        beginning = beginning_with(self.request, words)
        own = known_words(self.request, [whole_of(self.text), *(word[:MOST_CHARACTERS] for word in words)])
        whole = own.get(whole_of(self.text))
        ways = (
            []
            if whole is None
            else [
                Way(Fit.of(field, Match.EXACT, 0), [[word_key(whole, field)]])
                for field in self.filters.fields
            ]
        )
        equal = Meant(
            [[own[word]] if word in own else [] for word in (word[:MOST_CHARACTERS] for word in words)], True
        )
        ways += self._ways(equal, EQUALS)
        ways += self._ways(beginning, BEGINS)
        hits = {(hit.kind, hit.row_id): hit for hit in self._judged(judge, ways)}
        if words and len(hits) >= min(FUZZY_BELOW, enough or FUZZY_BELOW):
            self.unfinished.add(Unfinished.NOT_SOUGHT)
        elif words:
            held = holding(self.request, words, beginning)
            ways = [*self._ways(held, WITHIN), *self._ways(like(self.request, words, held), ERROR)]
            for hit in self._judged(judge, ways):
                hits.setdefault((hit.kind, hit.row_id), hit)
        return list(hits.values())

    def _judged(self, judge: Judge, ways: Sequence[Way]) -> list[Hit]:
        return [
            _hit(
                found,
                judge.fit_of_name(found.name, found.fit) if found.fit.field == Field.NAME else found.fit,
            )
            for found in self._find(ways)
        ]

    def _find(self, ways: Sequence[Way]) -> list[Candidate]:
        found, complete = find(self.request, ways, self.restriction, self.filters.kinds)
        self._all_judged(complete)
        return found

    def _ways(self, meant: Meant, rank: int) -> list[Way]:
        """Return the ways in which something may have all of the words: in one field, else in several."""
        self._all_judged(meant.complete)
        if not meant.possible:
            return []
        match, rank = match_of(rank)
        fields = self.filters.fields
        ways = [
            Way(
                Fit.of(field, match, rank),
                [[word_key(number, field) for number in numbers] for numbers in meant.words],
            )
            for field in fields
        ]
        if len(meant.words) > 1 and len(fields) > 1:
            anywhere = [
                [word_key(number, field) for number in numbers for field in fields] for numbers in meant.words
            ]
            ways.append(Way(Fit.of(SEVERAL, match, rank), anywhere))
        return ways

    def _all_judged(self, complete: bool) -> None:
        if not complete:
            self.unfinished.add(Unfinished.NOT_JUDGED)


def _hit(found: Candidate, fit: Fit) -> Hit:
    return Hit(found.kind, found.id, found.namespace, found.name, fit)


def _checked(text: str, filters: SearchFilters) -> str:
    if not text or len(text) > MOST_TEXT or "\0" in text:
        raise InvalidInput(
            f"expected a text of 1 to {MOST_TEXT} characters without NUL, found {len(text)}", pointer="/text"
        )
    for name in ("tags", "owners", "columns"):
        texts: Sequence[str] = getattr(filters, name)
        if len(texts) > MOST_IN_FILTER or any(
            not each or len(each) > MOST_TEXT or "\0" in each for each in texts
        ):
            raise InvalidInput(
                f"expected at most {MOST_IN_FILTER} texts of 1 to {MOST_TEXT} characters without NUL",
                pointer=f"/filters/{name}",
            )
    return text


@contextmanager
def _index_alone(request: QueryRequest) -> Iterator[None]:
    """Let statements use the index; the next ones in the snapshot plan as they always do."""
    request.rows(QUERIES["index_alone"])
    yield
    request.rows(QUERIES["as_before"], seqscan="on")


def _named_by_id(request: QueryRequest, text: str) -> Hit | None:
    """Return what the text names as a node id, None where it is none or nothing is called so."""
    try:
        node_id = NodeId.parse(text)
    except InvalidNodeId:
        return None
    fit = Fit.of(Field.NAME, Match.EXACT, 0)
    match node_id.kind:
        case "dataset":
            dataset = dataset_by_names(request, named("dataset", None, None, text))
            return (
                None
                if dataset is None
                else Hit("dataset", dataset.row_id, dataset.namespace, dataset.name, fit)
            )
        case "job":
            job = job_by_names(request, named("job", None, None, text))
            return None if job is None else Hit("job", job.row_id, job.namespace, job.name, fit)
        case _:
            return None
