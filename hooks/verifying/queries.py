"""The statements of all checks, and rows of large tables some thousands at a time."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

from catalog.queries import load_queries

QUERIES = load_queries(Path(__file__).with_name("verifying.sql"))

STREAM_ROWS = 5_000


def stream(
    connection: "psycopg.Connection[Any]",
    name: str,
    query: Any,
    parameters: Mapping[str, Any] | None = None,
) -> Iterator[Any]:
    """Give the rows of a query that may return more than fits into memory; within a transaction."""
    with connection.cursor(f"headwater_{name}") as cursor:
        cursor.itersize = STREAM_ROWS
        yield from cursor.execute(query, parameters, binary=True)
