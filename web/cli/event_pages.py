"""Pages of OpenLineage events as Marquez's `/api/v1/events/lineage` gives them, each event kept byte for byte."""

import datetime as dt
import json
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from catalog.errors import UnexpectedAnswer
from catalog.openlineage.times import parse_time

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class PageEvent:
    """One event of a page: its text, and the instant that it tells; None where that cannot be read."""

    text: str
    at: dt.datetime | None

    @property
    def digest(self) -> str:
        """What tells the text from others."""
        return blake2b(self.text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Page:
    """A page of events, and how many there are in all where the server says so."""

    events: list[PageEvent]
    total: int | None


def read_page(body: bytes) -> Page:
    """Return the events of an answer; raise `UnexpectedAnswer` where it is none."""
    try:
        return _Reader(body.decode()).page()
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswer(
            f"expected a page of events as Marquez gives them, found {body[:80]!r}: {error}"[:500]
        ) from error


class _Reader:
    """Goes through the answer's one object, and leaves the texts of its events as they are."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def page(self) -> Page:
        events: list[PageEvent] | None = None
        total: int | None = None
        self._expect("{")
        while not self._take("}"):
            name = self._value()
            self._expect(":")
            if name == "events":
                events = self._events()
            else:
                value = self._value()
                total = value if name == "totalCount" and type(value) is int else total
            self._take(",")
        if events is None:
            raise ValueError("expected a member `events`")
        return Page(events, total)

    def _events(self) -> list[PageEvent]:
        events = []
        self._expect("[")
        while not self._take("]"):
            self._skip()
            start = self._at
            value = self._value()
            events.append(PageEvent(self._text[start : self._at], _instant(value)))
            self._take(",")
        return events

    def _value(self) -> Any:
        self._skip()
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        return value

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found is not None else self._at

    def _take(self, mark: str) -> bool:
        self._skip()
        found = self._text.startswith(mark, self._at)
        self._at += found
        return found

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise ValueError(f"expected {mark} at {self._at}")


def _instant(event: Any) -> dt.datetime | None:
    told = event.get("eventTime") if isinstance(event, dict) else None
    try:
        return parse_time(told) if isinstance(told, str) else None
    except ValueError:
        return None
