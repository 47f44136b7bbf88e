"""JSON text to a plain value; fields that stand twice and numbers that are none are refused."""

import json
from collections import Counter
from typing import Any, NoReturn

from catalog.documents.faults import Fault, Place, invalid_document
from catalog.documents.raw import TOO_DEEP, bounded_integer, field_twice


def read_json(text: str, source: str) -> Any:
    """Return the value; raise `InvalidDocument` that names line and column of a fault in the form."""
    try:
        return parse_json(text, source)
    except json.JSONDecodeError as error:
        place = Place(error.lineno, error.colno)
        raise invalid_document([Fault((), f"expected JSON: {error.msg}")], source, lambda _: place) from error
    except RecursionError as error:
        raise invalid_document([Fault((), TOO_DEEP)], source) from error


def parse_json(text: str, source: str) -> Any:
    """Parse JSON; raise `json.JSONDecodeError`, `RecursionError` or `InvalidDocument`."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        if len(mapping) != len(pairs):
            [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
            raise invalid_document([Fault((), field_twice(twice))], source)
        return mapping

    def number(digits: str) -> int:
        return bounded_integer(digits, lambda reason: invalid_document([Fault((), reason)], source))

    def constant(name: str) -> NoReturn:
        raise invalid_document([Fault((), f"expected a finite number, found {name}")], source)

    return json.loads(text, object_pairs_hook=unique, parse_int=number, parse_constant=constant)
