"""Stage 1 over one batch: facts become runs, versions and observations, in the caller's transaction."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import orjson
import psycopg

from catalog.documents.version_scope import VersionScope
from catalog.facts import OPENLINEAGE_KINDS, FactKind
from catalog.keys import DatasetKey
from catalog.ledger import Fact
from catalog.openlineage.events import DatasetEvent, DatasetReference, JobEvent, RunEvent, parse_event
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.shape import Shape, shape_of
from hooks.deciding.records import VersionEvent
from hooks.observing.history import restate
from hooks.observing.memory import Memory
from hooks.observing.scopes import by_root_run, load_scopes
from hooks.observing.versions import (
    DISPUTED,
    PARTIAL,
    PUBLISHED,
    WITHDRAWN,
    VersionRow,
    run_outcome,
    version_id,
    version_of_dataset_event,
    versions_of_root,
    versions_of_run,
)
from hooks.observing.working_set import QUERIES, RunRow, WorkingSet

#: A chain of parents longer than this is cut: it names itself, or nobody can read it.
MAX_ANCESTORS = 32


class ObservingStage:
    """Merges what is heard; remembers known entities between batches."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._scopes: Sequence[VersionScope] | None = None

    def forget(self) -> None:
        """Drop everything remembered, because a transaction did not commit or another holder may have worked."""
        self._memory = Memory()
        self._scopes = None

    def forget_rules(self) -> None:
        """Read the documents again: one of them changed."""
        self._scopes = None

    def apply(self, connection: psycopg.Connection[Any], facts: Sequence[Fact]) -> list[VersionEvent]:
        """Apply the batch; return the records it added to the version log, in order."""
        heard = [
            _Heard.of(fact)
            for fact in facts
            if fact.kind in OPENLINEAGE_KINDS or fact.kind == FactKind.VERSION_REPORT
        ]
        if not heard:
            return []
        if self._scopes is None:
            self._scopes = load_scopes(connection, QUERIES["scopes"])
        self._memory = self._memory.bounded()
        working_set = WorkingSet(connection, self._memory)
        _load(working_set, heard)
        observer = _Observer(working_set, self._scopes)
        for each in heard:
            match each.event:
                case RunEvent():
                    observer.run(each.fact, each.event, each.references)
                case DatasetEvent():
                    observer.dataset(each.fact, each.event, each.references)
                case JobEvent():
                    observer.job(each.fact, each.event, each.references)
                case None:
                    observer.report(each.fact)
                case _:
                    assert_never(each.event)
        return working_set.flush()


@dataclass(frozen=True, slots=True)
class _Heard:
    """A fact with what it says, read once; `event` is None for a version report."""

    fact: Fact
    event: RunEvent | DatasetEvent | JobEvent | None
    references: Sequence[DatasetReference]

    @classmethod
    def of(cls, fact: Fact) -> "_Heard":
        if fact.kind == FactKind.VERSION_REPORT:
            return cls(fact, None, ())
        event = parse_event(fact.body, fact.digest)
        if isinstance(event, DatasetEvent):
            return cls(fact, event, (event.dataset,))
        return cls(fact, event, (*event.inputs, *event.outputs))


def _load(working_set: WorkingSet, heard: Iterable[_Heard]) -> None:
    run_ids: set[uuid.UUID] = set()
    parent_ids: set[uuid.UUID] = set()
    jobs: set[uuid.UUID] = set()
    datasets: set[uuid.UUID] = set()
    aliased: set[uuid.UUID] = set()
    for each in heard:
        match each.event:
            case RunEvent():
                run_ids.add(each.event.run_id)
                jobs.add(each.event.job.id)
                if (parent := each.event.parent) is not None:
                    parent_ids.add(parent.run.run_id)
                    jobs.add(parent.run.job.id)
            case JobEvent():
                jobs.add(each.event.job.id)
            case DatasetEvent():
                pass
            case None:
                body = orjson.loads(each.fact.body)
                datasets.add(DatasetKey(body["namespace"], body["name"]).id)
            case _:
                assert_never(each.event)
        for reference in each.references:
            datasets.add(reference.key.id)
            if reference.aliases:
                aliased.add(reference.key.id)
                aliased.update(alias.key.id for alias in reference.aliases)
    working_set.load(
        run_ids=run_ids,
        parent_ids=parent_ids,
        datasets=datasets | aliased,
        jobs=jobs,
        aliased=aliased,
        written=datasets,
    )


