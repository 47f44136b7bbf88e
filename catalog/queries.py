"""Named statements: a file holds several, each under a line of its own; values go in as parameters only."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import LiteralString

_SQL_HEADING = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_CYPHER_HEADING = re.compile(r"^// name: (\w+)$", re.MULTILINE)


def load_queries(path: Path) -> Mapping[str, bytes]:
    """Return the statements of a `.sql` file by name, as bytes, which is what the driver takes for trusted SQL."""
    return {name: text.encode() for name, text in _named(path, _SQL_HEADING)}


def load_cypher(path: Path) -> Mapping[str, LiteralString]:
    """Return the statements of a `.cypher` file by name, as the type that stands for trusted text."""
    return dict(_named(path, _CYPHER_HEADING))


def _named(path: Path, heading: re.Pattern[str]) -> list[tuple[str, str]]:
    parts = heading.split(path.read_text("utf-8"))
    return [(name, text.strip()) for name, text in zip(parts[1::2], parts[2::2], strict=True)]
