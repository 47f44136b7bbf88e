"""What runs, JobEvents and definitions of datasets say of their jobs' lineage, put into the histories of the jobs."""

import datetime as dt
import uuid

from catalog.ledger import Fact
from catalog.openlineage.events import DatasetEvent, JobEvent
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.shape import Shape, definition_of, shape_of
from hooks.observing.history import restate
from hooks.observing.rows.runs import RunRow
from hooks.observing.working_set import WorkingSet


def observe_run(working_set: WorkingSet, fact: Fact, known: RunRow | None, row: RunRow) -> None:
    """Replace what the run said before (`known`, None where it is new) by what it says now."""
    if not row.merged.has_complete:
        return
    old = None if known is None else _statement(working_set, known.merged)
    new = _statement(working_set, row.merged)
    old_job = None if known is None else known.merged.job
    if old is not None and old_job is not None and old_job != row.merged.job:
        restate(working_set, old_job, row.id, old=old, new=None, position=fact.position)
        old = None
    restate(working_set, row.merged.job, row.id, old=old, new=new, position=fact.position)


def observe_job_event(working_set: WorkingSet, fact: Fact, event: JobEvent) -> None:
    """Add what the event says, where it names datasets; the job was seen."""
    shape = shape_of(event, working_set.columns.get)
    if shape is not None:
        tiebreak = uuid.UUID(bytes=event.digest)
        new = (event.event_time, shape)
        restate(working_set, event.job, tiebreak, old=None, new=new, position=fact.position)


def observe_definition(working_set: WorkingSet, fact: Fact, event: DatasetEvent) -> None:
    """Add what the event says its dataset is made of; the job that stands for that is seen."""
    definition = definition_of(event, working_set.columns.get)
    if definition is not None:
        job, shape = definition
        working_set.jobs.see(job, fact.received_at, fact.position)
        new = (event.event_time, shape)
        restate(working_set, job, uuid.UUID(bytes=event.digest), old=None, new=new, position=fact.position)


def _statement(working_set: WorkingSet, merged: MergedRun) -> tuple[dt.datetime, Shape] | None:
    """Return when and what a completed run says of its job's lineage."""
    if merged.complete_time is None:
        return None
    shape = shape_of(merged, working_set.columns.get)
    return None if shape is None else (merged.complete_time, shape)
