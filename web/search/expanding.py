"""From the words of a text to those words of the index that may be meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.queries import load_queries
from catalog.search.words import MOST_CHARACTERS, error_query, is_one_error_away, within_query
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("index.sql"))

#: Words of the index that one word of a text may mean, for each way of meaning it.
MOST_MEANT = 500
#: Longer than any word of the index, in characters.
ANY_LENGTH = MOST_CHARACTERS + 1


@dataclass(frozen=True, slots=True)
class Meant:
    """For each word of a text the numbers of the words that may be meant, and whether those are all."""

    words: Sequence[Sequence[int]]
    complete: bool

    @property
    def possible(self) -> bool:
        """Whether anything may have every word."""
        return bool(self.words) and all(self.words)


def known_words(request: QueryRequest, words: Sequence[str]) -> dict[str, int]:
    """Return the numbers of the words that the index has."""
    return dict(request.rows(QUERIES["known_words"], words=list(words))) if words else {}


def beginning_with(request: QueryRequest, asked: Sequence[str]) -> Meant:
    """Return for each word those that begin with it, itself first among them."""
    words = [word[:MOST_CHARACTERS] for word in asked]
    found: dict[str, list[int]] = {word: [] for word in words}
    if words:
        for word, number, _ in request.rows(QUERIES["beginning_with"], words=words, limit=MOST_MEANT + 1):
            found[word].append(number)
    complete = all(len(numbers) <= MOST_MEANT for numbers in found.values())
    return Meant([found[word][:MOST_MEANT] for word in words], complete)


def holding(request: QueryRequest, asked: Sequence[str], beginning: Meant) -> Meant:
    """Return for each word those that begin with it or hold it."""
    complete = beginning.complete
    meant = []
    for word, begun in zip(asked, beginning.words, strict=True):
        within, all_within = _with_parts(request, within_query(word[:MOST_CHARACTERS]), 0, ANY_LENGTH)
        complete = complete and all_within
        meant.append(list(dict.fromkeys([*begun, *(number for number, _ in within)])))
    return Meant(meant, complete)


def like(request: QueryRequest, asked: Sequence[str], held: Meant) -> Meant:
    """Return for each word those that begin with it, hold it, or are one typing error away from it."""
    complete = held.complete
    meant = []
    for word, known in zip(asked, held.words, strict=True):
        close, all_close = _with_parts(
            request, error_query(word[:MOST_CHARACTERS]), len(word) - 1, len(word) + 1
        )
        near = [number for number, found in close if is_one_error_away(word, found)]
        complete = complete and all_close
        meant.append(list(dict.fromkeys([*known, *near])))
    return Meant(meant, complete)


def _with_parts(
    request: QueryRequest, terms: str | None, shortest: int, longest: int
) -> tuple[list[tuple[int, str]], bool]:
    if terms is None:
        return [], True
    # Of what may be one error away little is: so more is looked at.
    limit = MOST_MEANT * 4
    rows = request.rows(
        QUERIES["with_parts"], terms=terms, shortest=shortest, longest=longest, limit=limit + 1
    )
    return [(number, word) for number, word in rows[:limit]], len(rows) <= limit
