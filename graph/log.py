"""The observation log, as stores need it that lie elsewhere: how far a cursor has come, and what was left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.queries import load_queries
from graph.parked import read_parked_nodes

QUERIES = load_queries(Path(__file__).with_name("log.sql"))


@dataclass(frozen=True, slots=True)
class LogStanding:
    """Up to which ledger position a graph with the cursor knows everything, and whether something is parked."""

    position: int
    has_parked: bool


class ObservationLog:
    """The log in its database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def standing(self, cursor: int) -> LogStanding:
        """Return how a graph whose cursor is this stands against the log."""
        with self._connection() as connection:
            row = connection.execute(QUERIES["standing"], {"cursor": cursor}).fetchone()
        return LogStanding(0, has_parked=False) if row is None else LogStanding(*row)

    def followed(self) -> int:
        """Return the ledger position up to which the follower brought the graph, whatever it is stored in."""
        with self._connection() as connection:
            row = connection.execute(QUERIES["followed"]).fetchone()
        return 0 if row is None else int(row[0])

    def parked_nodes(self) -> set[str] | None:
        """Return what `read_parked_nodes` does."""
        with self._connection() as connection:
            return read_parked_nodes(connection)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        with translated_errors(), self._engine.connect() as connection:
            yield driver_connection(connection)
            connection.commit()
