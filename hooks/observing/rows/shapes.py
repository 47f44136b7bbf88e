"""The shapes that jobs had, and the points of time at which they were stated."""

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg

from catalog.openlineage.shape import Shape
from hooks.observing.memory import Memory, ShapePoint
from hooks.observing.queries import QUERIES


@dataclass(slots=True)
class Shapes:
    """Rows of `shape` and `job_shape`, and the columns of `job` that hold the latest of them.

    Points later than every other of their job wait for the flush; all else goes to the table at once, because only
    the table knows a point's neighbours.
    """

    connection: psycopg.Connection[Any]
    memory: Memory
    _new: dict[bytes, Shape] = field(default_factory=dict)
    _new_points: dict[tuple[uuid.UUID, dt.datetime, uuid.UUID], bytes] = field(default_factory=dict)
    _moved_jobs: set[uuid.UUID] = field(default_factory=set)

    def add(self, shape: Shape) -> None:
        """Make sure that the shape is stored."""
        if shape.hash not in self.memory.shapes:
            self.memory.shapes.add(shape.hash)
            self._new[shape.hash] = shape

    def get(self, hash_: bytes) -> Shape:
        """Return a stored shape."""
        if hash_ in self._new:
            return self._new[hash_]
        row = self.connection.execute(QUERIES["shape"], {"hash": hash_}).fetchone()
        if row is None:
            raise ValueError(f"expected a shape with the hash {hash_.hex()}, found none")
        return Shape.from_json(orjson.loads(row[0]))

    def latest(self, job: uuid.UUID) -> ShapePoint | None:
        """Return the latest point of the job, None where it has none; the job must have been seen."""
        return self.memory.jobs[job]

    def append_point(self, job: uuid.UUID, point: ShapePoint) -> None:
        """Add a point that is later than every other of the job."""
        self._new_points[job, point.at, point.tiebreak] = point.hash
        self._set_latest(job, point)

    def insert_point(self, job: uuid.UUID, point: ShapePoint) -> None:
        """Write a point between others; `flush_points` came before, `refresh_latest` follows."""
        self.connection.execute(
            QUERIES["save_points"],
            {"jobs": [job], "ats": [point.at], "tiebreaks": [point.tiebreak], "hashes": [point.hash]},
        )

    def remove_point(self, job: uuid.UUID, point: ShapePoint) -> None:
        """Delete a point; `flush_points` came before, `refresh_latest` follows."""
        self.connection.execute(
            QUERIES["shape_remove"], {"job": job, "at": point.at, "tiebreak": point.tiebreak}
        )

    def neighbours(self, job: uuid.UUID, point: ShapePoint) -> tuple[ShapePoint | None, ShapePoint | None]:
        """Return the points before and after this one, which need not be there; `flush_points` came before."""
        parameters: dict[str, Any] = {"job": job, "at": point.at, "tiebreak": point.tiebreak}
        before = self.connection.execute(QUERIES["shape_before"], parameters).fetchone()
        after = self.connection.execute(QUERIES["shape_after"], parameters).fetchone()
        return (before and ShapePoint(*before)), (after and ShapePoint(*after))

    def refresh_latest(self, job: uuid.UUID) -> None:
        """Read which point of the job is the latest."""
        row = self.connection.execute(QUERIES["shape_last"], {"job": job}).fetchone()
        self._set_latest(job, None if row is None else ShapePoint(*row))

    def _set_latest(self, job: uuid.UUID, point: ShapePoint | None) -> None:
        self.memory.jobs[job] = point
        self._moved_jobs.add(job)

    def flush_points(self) -> None:
        """Write the shapes and points so far, so that statements about a job's history see them."""
        if self._new:
            self.connection.execute(
                QUERIES["save_shapes"],
                {
                    "hashes": list(self._new),
                    "bodies": [shape.encoded for shape in self._new.values()],
                },
            )
            self._new.clear()
        if self._new_points:
            self.connection.execute(
                QUERIES["save_points"],
                {
                    "jobs": [key[0] for key in self._new_points],
                    "ats": [key[1] for key in self._new_points],
                    "tiebreaks": [key[2] for key in self._new_points],
                    "hashes": list(self._new_points.values()),
                },
            )
            self._new_points.clear()

    def flush(self, new_jobs: Collection[uuid.UUID]) -> None:
        """Write shapes, points, and the latest point of each job where it moved.

        The jobs stand already, the new ones with their latest points.
        """
        self.flush_points()
        moved = list(self._moved_jobs.difference(new_jobs))
        if moved:
            points = [self.memory.jobs[job] for job in moved]
            self.connection.execute(
                QUERIES["save_job_shapes"],
                {
                    "ids": moved,
                    "ats": [point and point.at for point in points],
                    "tiebreaks": [point and point.tiebreak for point in points],
                    "hashes": [point and point.hash for point in points],
                },
            )
