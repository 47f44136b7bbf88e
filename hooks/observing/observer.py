"""What each fact that is heard says, put into the working set: one fact after another, in ledger order."""

from collections.abc import Sequence
from typing import assert_never

from catalog.documents.version_scope import VersionScope
from catalog.ledger import Fact
from catalog.openlineage.events import DatasetEvent, JobEvent, RunEvent
from catalog.openlineage.merge import MergedRun
from hooks.observing.heard import Heard, VersionReport
from hooks.observing.lineage import observe_definition, observe_job_event, observe_run
from hooks.observing.publisher import Publisher
from hooks.observing.roots import assign_root
from hooks.observing.rows.runs import RunRow
from hooks.observing.versions import run_outcome
from hooks.observing.working_set import WorkingSet


class Observer:
    """Applies one fact after another to a working set."""

    def __init__(self, working_set: WorkingSet, scopes: Sequence[VersionScope]) -> None:
        self._set = working_set
        self._publisher = Publisher(working_set, scopes)

    def observe(self, heard: Heard) -> None:
        """Take what one fact says."""
        match heard.statement:
            case RunEvent() as event:
                self._see_datasets(heard, event)
                self._run(heard.fact, event)
            case DatasetEvent() as event:
                self._see_datasets(heard, event)
                observe_definition(self._set, heard.fact, event)
                self._publisher.publish_dataset_event(heard.fact, event)
            case JobEvent() as event:
                self._see_datasets(heard, event)
                self._see_job(heard.fact, event)
                observe_job_event(self._set, heard.fact, event)
            case VersionReport() as report:
                self._set.datasets.see(report.dataset, heard.fact.received_at, heard.fact.position)
                self._publisher.publish_report(heard.fact, report)
            case _:
                assert_never(heard.statement)

    def _see_datasets(self, heard: Heard, event: RunEvent | DatasetEvent | JobEvent) -> None:
        """Take what an event says of datasets, whatever it says of a run or a job: that they are, names, facets."""
        received_at, position = heard.fact.received_at, heard.fact.position
        for reference in heard.references:
            self._set.datasets.see(reference.key, received_at, position)
            for alias in reference.aliases:
                self._set.datasets.see(alias.key, received_at, position)
                self._set.aliases.see(reference.key, alias.key, alias.type, event.event_time, position)
            if reference.renamed_from is not None:
                self._set.renames.see(reference.key, reference.renamed_from, event.event_time, position)
        self._set.datasets.see_schemas(event.schemas)
        self._set.columns.see(event.columns)
        for dataset in heard.named_datasets:
            self._set.datasets.see(dataset, received_at, position)
        for job in heard.named_jobs:
            self._set.jobs.see(job, received_at, position)
        for key, stated in event.stated.datasets.items():
            self._set.dataset_facets.see(key.id, stated, event.order)

    def _see_job(self, fact: Fact, event: RunEvent | JobEvent) -> None:
        job = self._set.jobs.see(event.job, fact.received_at, fact.position)
        if event.stated.job:
            self._set.job_facets.see(job, event.stated.job, event.order)

    def _see_jobs(self, fact: Fact, event: RunEvent) -> None:
        """Take what an event says of its job and of the parent's, also one that changes nothing of its run."""
        self._see_job(fact, event)
        parent = event.parent
        if parent is not None:
            self._set.jobs.see(parent.run.job, fact.received_at, fact.position)
            self._set.jobs.see_parent(event.job, parent.run.job, event.event_time, fact.position)

    def _run(self, fact: Fact, event: RunEvent) -> None:
        """Merge an event into its run."""
        self._see_jobs(fact, event)
        known = self._set.runs.get(event.run_id)
        before = known.merged if known is not None else MergedRun()
        merged = before.merge_event(event)
        if known is not None and merged == before:
            return
        told = None if known is None else run_outcome(before)
        outcome = run_outcome(merged)
        bounded_at = known.bounded_at if known is not None else None
        if outcome is not None and outcome != told:
            bounded_at = fact.received_at
        parent = merged.parent
        row = RunRow(
            id=event.run_id,
            job_id=merged.job.id,
            parent_run_id=None if parent is None else parent.run.run_id,
            root_run_id=known.root_run_id if known is not None else event.run_id,
            position=known.position if known is not None else fact.position,
            bounded_at=bounded_at,
            merged=merged,
        )
        self._set.runs.save(row)
        roots = assign_root(self._set.runs, row, known)
        observe_run(self._set, fact, known, row)
        self._publisher.publish_roots(fact, roots)
        if outcome is not None:
            self._publisher.publish_run(fact, row, had_ended=told is not None)
