"""What is wrong with a document, where, and what was expected: one `InvalidDocument` for all faults found."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from catalog.errors import InvalidDocument
from catalog.redaction import redact_text

Path = tuple[str | int, ...]

#: A message names at most this many faults; a document with more is wrong as a whole.
NAMED_AT_MOST = 20

#: Tags by which the models choose a member of a union; pydantic puts them into its locations.
_TAGS = frozenset({"<dataset>", "<all>", "<any>", "<command>", "<http>", "<text>", "<secret>"})
_NOT_SHOWN = frozenset({"environment", "secret", "argv", "headers", "body", "url"})

#: What a field expects, by the type of pydantic's error; where none stands here, pydantic's own words serve.
_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "a text of the form {pattern}",
    "string_too_short": "a text of at least {min_length} character(s)",
    "string_too_long": "a text of at most {max_length} character(s)",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column of a value, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    path: Path
    reason: str


PlaceOf = Callable[[Path], Place | None]


def pointer(path: Path) -> str:
    """Return the path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def nowhere(_path: Path) -> Place | None:
    """Say that no place is known, as for a document that came over HTTP."""


def invalid_document(
    faults: Sequence[Fault], source: str = "", place_of: PlaceOf = nowhere
) -> InvalidDocument:
    """Return one error that names every fault with its file, line, column and path."""
    described = [_described(fault, source, place_of(fault.path)) for fault in faults[:NAMED_AT_MOST]]
    lines = [text for text, _ in described]
    if len(faults) > NAMED_AT_MOST:
        lines.append(f"and {len(faults) - NAMED_AT_MOST} more")
    return InvalidDocument(
        "\n".join(lines),
        pointer=pointer(faults[0].path),
        source=source,
        faults=[details for _, details in described],
    )


def _described(fault: Fault, source: str, place: Place | None) -> tuple[str, dict[str, Any]]:
    reason = redact_text(fault.reason)
    where = [source] if source else []
    if place is not None:
        where.append(f"{place.line}:{place.column}")
    at = pointer(fault.path)
    text = ": ".join(part for part in (":".join(where), at, reason) if part)
    details: dict[str, Any] = {"pointer": at, "reason": reason}
    if place is not None:
        details |= {"line": place.line, "column": place.column}
    return text, details


def from_validation(errors: Sequence[ErrorDetails]) -> list[Fault]:
    """Turn pydantic's errors into faults that say what was expected and what was found."""
    paths = [_path(error) for error in errors]
    faults = []
    for error, path in zip(errors, paths, strict=True):
        # An entry that is wrong is reported itself; that its list is too short without it is no news.
        if error["type"] == "too_short" and any(
            len(other) > len(path) and other[: len(path)] == path for other in paths
        ):
            continue
        faults.append(Fault(path, _reason(error, path)))
    return faults


def _path(error: ErrorDetails) -> Path:
    location = tuple(part for part in error["loc"] if part not in _TAGS and part != "[key]")
    if error["type"] == "unknown_field":
        return (*location, error["ctx"]["field"])
    return location


def _reason(error: ErrorDetails, path: Path) -> str:
    context = error.get("ctx", {})
    if "reason" in context:
        return str(context["reason"])
    if error["type"] == "missing":
        return f"expected a field {str(path[-1])!r}, found none"
    template = _EXPECTED.get(error["type"])
    if template is None:
        message = error["msg"]
        return message if message.startswith("expected") else f"{message[0].lower()}{message[1:]}"
    expected = template.format_map(context)
    found = "a value that is not shown here" if _NOT_SHOWN.intersection(path) else found_value(error["input"])
    hint = ": put it in quotes" if error["type"] == "string_type" and _is_scalar(error["input"]) else ""
    return f"expected {expected}, found {found}{hint}"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def found_value(value: Any) -> str:
    """Return what was found, in words and cut to a length for messages."""
    match value:
        case None:
            found = "nothing"
        case bool():
            found = json.dumps(value)
        case int() | float():
            found = f"the number {value}"
        case str():
            found = f"{value!r:.200}"
        case dict():
            found = f"a mapping with {', '.join(map(str, value))!s:.200}" if value else "an empty mapping"
        case list() | tuple():
            found = f"a list of {len(value)}" if value else "an empty list"
        case _:
            found = f"a {type(value).__name__}"
    return found