class _Observer:
    """Applies one fact after another to a working set."""

    def __init__(self, working_set: WorkingSet, scopes: Sequence[VersionScope]) -> None:
        self._set = working_set
        self._scopes = scopes

    def run(self, fact: Fact, event: RunEvent, references: Sequence[DatasetReference]) -> None:
        """Merge an event into its run."""
        self._see_references(fact, event.event_time, references)
        self._set.see_schemas(event.schemas)
        # Said by each event for itself, also by one that changes nothing of its run.
        self._set.see_job(event.job, fact.received_at, fact.position)
        self._see_parent(fact, event)
        known = self._set.runs.get(event.run_id)
        before = known.merged if known is not None else MergedRun()
        merged = before.merge_event(event)
        if known is not None and merged == before:
            return
        bounded_at = known.bounded_at if known is not None else None
        if _end_of(before, known) != (ended := run_outcome(merged)) and ended is not None:
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
        self._set.save_run(row)
        roots = self._set_root(row, known)
        self._restate_lineage(fact, known, row)
        if self._scopes:
            for root in sorted(roots):
                self._make_root_versions(fact, root)
        if ended is not None and not by_root_run(self._scopes, merged.job):
            self._make_versions(fact, row, before_ended=_end_of(before, known) is not None)

    def _see_parent(self, fact: Fact, event: RunEvent) -> None:
        parent = event.parent
        if parent is not None:
            self._set.see_job(parent.run.job, fact.received_at, fact.position)
            self._set.see_parent(event.job, parent.run.job, event.event_time, fact.position)

    def _see_references(self, fact: Fact, at: dt.datetime, references: Iterable[DatasetReference]) -> None:
        for reference in references:
            self._set.see_dataset(reference.key, fact.received_at, fact.position)
            for alias in reference.aliases:
                self._set.see_dataset(alias.key, fact.received_at, fact.position)
                self._set.see_alias(reference.key, alias.key, alias.type, at, fact.position)

    # Roots -----------------------------------------------------------------------------------------------

    def _set_root(self, row: RunRow, known: RunRow | None) -> set[uuid.UUID]:
        """Give the run its root, and hand it down; return the roots that lost or gained runs."""
        if known is not None and known.merged.parent == row.merged.parent:
            return {row.root_run_id}  # A change above it has been, or will be, passed down to it.
        root = self._root_of(row)
        touched = {row.root_run_id, root}
        if root == row.root_run_id and (known is not None or root == row.id):
            return touched
        row.root_run_id = root
        if known is not None:
            self._set.load_children([row.id])
        changed = [row]
        for _ in range(MAX_ANCESTORS):
            # Runs that came before their parent learn the root from it now.
            below = [child for parent in changed for child in self._set.children_of(parent.id)]
            changed = [child for child in below if self._root_of(child) != child.root_run_id]
            for child in changed:
                touched |= {child.root_run_id, self._root_of(child)}
                child.root_run_id = self._root_of(child)
                self._set.save_run(child)
            if not changed:
                break
            self._set.load_children([child.id for child in changed])
        return touched

    def _root_of(self, row: RunRow) -> uuid.UUID:
        parent = row.merged.parent
        if parent is None:
            return row.id
        if parent.root is not None:
            return parent.root.run_id
        above = self._set.runs.get(parent.run.run_id)
        if above is None or above.root_run_id == row.id:
            return parent.run.run_id
        return above.root_run_id

    # Lineage ---------------------------------------------------------------------------------------------

    def _restate_lineage(self, fact: Fact, known: RunRow | None, row: RunRow) -> None:
        if not row.merged.has_complete:
            return
        old = None if known is None else _statement(known.merged)
        new = _statement(row.merged)
        old_job = None if known is None else known.merged.job
        if old is not None and old_job is not None and old_job != row.merged.job:
            restate(self._set, old_job, row.id, old=old, new=None, position=fact.position)
            old = None
        if new is not None:
            # A lineage facet may name datasets and jobs that are neither inputs nor outputs.
            self._see_shape(new[1], fact.received_at, fact.position)
        restate(self._set, row.merged.job, row.id, old=old, new=new, position=fact.position)

    def _see_shape(self, shape: Shape, at: dt.datetime, position: int) -> None:
        if shape.flows is None:
            return
        keys = [*shape.inputs, *shape.outputs]
        jobs = [*shape.job_inputs, *shape.job_outputs]
        self._set.load_entities({key.id for key in keys}, {key.id for key in jobs})
        for key in keys:
            self._set.see_dataset(key, at, position)
        for job in jobs:
            self._set.see_job(job, at, position)

    # Versions --------------------------------------------------------------------------------------------

    def _make_versions(self, fact: Fact, row: RunRow, *, before_ended: bool) -> None:
        bounded_at = row.bounded_at or fact.received_at
        made = versions_of_run(row.id, row.merged, bounded_at=bounded_at, position=fact.position)
        for version in made:
            if not before_ended and version.version is None:
                # A run that had not ended made no version under its own identity.
                self._set.versions.setdefault(version.id, None)
            self._publish(fact, version, row)
        if before_ended:
            self._withdraw(fact, row, made, origin="run")

    def _withdraw(self, fact: Fact, run: RunRow, made: Sequence[VersionRow], *, origin: str) -> None:
        """Take back the versions that the run had made and, by what it says now, makes no longer."""
        kept = {version.id for version in made}
        for known in self._set.versions_of_run(run.id):
            if known.id not in kept and known.origin == origin and known.state != WITHDRAWN:
                withdrawn = dataclasses.replace(known, state=WITHDRAWN)
                self._set.save_version(withdrawn)
                self._set.announce(WITHDRAWN, withdrawn, fact.received_at, fact.position, _chain(run))
                if known.version is not None:
                    self._hand_over(fact, known.id)

    def _hand_over(self, fact: Fact, version_id: uuid.UUID) -> None:
        """Give a version that its run took back to the other runs that told of it."""
        for run in self._set.makers(version_id):
            if by_root_run(self._scopes, run.merged.job):
                continue
            bounded_at = run.bounded_at or fact.received_at
            for made in versions_of_run(run.id, run.merged, bounded_at=bounded_at, position=fact.position):
                if made.id == version_id:
                    self._publish(fact, made, run)

    def _make_root_versions(self, fact: Fact, root_id: uuid.UUID) -> None:
        """Make the versions of a root run that has ended, by what is known of its steps now."""
        if root_id not in self._set.runs:
            self._set.load_runs([root_id])
        root = self._set.runs.get(root_id)
        if root is None or run_outcome(root.merged) is None:
            return
        writers = [
            (run.id, run.merged)
            for run in self._set.with_root(root.id)
            if by_root_run(self._scopes, run.merged.job)
        ]
        bounded_at = root.bounded_at or fact.received_at
        made = versions_of_root(root.id, root.merged, writers, bounded_at=bounded_at, position=fact.position)
        for version in made:
            self._publish(fact, version, root)
        self._withdraw(fact, root, made, origin="rootRun")

    def _publish(self, fact: Fact, version: VersionRow, run: RunRow | None) -> None:
        known = self._set.version(version.id)
        if run is not None and version.version is not None:
            self._set.add_maker(version.id, run.id)
        if known is not None:
            same_maker = run is not None and known.run_id == version.run_id
            if not same_maker and known.precedence <= version.precedence:
                return
            version = dataclasses.replace(version, position=known.position)
            if version == known:
                return
        self._set.save_version(version)
        was = None if known is None else known.state
        if version.state == was:
            return
        run_ids = [] if run is None else _chain(run)
        first = was is None or not self._set.was_published(version.id)
        if was not in (PUBLISHED, DISPUTED) and version.state in (PUBLISHED, DISPUTED) and first:
            self._set.announce(PUBLISHED, version, fact.received_at, fact.position, run_ids)
        if version.state in (DISPUTED, PARTIAL):
            self._set.announce(version.state, version, fact.received_at, fact.position, run_ids)

    # Statements outside runs -----------------------------------------------------------------------------

    def dataset(self, fact: Fact, event: DatasetEvent, references: Sequence[DatasetReference]) -> None:
        """Take a DatasetEvent: the dataset, its aliases, a version."""
        self._see_references(fact, event.event_time, references)
        self._set.see_schemas(event.schemas)
        version = version_of_dataset_event(
            event.dataset,
            event.digest,
            event_time=event.event_time,
            received_at=fact.received_at,
            position=fact.position,
        )
        if version is not None:
            self._publish(fact, version, None)

    def job(self, fact: Fact, event: JobEvent, references: Sequence[DatasetReference]) -> None:
        """Take a JobEvent: the job, what it reads and writes."""
        self._see_references(fact, event.event_time, references)
        self._set.see_schemas(event.schemas)
        self._set.see_job(event.job, fact.received_at, fact.position)
        shape = shape_of(event)
        if shape is not None:
            self._see_shape(shape, fact.received_at, fact.position)
            tiebreak = uuid.UUID(bytes=event.digest)
            new = (event.event_time, shape)
            restate(self._set, event.job, tiebreak, old=None, new=new, position=fact.position)

    def report(self, fact: Fact) -> None:
        """Take a version report."""
        body = orjson.loads(fact.body)
        key = DatasetKey(body["namespace"], body["name"])
        time = dt.datetime.fromisoformat(body["time"])
        dataset = self._set.see_dataset(key, fact.received_at, fact.position)
        version = VersionRow(
            id=version_id(dataset, f"report {body['key']}", body["partition"]),
            dataset_id=dataset,
            state=PUBLISHED,
            origin="report",
            time=min(time, fact.received_at),
            event_time=time,
            run_id=None,
            partition=body["partition"],
            version=None,
            lifecycle=None,
            schema_hash=None,
            row_count=body["rows"],
            byte_count=body["bytes"],
            digest=body["digest"],
            position=fact.position,
        )
        self._publish(fact, version, None)


def _end_of(before: MergedRun, known: RunRow | None) -> tuple[str, dt.datetime] | None:
    return None if known is None else run_outcome(before)


def _statement(merged: MergedRun) -> tuple[dt.datetime, Shape] | None:
    """Return when and what a completed run says of its job's lineage."""
    if merged.complete_time is None:
        return None
    shape = shape_of(merged)
    return None if shape is None else (merged.complete_time, shape)


def _chain(run: RunRow) -> list[uuid.UUID]:
    """Return the runs by which a version's cause is found, nearest first."""
    candidates = [run.id, run.parent_run_id, run.root_run_id]
    return list(dict.fromkeys(found for found in candidates if found is not None))
