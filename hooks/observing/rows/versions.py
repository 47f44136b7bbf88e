"""The versions of datasets, and which runs told of them by the producers' own names."""

import dataclasses
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import psycopg

from hooks.observing.queries import QUERIES
from hooks.observing.versions import VersionRow

VERSION_FIELDS = tuple(f.name for f in dataclasses.fields(VersionRow))


@dataclass(slots=True)
class Versions:
    """Rows of `dataset_version` and `version_maker`."""

    connection: psycopg.Connection[Any]
    _known: dict[uuid.UUID, VersionRow | None] = field(default_factory=dict)
    _dirty: set[uuid.UUID] = field(default_factory=set)
    _new_makers: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)

    def get(self, version_id: uuid.UUID) -> VersionRow | None:
        """Return the version as it is known, None where there is none yet."""
        self.load([version_id])
        return self._known[version_id]

    def load(self, version_ids: Iterable[uuid.UUID]) -> None:
        """Read those of the versions that were not read, as far as they exist."""
        unknown = [found for found in version_ids if found not in self._known]
        if unknown:
            self._known.update(dict.fromkeys(unknown))
            for row in self.connection.execute(QUERIES["versions"], {"ids": unknown}):
                self._known[row[0]] = VersionRow(*row)

    def expect_none(self, version_id: uuid.UUID) -> None:
        """Take a version of which nothing is known for one that does not exist, which saves looking for it."""
        self._known.setdefault(version_id, None)

    def of_run(self, run_id: uuid.UUID) -> list[VersionRow]:
        """Return the versions that the run made, as they are known."""
        for row in self.connection.execute(QUERIES["versions_of_run"], {"run": run_id}).fetchall():
            self._known.setdefault(row[0], VersionRow(*row))
        found = (row for row in self._known.values() if row is not None and row.run_id == run_id)
        return sorted(found, key=attrgetter("id"))

    def save(self, row: VersionRow) -> None:
        """Keep the version and mark its row as changed."""
        self._known[row.id] = row
        self._dirty.add(row.id)

    def add_maker(self, version_id: uuid.UUID, run_id: uuid.UUID) -> None:
        """Remember that the run told of the version by the producer's own name for it."""
        self._new_makers.add((version_id, run_id))

    def makers_of(self, version_id: uuid.UUID) -> set[uuid.UUID]:
        """Return every run that ever told of the version by the producer's own name for it."""
        rows = self.connection.execute(QUERIES["makers"], {"version": version_id}).fetchall()
        return {row[0] for row in rows} | {run for version, run in self._new_makers if version == version_id}

    def flush(self) -> None:
        """Write the makers that are new and the versions that changed."""
        if self._new_makers:
            makers = sorted(self._new_makers)
            columns = {"versions": [row[0] for row in makers], "runs": [row[1] for row in makers]}
            self.connection.execute(QUERIES["save_makers"], columns)
        rows = [row for found in self._dirty if (row := self._known[found]) is not None]
        if rows:
            self.connection.execute(
                QUERIES["save_versions"],
                {name: [getattr(row, name) for row in rows] for name in VERSION_FIELDS},
            )
