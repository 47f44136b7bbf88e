"""JSON text to values and back to one canonical form, so that equal events have equal digests.

The canonical form is compact UTF-8 with sorted keys and no escape that JSON does not demand. Numbers keep
their kind: 1 and 1.0 are different values. Of duplicate keys the last one counts.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import orjson

from catalog.errors import InvalidEvent, InvalidJson
from catalog.openlineage.pointer import pointer_to

DIGEST_BYTES = 16

_DIGITS_AS_D = bytes(ord("d") if 48 <= byte <= 57 else byte for byte in range(256))
#: Every integer of 19 digits fits 64 bits without a sign, and every one of 18 digits does with one.
_LONG = b"d" * 20
_LONG_NEGATIVE = b"-" + b"d" * 19


_SURROGATE = re.compile("[\ud800-\udfff]")


class NotJson:
    """Stands where Python's parser accepts what JSON has not (NaN, Infinity, numbers that overflow)."""


def _finite(text: str) -> object:
    number = float(text)
    return number if math.isfinite(number) else NotJson()


#: Reads integers of any length exactly; `NotJson` marks what must be refused although Python reads it.
EXACT_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _: NotJson(), strict=True)


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text, integers exact; raise `InvalidJson`.

    orjson turns integers beyond 64 bits into floats, so that two events which differ only there would look
    the same; a text that may hold such an integer is read a second time by the slower exact parser.
    """
    try:
        value = orjson.loads(body)
        digits = body.translate(_DIGITS_AS_D)
        if _LONG in digits or _LONG_NEGATIVE in digits:
            value = EXACT_DECODER.decode(body.decode())
    except RecursionError as exc:
        raise InvalidEvent("the event nests far too deep") from exc
    except ValueError as exc:
        if "depth limit" in str(exc):
            raise InvalidEvent("the event nests far too deep: more than 1024 levels") from exc
        raise InvalidJson(f"the body is not JSON: {exc}"[:500]) from exc
    return value


def canonical_form(value: Any) -> bytes:
    """Return the canonical form of a value no deeper than `limits.DEEPEST`; raise `InvalidJson`."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return _exact_form(value, sort_keys=True)


def json_form(value: Any) -> bytes:
    """Return compact JSON in the value's own order of keys; raise `InvalidJson`."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _exact_form(value, sort_keys=False)


def _exact_form(value: Any, *, sort_keys: bool) -> bytes:
    """Write what orjson cannot: integers beyond 64 bits. What no JSON text can mean is refused."""
    try:
        text = json.dumps(
            value, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except (TypeError, ValueError) as exc:
        raise _no_json(value) from exc


def _no_json(value: Any) -> InvalidJson:
    """Return what of a value that Python reads no JSON text can mean, and where it stands."""
    for path, node in walk(value):
        if isinstance(node, NotJson):
            message = "the body is not JSON: expected a number that a double can hold"
            return InvalidJson(message, pointer=pointer_to(path))
        texts = node if isinstance(node, dict) else [node]
        if any(isinstance(text, str) and _SURROGATE.search(text) for text in texts):
            message = "the body is not JSON: expected characters, found half of a surrogate pair"
            return InvalidJson(message, pointer=pointer_to(path))
    return InvalidJson("the body is not JSON")


def digest_of(canonical: bytes) -> bytes:
    """Return the identity of a fact: 16 bytes of BLAKE2b."""
    return hashlib.blake2b(canonical, digest_size=DIGEST_BYTES).digest()


def check_depth(value: Any, limit: int) -> None:
    """Raise `InvalidEvent` with a pointer where objects and arrays nest deeper than the limit."""
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(limit):
        if not level:
            return
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
    if level:
        path = next(
            path for path, node in walk(value) if len(path) == limit and isinstance(node, (dict, list))
        )
        raise InvalidEvent(f"expected at most {limit} levels of nesting", pointer=pointer_to(path))


def check_no_nul(value: Any, canonical: bytes) -> None:
    """Raise `InvalidEvent` with a pointer where a string or a key holds the character NUL.

    PostgreSQL's text cannot hold it, so nothing that may become a column can.
    """
    # The same six characters also stand for a backslash before the letter u, so they are only a hint.
    if b"\\u0000" not in canonical:
        return
    for path, node in walk(value):
        if isinstance(node, str) and "\0" in node:
            raise InvalidEvent("expected no NUL character (U+0000) in a string", pointer=pointer_to(path))
        if isinstance(node, dict) and any("\0" in key for key in node):
            raise InvalidEvent("expected no NUL character (U+0000) in a name", pointer=pointer_to(path))


def walk(value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield every value within a value, itself first, each with the path that leads to it."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        path, node = waiting.pop()
        yield path, node
        if isinstance(node, dict):
            waiting.extend(((*path, key), child) for key, child in node.items())
        elif isinstance(node, list):
            waiting.extend(((*path, index), child) for index, child in enumerate(node))
