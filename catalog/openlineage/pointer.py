"""JSON pointers (RFC 6901)."""

from collections.abc import Iterable

from catalog.errors import ConfigurationError


def pointer_to(segments: Iterable[str | int]) -> str:
    """Return the JSON pointer that leads along the segments; the empty pointer means the whole document."""
    return "".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments)


def segments_of(pointer: str) -> tuple[str, ...]:
    """Return the segments of a pointer; raise `ConfigurationError` where it does not begin with a slash."""
    if not pointer.startswith("/"):
        message = f"expected a JSON pointer such as /run/facets/environmentVariables, found {pointer!r}"
        raise ConfigurationError(message)
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))
