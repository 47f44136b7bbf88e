"""A document as it was read, before its kind is known, and the bounds that every document keeps."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from catalog.documents.faults import Fault, Path, Place

MAX_BYTES = 10 * 1024 * 1024
#: A text may hold this many values, those that aliases repeat included.
MAX_VALUES = 1_000_000
#: And this many characters in them.
MAX_CHARACTERS = MAX_BYTES
MAX_DEPTH = 64
#: Documents hold counts and durations; JSON readers disagree about numbers beyond this.
MAX_INTEGER = 2**53

TOO_DEEP = f"expected at most {MAX_DEPTH} levels of nesting"
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class RawDocument:
    """One document of a text, before its kind is known."""

    value: Any
    source: str
    places: dict[Path, Place | None] = field(default_factory=dict)

    def place(self, path: Path) -> Place | None:
        """Return where the value at the path stands, or else the nearest value around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path)


def check_plain(value: Any) -> Fault | None:
    """Return what keeps a value from being a document: not JSON, too deep or too large, or bad text."""
    waiting: list[tuple[Any, Path]] = [(value, ())]
    values = characters = 0
    while waiting:
        current, path = waiting.pop()
        values += 1
        reason = None
        match current:
            case dict():
                characters += sum(len(key) for key in current if isinstance(key, str))
                reason = next((found for key in current if (found := _field_name_fault(key))), None)
                waiting.extend((item, (*path, key)) for key, item in current.items())
            case list():
                waiting.extend((item, (*path, index)) for index, item in enumerate(current))
            case str():
                characters += len(current)
                reason = _text_fault(current)
            case bool() | None:
                pass
            case int() | float():
                reason = _number_fault(current)
            case _:
                reason = f"expected a value of JSON, found a {type(current).__name__}"
        if len(path) > MAX_DEPTH:
            reason = TOO_DEEP
        if values + len(waiting) > MAX_VALUES or characters > MAX_CHARACTERS:
            reason = f"expected at most {MAX_VALUES} values with {MAX_CHARACTERS} characters"
        if reason is not None:
            return Fault(path, reason)
    return None


def _field_name_fault(key: Any) -> str | None:
    return _text_fault(key) if isinstance(key, str) else "expected a text as the name of a field"


def _text_fault(text: str) -> str | None:
    if "\0" in text:
        return "expected text without the character NUL"
    if _HALF_CHARACTER.search(text):
        return "expected Unicode text, found half of a character (a lone surrogate)"
    return None


def _number_fault(number: float) -> str | None:
    if not math.isfinite(number):
        return f"expected a finite number, found {number}"
    if isinstance(number, int) and abs(number) > MAX_INTEGER:
        return f"expected a number of at most {MAX_INTEGER}, found a larger one"
    return None


def bounded_integer(digits: str, error: Callable[[str], Exception]) -> int:
    """Return the whole number; a long one is not even parsed, because that takes quadratic time."""
    if len(digits) <= 20:
        return int(digits)
    raise error(f"expected a number of at most {MAX_INTEGER}, found {len(digits)} digits")


def field_twice(key: str) -> str:
    """Return the reason that refuses a field which stands twice in one mapping."""
    return f"expected each field once, found {key!r:.200} twice"
