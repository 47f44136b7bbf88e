"""What was said of columns, by digest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg

from catalog.openlineage.columns import ColumnLineage
from hooks.observing.memory import Memory
from hooks.observing.queries import QUERIES


@dataclass(slots=True)
class ColumnLineages:
    """Rows of `column_lineage`; they are added and never changed."""

    connection: psycopg.Connection[Any]
    memory: Memory
    _new: dict[str, ColumnLineage] = field(default_factory=dict)

    def load(self, digests: Iterable[str]) -> None:
        """Read those that are not remembered."""
        unknown = [digest for digest in digests if digest not in self.memory.columns]
        if unknown:
            for digest, body in self.connection.execute(QUERIES["columns"], {"digests": unknown}):
                self.memory.remember_columns(digest, ColumnLineage.from_json(orjson.loads(body)))

    def see(self, columns: Mapping[str, ColumnLineage]) -> None:
        """Make sure that they are stored."""
        for digest, lineage in columns.items():
            if digest not in self.memory.columns:
                self.memory.remember_columns(digest, lineage)
                self._new[digest] = lineage

    def get(self, digest: str) -> ColumnLineage:
        """Return the lineage with the digest, which was seen once."""
        self.load([digest])
        return self.memory.columns[digest]

    def flush(self) -> None:
        """Write the new ones."""
        if self._new:
            self.connection.execute(
                QUERIES["save_columns"],
                {
                    "digests": list(self._new),
                    "bodies": [lineage.encoded for lineage in self._new.values()],
                },
            )
