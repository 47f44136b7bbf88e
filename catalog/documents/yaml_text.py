"""YAML text to plain values with their places.

YAML is read by the core schema of YAML 1.2 (section 10.3): `on`, `no` and `2024-01-31` are texts, and `010`
is ten. Anchors work; merge keys, tags and values that contain themselves are refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml
from yaml import events

from catalog.documents.faults import Fault, Path, Place, invalid_document
from catalog.documents.raw import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_VALUES,
    TOO_DEEP,
    RawDocument,
    bounded_integer,
    field_twice,
)
from catalog.errors import InvalidDocument

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    value: dict[str, Any] | list[Any]
    path: Path
    anchor: str | None
    size_before: "_Size"
    key: str | None = None
    """The field whose value comes next, in a mapping."""


class _Size(NamedTuple):
    """Values and characters read so far, or of what an anchor names."""

    values: int
    characters: int


class YamlReader:
    """Builds values from the parser's events: no recursion, and bounds are checked before memory is spent."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._size = _Size(0, 0)
        self._begin_document()

    def documents(self) -> Iterator[RawDocument]:
        """Yield every document that is not empty."""
        try:
            for event in yaml.parse(self._text, Loader=_LOADER):
                match event:
                    case events.DocumentStartEvent():
                        self._begin_document()
                    case events.MappingStartEvent() | events.SequenceStartEvent():
                        self._open(event)
                    case events.MappingEndEvent() | events.SequenceEndEvent():
                        self._close()
                    case events.ScalarEvent():
                        self._scalar(event)
                    case events.AliasEvent():
                        self._alias(event)
                    case events.DocumentEndEvent() if self._root is not None:
                        yield RawDocument(self._root, self._source, self._places)
                    case _:
                        pass
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error

    def _begin_document(self) -> None:
        self._root: Any = None
        self._stack: list[_Open] = []
        self._places: dict[Path, Place | None] = {}
        self._anchors: dict[str, tuple[Any, _Size]] = {}

    def _open(self, event: events.MappingStartEvent | events.SequenceStartEvent) -> None:
        self._no_tag(event)
        path = self._value_path(event)
        if len(self._stack) >= MAX_DEPTH:
            raise self._fault(event, TOO_DEEP, path)
        value: dict[str, Any] | list[Any] = {} if isinstance(event, events.MappingStartEvent) else []
        self._stack.append(_Open(value, path, event.anchor, self._size))
        self._grow(event, _Size(1, 0))

    def _close(self) -> None:
        done = self._stack.pop()
        size = _Size(
            self._size.values - done.size_before.values,
            self._size.characters - done.size_before.characters,
        )
        self._put(done.value, done.anchor, size)

    def _scalar(self, event: events.ScalarEvent) -> None:
        self._no_tag(event)
        self._grow(event, _Size(1, len(event.value)))
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._field(top, top.value, event)
            return
        path = self._value_path(event)
        plain = event.implicit[0]
        value = self._resolved(event, path) if plain else event.value
        self._put(value, event.anchor, _Size(1, len(event.value)))

    def _field(self, top: _Open, mapping: dict[str, Any], event: events.ScalarEvent) -> None:
        path = (*top.path, event.value)
        if event.value == "<<" and event.implicit[0]:
            raise self._fault(event, "merge keys (<<) are not supported: write the fields out", path)
        if event.value in mapping:
            raise self._fault(event, field_twice(event.value), path)
        top.key = event.value
        self._places[path] = _place_of(event)

    def _alias(self, event: events.AliasEvent) -> None:
        path = self._value_path(event)
        anchored = self._anchors.get(event.anchor or "")
        if anchored is None:
            raise self._fault(event, f"expected an anchor &{event.anchor!s:.100} that ends before this", path)
        value, size = anchored
        self._grow(event, size)
        self._put(value, None, size)

    def _value_path(self, event: events.NodeEvent) -> Path:
        """Return the path of the value that begins here and keep its place."""
        if not self._stack:
            path: Path = ()
        else:
            top = self._stack[-1]
            if isinstance(top.value, list):
                path = (*top.path, len(top.value))
            elif top.key is None:
                raise self._fault(event, "expected a text as the name of a field", top.path)
            else:
                # The name of the field has its place already.
                return (*top.path, top.key)
        self._places[path] = _place_of(event)
        return path

    def _put(self, value: Any, anchor: str | None, size: _Size) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._stack:
            self._root = value
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            top.value[top.key] = value
            top.key = None

    def _grow(self, event: events.NodeEvent, size: _Size) -> None:
        self._size = _Size(self._size.values + size.values, self._size.characters + size.characters)
        if self._size.values > MAX_VALUES or self._size.characters > MAX_CHARACTERS:
            reason = f"expected at most {MAX_VALUES} values with {MAX_CHARACTERS} characters, aliases counted"
            raise self._fault(event, reason)

    def _resolved(self, event: events.ScalarEvent, path: Path) -> Any:
        """Return what a plain scalar means in the core schema."""
        text = event.value
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return bounded_integer(text, lambda reason: self._fault(event, reason, path))
        if _OTHER_BASE.fullmatch(text):
            return int(text, 0)
        if _NOT_FINITE.fullmatch(text):
            raise self._fault(event, f"expected a finite number, found {text}", path)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _no_tag(self, event: events.ScalarEvent | events.CollectionStartEvent) -> None:
        if event.tag not in {None, "!", "tag:yaml.org,2002:str"}:
            raise self._fault(event, f"tags are not supported, found {event.tag!r:.200}")

    def _fault(self, event: events.Event, reason: str, path: Path = ()) -> InvalidDocument:
        place = _place_of(event)
        return invalid_document([Fault(path, reason)], self._source, lambda _: place)

    def _syntax_error(self, error: yaml.YAMLError) -> InvalidDocument:
        mark = getattr(error, "problem_mark", None)
        place = None if mark is None else Place(mark.line + 1, mark.column + 1)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        return invalid_document([Fault((), f"expected YAML: {problem}")], self._source, lambda _: place)


def _place_of(event: events.Event) -> Place | None:
    mark = event.start_mark
    return None if mark is None else Place(mark.line + 1, mark.column + 1)
