"""The history of a job's lineage: shapes ordered by event time tile it; only where the shape changes is news.

A late statement is put into its place in the past, and only its neighbours can become news or cease to be.
"""

import datetime as dt
import uuid

from catalog.keys import JobKey
from catalog.observations import ShapeObserved
from catalog.openlineage.shape import Shape
from hooks.observing.memory import ShapePoint
from hooks.observing.working_set import WorkingSet


def restate(
    working_set: WorkingSet,
    job: JobKey,
    tiebreak: uuid.UUID,
    *,
    old: tuple[dt.datetime, Shape] | None,
    new: tuple[dt.datetime, Shape] | None,
    position: int,
) -> None:
    """Replace what one run or event said of the job's lineage (`old`) by what it says now (`new`)."""
    shapes = working_set.shapes
    if new is not None:
        shapes.add(new[1])
    if (old and (old[0], old[1].hash)) == (new and (new[0], new[1].hash)):
        return
    job_id = job.id
    latest = shapes.latest(job_id)
    if (
        old is None
        and new is not None
        and (latest is None or (latest.at, latest.tiebreak) < (new[0], tiebreak))
    ):
        shapes.append_point(job_id, ShapePoint(new[0], tiebreak, new[1].hash))
        if latest is None or latest.hash != new[1].hash:
            working_set.observations.add(ShapeObserved(job, new[0], tiebreak, new[1]), position)
        return
    shapes.flush_points()
    if old is not None:
        _remove(working_set, job, ShapePoint(old[0], tiebreak, old[1].hash), position)
    if new is not None:
        _insert(working_set, job, ShapePoint(new[0], tiebreak, new[1].hash), position)
    shapes.refresh_latest(job_id)


def _remove(working_set: WorkingSet, job: JobKey, point: ShapePoint, position: int) -> None:
    before, after = working_set.shapes.neighbours(job.id, point)
    working_set.shapes.remove_point(job.id, point)
    _tell(working_set, job, point, was=_differs(before, point), now=False, position=position)
    if after is not None:
        _tell(
            working_set,
            job,
            after,
            was=_differs(point, after),
            now=_differs(before, after),
            position=position,
        )


def _insert(working_set: WorkingSet, job: JobKey, point: ShapePoint, position: int) -> None:
    before, after = working_set.shapes.neighbours(job.id, point)
    working_set.shapes.insert_point(job.id, point)
    _tell(working_set, job, point, was=False, now=_differs(before, point), position=position)
    if after is not None:
        _tell(
            working_set,
            job,
            after,
            was=_differs(before, after),
            now=_differs(point, after),
            position=position,
        )


def _differs(before: ShapePoint | None, point: ShapePoint) -> bool:
    return before is None or before.hash != point.hash


def _tell(
    working_set: WorkingSet, job: JobKey, point: ShapePoint, *, was: bool, now: bool, position: int
) -> None:
    if was != now:
        shape = working_set.shapes.get(point.hash) if now else None
        working_set.observations.add(ShapeObserved(job, point.at, point.tiebreak, shape), position)
