"""The runs that were heard of, with everything their events say, merged."""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from catalog.openlineage.merge import MergedRun
from hooks.observing.queries import QUERIES


@dataclass(slots=True)
class RunRow:
    """A run as it is known. `bounded_at` is when its end was heard of, which bounds the times of its versions."""

    id: uuid.UUID
    job_id: uuid.UUID
    parent_run_id: uuid.UUID | None
    root_run_id: uuid.UUID
    position: int
    bounded_at: dt.datetime | None
    merged: MergedRun

    @property
    def chain(self) -> list[uuid.UUID]:
        """The runs by which the cause of its versions is found, nearest first."""
        candidates = [self.id, self.parent_run_id, self.root_run_id]
        return list(dict.fromkeys(found for found in candidates if found is not None))


@dataclass(slots=True)
class Runs:
    """Rows of `run`: those that were read and those of this batch."""

    connection: psycopg.Connection[Any]
    _known: dict[uuid.UUID, RunRow] = field(default_factory=dict)
    _children: dict[uuid.UUID, set[uuid.UUID]] = field(default_factory=dict)
    _dirty: set[uuid.UUID] = field(default_factory=set)

    def load(self, run_ids: Iterable[uuid.UUID]) -> None:
        """Read these runs, as far as they exist."""
        self._load("runs", {"ids": list(run_ids)})

    def load_children(self, parents: Iterable[uuid.UUID]) -> None:
        """Read the runs that name these as their parents."""
        self._load("children", {"ids": list(parents)})

    def _load(self, query: str, parameters: Mapping[str, Any]) -> None:
        for row in self.connection.execute(QUERIES[query], parameters).fetchall():
            if row[0] not in self._known:
                run_id, job_id, parent, root, position, bounded_at, merged = row
                state = MergedRun.decode(merged)
                self._keep(RunRow(run_id, job_id, parent, root, position, bounded_at, state))

    def _keep(self, run: RunRow) -> None:
        self._known[run.id] = run
        if run.parent_run_id is not None and run.parent_run_id != run.id:
            self._children.setdefault(run.parent_run_id, set()).add(run.id)

    def column_digests(self) -> set[str]:
        """Return the digests of what the runs that were read say of columns."""
        return {digest for run in self._known.values() for digest in run.merged.column_digests}

    def jobs(self) -> set[uuid.UUID]:
        """Return the jobs of the runs that were read."""
        return {run.job_id for run in self._known.values()}

    def get(self, run_id: uuid.UUID) -> RunRow | None:
        """Return the run where it was read or is of this batch."""
        return self._known.get(run_id)

    def all_of(self, run_ids: set[uuid.UUID]) -> list[RunRow]:
        """Return these runs in order of their ids, read as far as they were not; each must exist."""
        self.load(run_ids - self._known.keys())
        return [self._known[run] for run in sorted(run_ids)]

    def children_of(self, parent: uuid.UUID) -> list[RunRow]:
        """Return the runs that name this run as their parent, as far as they were read or are of this batch."""
        found = (self._known[child] for child in self._children.get(parent, ()))
        # A later event may have named another parent.
        return [run for run in found if run.parent_run_id == parent]

    def with_root(self, root: uuid.UUID) -> list[RunRow]:
        """Return every run whose root this is, those of this batch among them."""
        self._load("descendants", {"root": root})
        return [run for run in self._known.values() if run.root_run_id == root]

    def save(self, run: RunRow) -> None:
        """Keep the run and mark its row as changed."""
        self._keep(run)
        self._dirty.add(run.id)

    def flush(self) -> None:
        """Write the runs that changed."""
        if not self._dirty:
            return
        runs = [self._known[found] for found in self._dirty]
        self.connection.execute(
            QUERIES["save_runs"],
            {
                "ids": [run.id for run in runs],
                "jobs": [run.job_id for run in runs],
                "states": [run.merged.state for run in runs],
                "starts": [run.merged.started_at for run in runs],
                "ends": [run.merged.ended_at for run in runs],
                "parents": [run.parent_run_id for run in runs],
                "roots": [run.root_run_id for run in runs],
                "bounds": [run.bounded_at for run in runs],
                "merged": [run.merged.encode() for run in runs],
                "positions": [run.position for run in runs],
            },
        )
