"""A declared thing in its canonical form, and what differs between two of its versions.

The canonical form leaves out what equals a default, writes datasets as mappings and durations in one way, and
sorts fields. So a document that says the same in other words is unchanged. Defaults never change within one
`apiVersion`, or a stored document would change its meaning.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from catalog.documents.faults import Path, pointer

#: Longest value that a rendered difference shows, in characters.
SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a declared thing; two are equal when they declare the same."""

    api_version: str
    kind: str
    name: str
    body: Mapping[str, Any] = field(compare=False, repr=False)
    """Canonical form, plain values of JSON; not to be changed."""
    digest: str
    """SHA-256 of the canonical form, hexadecimal."""
    source: str = field(default="", compare=False)
    """File (with line, where known) that it came from."""

    @property
    def title(self) -> str:
        """Kind and name, as messages show them."""
        return f"{self.kind} {self.name}"


def canonical(body: Mapping[str, Any], source: str = "") -> Document:
    """Return the document that a validated body declares."""
    plain = normal(body)
    return Document(
        api_version=plain["apiVersion"],
        kind=plain["kind"],
        name=plain["metadata"]["name"],
        body=plain,
        digest=hashlib.sha256(canonical_json(plain).encode()).hexdigest(),
        source=source,
    )


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a plain value: sorted fields, no spaces, no escapes but those needed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def normal(value: Any) -> Any:
    """Return the value with sorted fields, and whole numbers as such: JSON does not tell 2 from 2.0."""
    match value:
        case Mapping():
            return {key: normal(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [normal(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


class _Absent:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs; `ABSENT` on the side where there is none."""

    path: Path
    old: Any
    new: Any

    @property
    def pointer(self) -> str:
        """The path as a JSON pointer."""
        return pointer(self.path)


def difference(old: Document | None, new: Document | None) -> list[Change]:
    """Return what differs between two versions in order of their fields; None is a document not there."""
    before = ABSENT if old is None else old.body
    after = ABSENT if new is None else new.body
    return list(_changes((), before, after))


def _changes(path: Path, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _changes((*path, key), old.get(key, ABSENT), new.get(key, ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _changes(
                (*path, index),
                old[index] if index < len(old) else ABSENT,
                new[index] if index < len(new) else ABSENT,
            )
    elif type(old) is not type(new) or old != new:
        yield Change(path, old, new)


def render_difference(changes: list[Change]) -> str:
    """Return one line a change: `+` for what is new, `-` for what is gone, `~` for what is another."""
    return "\n".join(_line(change) for change in changes)


def _line(change: Change) -> str:
    where = ".".join(str(part) for part in change.path) or "document"
    if change.old is ABSENT:
        return f"+ {where}: {_shown(change.new)}"
    if change.new is ABSENT:
        return f"- {where}: {_shown(change.old)}"
    return f"~ {where}: {_shown(change.old)} -> {_shown(change.new)}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    text = json.dumps(text, ensure_ascii=False)[1:-1] if not text.isprintable() else text
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
