"""The log between stage 1 and stage 2: what became of versions, in order."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from hooks.deciding.records import VersionEvent
from hooks.observing.queries import QUERIES
from hooks.observing.rows.aliases import Aliases
from hooks.observing.versions import PUBLISHED, VersionRow


@dataclass(frozen=True, slots=True)
class _NewVersionEvent:
    position: int
    at: dt.datetime
    kind: str
    version_id: uuid.UUID
    dataset_ids: tuple[uuid.UUID, ...]
    run_ids: tuple[uuid.UUID, ...]


@dataclass(slots=True)
class VersionLog:
    """Rows of `version_event`: what this batch adds."""

    connection: psycopg.Connection[Any]
    aliases: Aliases
    _new: list[_NewVersionEvent] = field(default_factory=list)

    def announce(
        self, kind: str, row: VersionRow, at: dt.datetime, position: int, run_ids: Iterable[uuid.UUID]
    ) -> None:
        """Add to the log, under every name by which the dataset is known now."""
        names = self.aliases.names_of(row.dataset_id)
        self._new.append(_NewVersionEvent(position, at, kind, row.id, names, tuple(run_ids)))

    def was_published(self, version_id: uuid.UUID) -> bool:
        """Return whether the version was ever announced as published."""
        if any(event.version_id == version_id and event.kind == PUBLISHED for event in self._new):
            return True
        row = self.connection.execute(QUERIES["was_published"], {"id": version_id}).fetchone()
        return bool(row and row[0])

    def flush(self) -> list[VersionEvent]:
        """Write what was added; return it with its sequence numbers."""
        if not self._new:
            return []
        rows = self.connection.execute(
            QUERIES["save_version_events"],
            {
                "positions": [event.position for event in self._new],
                "ats": [event.at for event in self._new],
                "kinds": [event.kind for event in self._new],
                "versions": [event.version_id for event in self._new],
                "datasets": [",".join(map(str, event.dataset_ids)) for event in self._new],
                "runs": [",".join(map(str, event.run_ids)) for event in self._new],
            },
        ).fetchall()
        return [VersionEvent.from_row(row) for row in rows]
