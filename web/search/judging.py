"""Which texts of a hit fit what is looked for: those that do alone, else those that do together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from catalog.search.texts import Field, Text
from catalog.search.words import Match, asked_words, judged, match_of, rank_of, words_of
from web.search.hits import Fit, FoundIn

#: Texts that a hit tells of.
MOST_TOLD = 5
#: Of a longer text so many characters around the place that fits are told.
MOST_SHOWN = 200


@dataclass(slots=True)
class Judge:
    """Says of texts whether and how they fit one that is looked for."""

    asked: str
    fields: Sequence[Field]
    _words: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Part the text into words."""
        self._words = asked_words(self.asked)

    def fit_of_name(self, name: str, found: Fit) -> Fit:
        """Return how a name fits that was found in this way."""
        judgement = judged(self.asked, self._words, name)
        return found if judgement is None else Fit.of(Field.NAME, *judgement)

    def found_in(self, texts: Iterable[Text]) -> list[FoundIn]:
        """Return the texts that fit, the best first; where none has every word, those that have them together."""
        looked_at = [text for text in texts if text.field in self.fields]
        return self._alone(looked_at) or self._together(looked_at)

    def _alone(self, texts: Sequence[Text]) -> list[FoundIn]:
        fits = []
        for place, text in enumerate(texts):
            found = judged(self.asked, self._words, text.text)
            if found is not None:
                fits.append((Fit.of(text.field, *found), place))
        return [self._told(texts[place], fit.match) for fit, place in sorted(fits)[:MOST_TOLD]]

    def _together(self, texts: Sequence[Text]) -> list[FoundIn]:
        best: list[tuple[int, Field, int] | None] = [None] * len(self._words)
        for place, text in enumerate(texts):
            own = words_of(text.text)
            for number, word in enumerate(self._words):
                rank, known = rank_of(word, own), best[number]
                if rank is not None and (known is None or (rank, text.field, place) < known):
                    best[number] = (rank, text.field, place)
        told = {
            found[2]: found[0] for found in sorted((each for each in best if each is not None), reverse=True)
        }
        return [self._told(texts[place], match_of(told[place])[0]) for place in sorted(told)[:MOST_TOLD]]

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
