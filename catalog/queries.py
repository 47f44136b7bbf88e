"""Named SQL: a `.sql` file holds statements, each under a line `-- name: NAME`; values go in as parameters only."""

import re
from collections.abc import Mapping
from pathlib import Path

_HEADING = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_queries(path: Path) -> Mapping[str, bytes]:
    """Return the statements of the file by name, as bytes, which is what the driver takes for trusted SQL."""
    parts = _HEADING.split(path.read_text("utf-8"))
    return {name: text.strip().encode() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
