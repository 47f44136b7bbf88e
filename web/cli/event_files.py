"""OpenLineage events in a file: one, an array, or one after another (NDJSON), each kept byte for byte."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import InvalidJson

#: A batch has at most so many events and about so many bytes; servers take more, but answer later.
BATCH_EVENTS = 1_000
BATCH_BYTES = 8 * 1024 * 1024

_BLANK = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """One JSON value of a file, and the line on which it begins, counted from 1."""

    text: str
    line: int


def read_source(source: str) -> str:
    """Return the text of a file, or of stdin for `-`; raise `InvalidJson` where it cannot be read."""
    try:
        body = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise InvalidJson(f"{source}: expected a file that can be read: {error.strerror}") from error
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJson(f"{source}: expected JSON in UTF-8, found other bytes at {error.start}") from error


def split_events(text: str, source: str) -> list[FoundEvent]:
    """Return the events of a text in their order; raise `InvalidJson` that names the line of the first fault."""
    return list(_Reader(text, "stdin" if source == "-" else source).events())


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._at = 0
        self._line = 1
        self._counted = 0

    def events(self) -> Iterator[FoundEvent]:
        self._skip_blank()
        if self._at == len(self._text):
            raise self._fault("expected an event, found nothing")
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                yield from self._array()
            else:
                yield self._value()
            self._skip_blank()

    def _array(self) -> Iterator[FoundEvent]:
        self._at += 1
        self._skip_blank()
        if self._take("]"):
            return
        while True:
            yield self._value()
            self._skip_blank()
            if self._take("]"):
                return
            if not self._take(","):
                raise self._fault("expected , or ] after an event of an array")
            self._skip_blank()

    def _value(self) -> FoundEvent:
        start, line = self._at, self._current_line()
        try:
            _, self._at = json.JSONDecoder().raw_decode(self._text, start)
        except json.JSONDecodeError as error:
            self._at = error.pos
            raise self._fault(f"expected JSON: {error.msg}") from error
        except (RecursionError, ValueError) as error:
            raise self._fault("expected JSON of sane depth and numbers") from error
        return FoundEvent(self._text[start : self._at], line)

    def _take(self, character: str) -> bool:
        found = self._text.startswith(character, self._at)
        self._at += found
        return found

    def _skip_blank(self) -> None:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank is not None else self._at

    def _current_line(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _fault(self, reason: str) -> InvalidJson:
        return InvalidJson(f"{self._source}:{self._current_line()}: {reason}")


def batches(events: list[FoundEvent]) -> Iterator[list[FoundEvent]]:
    """Yield the events in groups that one request may hold."""
    batch: list[FoundEvent] = []
    size = 0
    for event in events:
        if batch and (len(batch) == BATCH_EVENTS or size + len(event.text) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += len(event.text)
    if batch:
        yield batch
