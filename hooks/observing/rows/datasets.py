"""The datasets that exist, and the schemas that their versions had."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg

from catalog.keys import DatasetKey
from catalog.observations import DatasetObserved
from hooks.observing.memory import Memory
from hooks.observing.queries import QUERIES
from hooks.observing.rows.observations import Observations


@dataclass(slots=True)
class Datasets:
    """Rows of `dataset` and `dataset_schema`; they are added and never changed."""

    connection: psycopg.Connection[Any]
    memory: Memory
    observations: Observations
    _new: dict[uuid.UUID, tuple[DatasetKey, dt.datetime, int]] = field(default_factory=dict)
    _new_schemas: dict[str, Any] = field(default_factory=dict)

    def load(self, datasets: set[uuid.UUID]) -> None:
        """Read which of these datasets exist."""
        unknown = list(datasets - self.memory.datasets)
        if unknown:
            found = self.connection.execute(QUERIES["known_datasets"], {"ids": unknown}).fetchall()
            self.memory.datasets.update(row[0] for row in found)

    def see(self, key: DatasetKey, at: dt.datetime, position: int) -> uuid.UUID:
        """Make sure that the dataset exists; return its id."""
        found = key.id
        if found not in self.memory.datasets:
            self.memory.datasets.add(found)
            self._new[found] = (key, at, position)
            self.observations.add(DatasetObserved(key), position)
        return found

    def see_schemas(self, schemas: Mapping[str, Any]) -> None:
        """Make sure that the schemas are stored."""
        for digest, fields in schemas.items():
            if digest not in self.memory.schemas:
                self.memory.schemas.add(digest)
                self._new_schemas[digest] = fields

    def flush(self) -> None:
        """Write the new datasets and schemas."""
        if self._new:
            rows = self._new.values()
            self.connection.execute(
                QUERIES["save_datasets"],
                {
                    "ids": list(self._new),
                    "namespaces": [key.namespace for key, _, _ in rows],
                    "names": [key.name for key, _, _ in rows],
                    "ats": [at for _, at, _ in rows],
                    "positions": [position for _, _, position in rows],
                },
            )
        if self._new_schemas:
            self.connection.execute(
                QUERIES["save_schemas"],
                {
                    "hashes": list(self._new_schemas),
                    "fields": [orjson.dumps(fields) for fields in self._new_schemas.values()],
                },
            )
