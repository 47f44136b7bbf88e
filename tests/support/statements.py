"""The statements that a database is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, event


def _cursor(seen: list[str]) -> type[psycopg.Cursor[Any]]:
    class CountingCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **keywords: Any) -> Any:
            seen.append(query.decode() if isinstance(query, bytes) else str(query))
            return super().execute(query, *arguments, **keywords)

    return CountingCursor


@contextmanager
def counted_on(connection: psycopg.Connection[Any]) -> Iterator[list[str]]:
    """Yield the statements that the connection is given meanwhile."""
    seen: list[str] = []
    before = connection.cursor_factory
    connection.cursor_factory = _cursor(seen)
    try:
        yield seen
    finally:
        connection.cursor_factory = before


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """Yield the statements that the engine's connections are given meanwhile."""
    seen: list[str] = []
    cursor = _cursor(seen)

    def use(connection: psycopg.Connection[Any], _record: object, _proxy: object) -> None:
        connection.cursor_factory = cursor

    event.listen(engine, "checkout", use)
    try:
        yield seen
    finally:
        event.remove(engine, "checkout", use)
        engine.dispose()
