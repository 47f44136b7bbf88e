"""Secrets that events bring by accident: those within their texts, environment variables, values at configured paths.

Each is replaced by `MARK` before anything is stored, wherever it stands, names included; the same secret in
two events leaves the same redacted name, so that lineage still joins. What `catalog.redaction` does not
recognise within a text, such as the value of a member called password, is what configured paths are for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from catalog.openlineage.pointer import pointer_to, segments_of
from catalog.redaction import MARK, may_hold_secret, redact_text

#: The values of environment variables hold secrets as often as not, under names that nobody can foresee.
_ENVIRONMENT = ("run", "facets", "environmentVariables", "environmentVariables", "*", "value")


@dataclass(frozen=True, slots=True)
class Redactor:
    """Redacts passwords everywhere, the values of environment variables, and what stands at configured paths."""

    paths: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def at(cls, pointers: Iterable[str]) -> "Redactor":
        """Return a redactor for JSON pointers in which `*` is any one segment; raise `ConfigurationError`."""
        return cls(tuple(segments_of(pointer) for pointer in pointers))

    def redact(self, value: Any, canonical: bytes) -> tuple[Any, tuple[str, ...]]:
        """Return the value without secrets, and JSON pointers to what was redacted, sorted.

        The given value is not changed; it is returned itself where nothing had to be redacted. It nests no
        deeper than `limits.DEEPEST`.
        """
        found: set[str] = set()
        for path in self.paths:
            value = _without_path(value, path, (), found)
        if b'"environmentVariables"' in canonical:
            value = _without_path(value, _ENVIRONMENT, (), found)
        if may_hold_secret(canonical):
            value = _without_secrets(value, (), found)
        return value, tuple(sorted(found))


def _without_path(value: Any, rest: tuple[str, ...], path: tuple[str, ...], found: set[str]) -> Any:
    if not rest:
        if value is None or value == MARK:
            return value
        found.add(pointer_to(redact_text(segment) for segment in path))
        return MARK
    head, tail = rest[0], rest[1:]
    if isinstance(value, dict):
        names = list(value) if head == "*" else [head] if head in value else []
        changed = {name: _without_path(value[name], tail, (*path, name), found) for name in names}
        return value if all(changed[name] is value[name] for name in names) else value | changed
    if isinstance(value, list):
        changed_items = [
            _without_path(item, tail, (*path, str(index)), found) if head in {"*", str(index)} else item
            for index, item in enumerate(value)
        ]
        return (
            value if all(new is old for new, old in zip(changed_items, value, strict=True)) else changed_items
        )
    return value


def _without_secrets(value: Any, path: tuple[str | int, ...], found: set[str]) -> Any:
    if isinstance(value, str):
        text = redact_text(value)
        if text != value:
            found.add(pointer_to(path))
        return text
    if isinstance(value, list):
        return [_without_secrets(item, (*path, index), found) for index, item in enumerate(value)]
    if isinstance(value, dict):
        redacted = {}
        # Sorted, so that which of two names wins that become equal does not depend on how they were written.
        for name, item in (
            sorted(value.items()) if any(redact_text(name) != name for name in value) else value.items()
        ):
            clean = redact_text(name)
            if clean != name:
                found.add(pointer_to((*path, clean)))
            redacted[clean] = _without_secrets(item, (*path, clean), found)
        return redacted
    return value
