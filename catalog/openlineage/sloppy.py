"""Reading values that producers may have got wrong, where a fault must cost a facet and never the event."""

from typing import Any

from catalog.openlineage.limits import MAX_NAME_BYTES


class SloppyError(ValueError):
    """A facet, or a part of one, has not the form that its specification gives it."""


def text_of(value: Any, name: str) -> str:
    """Return a text that is not empty; raise `SloppyError`."""
    if type(value) is not str or not value:
        raise SloppyError(f"{name}: expected text")
    return value


def list_of(value: Any, name: str) -> list[Any]:
    """Return a list, an empty one where there is none; raise `SloppyError` for any other value."""
    if value is None:
        return []
    if type(value) is not list:
        raise SloppyError(f"{name}: expected an array")
    return value


def key_of(value: Any) -> tuple[str, str]:
    """Return namespace and name of a dataset or job; raise `SloppyError`."""
    if type(value) is not dict:
        raise SloppyError("expected an object with namespace and name")
    namespace, name = text_of(value.get("namespace"), "namespace"), text_of(value.get("name"), "name")
    for text in (namespace, name):
        if len(text) > MAX_NAME_BYTES // 4 and len(text.encode()) > MAX_NAME_BYTES:
            raise SloppyError(f"expected names of at most {MAX_NAME_BYTES} bytes")
    return namespace, name
