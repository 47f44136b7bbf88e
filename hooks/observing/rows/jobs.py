"""The jobs that exist, and which of them start which."""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg

from catalog.keys import JobKey
from catalog.observations import JobObserved, ParentObserved
from hooks.observing.memory import Memory, ShapePoint
from hooks.observing.queries import QUERIES
from hooks.observing.rows.observations import Observations


@dataclass(slots=True)
class Jobs:
    """Rows of `job` and `job_parent`; the shape columns of a job that was there before are kept by `Shapes`."""

    connection: psycopg.Connection[Any]
    memory: Memory
    observations: Observations
    _new: dict[uuid.UUID, tuple[JobKey, dt.datetime, int]] = field(default_factory=dict)
    _new_parents: dict[tuple[uuid.UUID, uuid.UUID], dt.datetime] = field(default_factory=dict)

    def load(self, jobs: set[uuid.UUID]) -> None:
        """Read which of these jobs exist, with their latest shapes and their parents."""
        unknown = [job for job in jobs if job not in self.memory.jobs]
        if unknown:
            for job, at, tiebreak, hash_ in self.connection.execute(QUERIES["jobs"], {"ids": unknown}):
                self.memory.jobs[job] = None if at is None else ShapePoint(at, tiebreak, hash_)
            self.memory.parents.update((job, {}) for job in unknown)
            for job, parent, since in self.connection.execute(QUERIES["parents"], {"ids": unknown}):
                self.memory.parents[job][parent] = since

    def see(self, key: JobKey, at: dt.datetime, position: int) -> uuid.UUID:
        """Make sure that the job exists; return its id."""
        found = key.id
        if found not in self.memory.jobs:
            self.memory.jobs[found] = None
            self.memory.parents.setdefault(found, {})
            self._new[found] = (key, at, position)
            self.observations.add(JobObserved(key), position)
        return found

    def see_parent(self, job: JobKey, parent: JobKey, at: dt.datetime, position: int) -> None:
        """Make sure that the parent edge exists since the earliest time it was seen."""
        job_id, parent_id = job.id, parent.id
        since = self.memory.parents[job_id].get(parent_id)
        if job_id != parent_id and (since is None or at < since):
            self.memory.parents[job_id][parent_id] = at
            self._new_parents[job_id, parent_id] = at
            self.observations.add(ParentObserved(job, parent, at), position)

    def flush(self) -> frozenset[uuid.UUID]:
        """Write the new jobs with their latest shapes, and what is new of parent edges; return the new jobs."""
        if self._new:
            rows = self._new.values()
            points = [self.memory.jobs[job] for job in self._new]
            self.connection.execute(
                QUERIES["save_jobs"],
                {
                    "ids": list(self._new),
                    "namespaces": [key.namespace for key, _, _ in rows],
                    "names": [key.name for key, _, _ in rows],
                    "ats": [at for _, at, _ in rows],
                    "positions": [position for _, _, position in rows],
                    "shape_ats": [point and point.at for point in points],
                    "tiebreaks": [point and point.tiebreak for point in points],
                    "hashes": [point and point.hash for point in points],
                },
            )
        if self._new_parents:
            self.connection.execute(
                QUERIES["save_parents"],
                {
                    "jobs": [job for job, _ in self._new_parents],
                    "parents": [parent for _, parent in self._new_parents],
                    "sinces": list(self._new_parents.values()),
                },
            )
        return frozenset(self._new)
