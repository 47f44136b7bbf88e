"""What runs and JobEvents say of their jobs' lineage, put into the histories of the jobs."""

import datetime as dt
import uuid

from catalog.ledger import Fact
from catalog.openlineage.events import JobEvent
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.shape import Shape, shape_of
from hooks.observing.history import restate
from hooks.observing.rows.runs import RunRow
from hooks.observing.working_set import WorkingSet


def observe_run(working_set: WorkingSet, fact: Fact, known: RunRow | None, row: RunRow) -> None:
    """Replace what the run said before (`known`, None where it is new) by what it says now."""
    if not row.merged.has_complete:
        return
    old = None if known is None else _statement(known.merged)
    new = _statement(row.merged)
    old_job = None if known is None else known.merged.job
    if old is not None and old_job is not None and old_job != row.merged.job:
        restate(working_set, old_job, row.id, old=old, new=None, position=fact.position)
        old = None
    if new is not None:
        _see_named(working_set, fact, new[1])
    restate(working_set, row.merged.job, row.id, old=old, new=new, position=fact.position)


def observe_job_event(working_set: WorkingSet, fact: Fact, event: JobEvent) -> None:
    """Add what the event says, where it names datasets; the job was seen."""
    shape = shape_of(event)
    if shape is not None:
        _see_named(working_set, fact, shape)
        tiebreak = uuid.UUID(bytes=event.digest)
        new = (event.event_time, shape)
        restate(working_set, event.job, tiebreak, old=None, new=new, position=fact.position)


def _statement(merged: MergedRun) -> tuple[dt.datetime, Shape] | None:
    """Return when and what a completed run says of its job's lineage."""
    if merged.complete_time is None:
        return None
    shape = shape_of(merged)
    return None if shape is None else (merged.complete_time, shape)


def _see_named(working_set: WorkingSet, fact: Fact, shape: Shape) -> None:
    """See what a lineage facet names: datasets that are neither inputs nor outputs, and other jobs."""
    if shape.flows is None:
        return
    keys = [*shape.inputs, *shape.outputs]
    jobs = [*shape.job_inputs, *shape.job_outputs]
    working_set.datasets.load({key.id for key in keys})
    working_set.jobs.load({key.id for key in jobs})
    for key in keys:
        working_set.datasets.see(key, fact.received_at, fact.position)
    for job in jobs:
        working_set.jobs.see(job, fact.received_at, fact.position)
