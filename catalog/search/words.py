"""How a text that is looked for and a name are compared: whole, word by word, within words, with a typing error.

The index finds what may match; what does is judged here. Its parts of words are those of `search_terms` in the
database, which parts texts as this module does.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

#: Everything of ASCII that is neither letter nor digit parts words.
_MARKS = str.maketrans(dict.fromkeys("\t\n\r !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", " "))
_STEP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: A word of the index has so many characters at most, and a whole name too.
MOST_CHARACTERS = 400
#: Marks a whole text among the words of the index.
WHOLE = "="
#: Of a longer text its beginning and its end count, so many characters of each.
MOST_ENDS = 1024
#: Words of a text that are looked for; a text with more is cut.
MOST_WORDS = 16
#: In a shorter word two letters exchanged leave no term of the index as it was.
LEAST_FOR_ERROR = 5
#: Characters that the index knows of a word as one term.
GRAM = 3


class Match(StrEnum):
    """How well a name fits a text, the best first."""

    EXACT = "EXACT"
    PREFIX = "PREFIX"
    FUZZY = "FUZZY"


def words_of(text: str) -> list[str]:
    """Return the words of a text or a name, each once, in small letters, in their order."""
    small = text.lower()
    whole = small.translate(_MARKS).split()
    if small != text and _STEP.search(text) is not None:
        whole += _STEP.sub(" ", text).lower().translate(_MARKS).split()
    return list(dict.fromkeys(whole))


def indexed_words(text: str) -> list[str]:
    """Return the words by which a text is found."""
    known = text if len(text) <= 2 * MOST_ENDS else f"{text[:MOST_ENDS]} {text[-MOST_ENDS:]}"
    words = words_of(known)
    if max(map(len, words), default=0) <= MOST_CHARACTERS:
        return words
    return list(dict.fromkeys(word[:MOST_CHARACTERS] for word in words))


def whole_of(text: str) -> str:
    """Return what stands for the whole text among the words of the index."""
    return WHOLE + text.lower()[:MOST_CHARACTERS]


def asked_words(text: str) -> list[str]:
    """Return the words that a text asks for; parts of a word with capitals are not asked for beside it."""
    return list(dict.fromkeys(text.lower().translate(_MARKS).split()))[:MOST_WORDS]


def is_one_error_away(asked: str, word: str) -> bool:
    """Return whether one character more, less or other, or two neighbours exchanged, make one word the other."""
    if abs(len(asked) - len(word)) > 1:
        return False
    start = 0
    shortest = min(len(asked), len(word))
    while start < shortest and asked[start] == word[start]:
        start += 1
    one, other = asked[start:], word[start:]
    return (
        one[1:] == other[1:]
        or one[1:] == other
        or one == other[1:]
        or (one[:2] == other[1::-1] and one[2:] == other[2:])
    )


def judged(asked: str, words: Iterable[str], name: str) -> tuple[Match, int] | None:
    """Return how a name fits, smaller numbers better among equal matches; None where it does not."""
    text, whole = asked.lower(), name.lower()
    if text == whole:
        return Match.EXACT, 0
    if whole.startswith(text):
        return Match.PREFIX, 0
    own = words_of(name)
    ranks = [rank_of(word, own) for word in words]
    if not ranks or None in ranks:
        return None
    return match_of(max(rank for rank in ranks if rank is not None))


def match_of(worst: int) -> tuple[Match, int]:
    """Return how something fits of which the word that fits worst has this rank."""
    return (Match.PREFIX if worst <= BEGINS else Match.FUZZY), 1 + worst


EQUALS, BEGINS, WITHIN, ERROR = range(4)


def rank_of(asked: str, own: list[str]) -> int | None:
    """Return how well the best of its own words fits a word, smaller numbers better; None where none does."""
    if asked in own:
        return EQUALS
    if any(word.startswith(asked) for word in own):
        return BEGINS
    if len(asked) >= GRAM and any(asked in word for word in own):
        return WITHIN
    if len(asked) >= LEAST_FOR_ERROR and any(is_one_error_away(asked, word) for word in own):
        return ERROR
    return None


def within_query(word: str) -> str | None:
    """Return the query of the index for words that hold the word, None where it is too short to be looked for so."""
    return _all_of(_grams(word)) if len(word) >= GRAM else None


def error_query(word: str) -> str | None:
    """Return the query for words that may be one error away from it, None where it is too short.

    An error touches four neighbouring terms of a word at most, so half of the others stand before it or behind it.
    """
    if len(word) < LEAST_FOR_ERROR:
        return None
    bounded = _grams(f"^{word}$")
    half = max(1, (len(bounded) - 3) // 2)
    return f"{_all_of(bounded[:half])} | {_all_of(bounded[-half:])}"


def _grams(text: str) -> list[str]:
    return [text[place : place + GRAM] for place in range(len(text) - GRAM + 1)]


def _all_of(grams: list[str]) -> str:
    # So many tell a word from others; a query of thousands would cost more than it saves.
    return "(" + " & ".join(_quoted(f"~{gram}") for gram in grams[:32]) + ")"


def _quoted(term: str) -> str:
    escaped = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
