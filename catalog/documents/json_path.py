"""Paths to one value of a JSON answer: the singular queries of RFC 9535 (section 2.3.5.1), such as `$.run['state']`.

A singular query names at most one value and takes no longer than the path is long, whatever the answer holds.
"""

import functools
import re
from typing import Annotated, Any

import jsonpath_rfc9535
from pydantic import AfterValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

_NAME = r"(?:[A-Za-z_]|[^\x00-\x7F])(?:[A-Za-z0-9_]|[^\x00-\x7F])*"
_ESCAPE = r"\\[bfnrt/\\{quote}]|\\u[0-9A-Fa-f]{{4}}"
_SINGLE = rf"'(?:[^'\\\x00-\x1F]|{_ESCAPE.format(quote=chr(39))})*'"
_DOUBLE = rf'"(?:[^"\\\x00-\x1F]|{_ESCAPE.format(quote=chr(34))})*"'
_INDEX = r"(?:0|-?[1-9][0-9]{0,14})"
_PATH = rf"\$(?:\.{_NAME}|\[(?:{_SINGLE}|{_DOUBLE}|{_INDEX})\])*"
PATTERN = f"^{_PATH}$"
MAX_LENGTH = 500

EXPECTED = "a JSON path to one value, such as $.run.state or $['runs'][0].id"


class _Nothing:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()


@functools.lru_cache(maxsize=1024)
def _compiled(path: str) -> jsonpath_rfc9535.JSONPathQuery:
    return jsonpath_rfc9535.compile(path)


def value_at(path: str, document: Any) -> Any:
    """Return the value that the path leads to, or `NOTHING`."""
    found = _compiled(path).find_one(document)
    return NOTHING if found is None else found.value


def is_path(path: str) -> bool:
    """Say whether the text is a singular query."""
    if re.fullmatch(_PATH, path) is None:
        return False
    try:
        return _compiled(path).singular_query()
    except jsonpath_rfc9535.JSONPathError:
        return False


def _validated(path: str) -> str:
    if not is_path(path):
        raise PydanticCustomError(
            "json_path", "{reason}", {"reason": f"expected {EXPECTED}, found {path!r:.200}"}
        )
    return path


JsonPath = Annotated[
    str,
    StringConstraints(max_length=MAX_LENGTH),
    AfterValidator(_validated),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": PATTERN,
            "maxLength": MAX_LENGTH,
            "description": f"{EXPECTED[0].upper()}{EXPECTED[1:]} (RFC 9535).",
        }
    ),
]
