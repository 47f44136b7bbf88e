"""How a candidate fits a text: the best of its texts, else its texts together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from catalog.search.texts import Field, Text
from catalog.search.words import Match, asked_words, judged, match_of, rank_of, words_of
from web.search.candidates import Candidate
from web.search.hits import SEVERAL, Fit, FoundIn, Hit

#: Texts that a hit tells of.
MOST_TOLD = 5
#: Of a longer text so many characters around the place that fits are told.
MOST_SHOWN = 200


@dataclass(slots=True)
class Judge:
    """Compares texts with one that is looked for; the same text is compared once, however many things have it."""

    asked: str
    fields: Sequence[Field]
    _words: list[str] = field(init=False)
    _fits: dict[str, tuple[Match, int] | None] = field(default_factory=dict)
    _ranks: dict[str, list[int | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Part the text into words."""
        self._words = asked_words(self.asked)

    def hits(self, candidates: Iterable[Candidate]) -> Iterator[Hit]:
        """Give a hit for each candidate that fits."""
        for candidate in candidates:
            texts = [
                text
                for text in (Text(Field.NAME, candidate.name), *candidate.texts)
                if text.field in self.fields
            ]
            found = self._alone(texts) or self._together(texts)
            if found is not None:
                fit, told = found
                yield Hit(candidate.kind, candidate.id, candidate.namespace, candidate.name, fit, told)

    def _alone(self, texts: Sequence[Text]) -> tuple[Fit, list[FoundIn]] | None:
        """Return the best of the texts that have every word, and how well it fits."""
        fits = []
        for place, text in enumerate(texts):
            if text.text not in self._fits:
                self._fits[text.text] = judged(self.asked, self._words, text.text)
            found = self._fits[text.text]
            if found is not None:
                fits.append((Fit.of(text.field, *found), place))
        if not fits:
            return None
        fits.sort()
        return fits[0][0], [self._told(texts[place], fit.match) for fit, place in fits[:MOST_TOLD]]

    def _together(self, texts: Sequence[Text]) -> tuple[Fit, list[FoundIn]] | None:
        """Return how well they fit together: each word of the text stands in one of them."""
        best: list[tuple[int, Field, int] | None] = [None] * len(self._words)
        for place, text in enumerate(texts):
            if text.text not in self._ranks:
                own = words_of(text.text)
                self._ranks[text.text] = [rank_of(word, own) for word in self._words]
            for number, rank in enumerate(self._ranks[text.text]):
                if rank is not None:
                    found, known = (rank, text.field, place), best[number]
                    best[number] = found if known is None else min(known, found)
        fits = [found for found in best if found is not None]
        if not fits or len(fits) < len(best):
            return None
        told = {place: rank for rank, _, place in sorted(fits, reverse=True)}
        return Fit.of(SEVERAL, *match_of(max(rank for rank, _, _ in fits))), [
            self._told(texts[place], match_of(told[place])[0]) for place in sorted(told)[:MOST_TOLD]
        ]

    def _told(self, text: Text, match: Match) -> FoundIn:
        return FoundIn(text.field, excerpt(text.text, self._words), text.column, match)


def excerpt(text: str, words: Iterable[str]) -> str:
    """Return the text, of a long one what stands around the first of the words."""
    if len(text) <= MOST_SHOWN:
        return text
    lower = text.lower()
    places = [place for place in (lower.find(word) for word in words) if place >= 0]
    start = max(0, min(places, default=0) - MOST_SHOWN // 4)
    start = min(start, len(text) - MOST_SHOWN)
    end = start + MOST_SHOWN
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
