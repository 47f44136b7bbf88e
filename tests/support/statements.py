"""The statements that a database is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, event


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """Yield the statements that the engine's connections are given meanwhile."""
    seen: list[str] = []

    class CountingCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **keywords: Any) -> Any:
            seen.append(str(query))
            return super().execute(query, *arguments, **keywords)

    def use(connection: psycopg.Connection[Any], _record: object, _proxy: object) -> None:
        connection.cursor_factory = CountingCursor

    event.listen(engine, "checkout", use)
    try:
        yield seen
    finally:
        event.remove(engine, "checkout", use)
        engine.dispose()
