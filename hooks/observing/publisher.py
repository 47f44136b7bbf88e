"""Versions become known and cease to be: what runs, root runs, events and reports make goes to rows and to the log."""

import dataclasses
import uuid
from collections.abc import Iterable, Sequence

from catalog.documents.version_scope import VersionScope
from catalog.ledger import Fact
from catalog.openlineage.events import DatasetEvent
from hooks.observing.heard import VersionReport
from hooks.observing.rows.runs import RunRow
from hooks.observing.scopes import by_root_run
from hooks.observing.versions import (
    DISPUTED,
    PARTIAL,
    PUBLISHED,
    WITHDRAWN,
    VersionRow,
    run_outcome,
    version_of_dataset_event,
    version_of_report,
    versions_of_root,
    versions_of_run,
)
from hooks.observing.working_set import WorkingSet


class Publisher:
    """Writes what is made by now, and announces where that differs from what was known."""

    def __init__(self, working_set: WorkingSet, scopes: Sequence[VersionScope]) -> None:
        self._set = working_set
        self._scopes = scopes

    def publish_run(self, fact: Fact, run: RunRow, *, had_ended: bool) -> None:
        """Make the versions of a run that has ended; `had_ended` before this fact, too."""
        if by_root_run(self._scopes, run.merged.job):
            return
        made = self._made_by(fact, run)
        for version in made:
            if not had_ended and version.version is None:
                # A run that had not ended made no version under its own identity.
                self._set.versions.expect_none(version.id)
            self._publish(fact, version, run)
        if had_ended:
            self._withdraw(fact, run, made, origin="run")

    def publish_roots(self, fact: Fact, root_ids: Iterable[uuid.UUID]) -> None:
        """Make the versions of those root runs that have ended, by what is known of their steps now."""
        if self._scopes:
            for root_id in sorted(root_ids):
                self._publish_root(fact, root_id)

    def publish_dataset_event(self, fact: Fact, event: DatasetEvent) -> None:
        """Make the version that the event tells of; the dataset was seen."""
        version = version_of_dataset_event(
            event.dataset,
            event.digest,
            event_time=event.event_time,
            received_at=fact.received_at,
            position=fact.position,
        )
        if version is not None:
            self._publish(fact, version, None)

    def publish_report(self, fact: Fact, report: VersionReport) -> None:
        """Make the version that is reported; the dataset was seen."""
        version = version_of_report(report, received_at=fact.received_at, position=fact.position)
        self._publish(fact, version, None)

    def _publish_root(self, fact: Fact, root_id: uuid.UUID) -> None:
        if self._set.runs.get(root_id) is None:
            self._set.runs.load([root_id])
        root = self._set.runs.get(root_id)
        if root is None or run_outcome(root.merged) is None:
            return
        writers = [
            (run.id, run.merged)
            for run in self._set.runs.with_root(root.id)
            if by_root_run(self._scopes, run.merged.job)
        ]
        bounded_at = root.bounded_at or fact.received_at
        made = versions_of_root(root.id, root.merged, writers, bounded_at=bounded_at, position=fact.position)
        for version in made:
            self._publish(fact, version, root)
        self._withdraw(fact, root, made, origin="rootRun")

    def _made_by(self, fact: Fact, run: RunRow) -> list[VersionRow]:
        bounded_at = run.bounded_at or fact.received_at
        return versions_of_run(run.id, run.merged, bounded_at=bounded_at, position=fact.position)

    def _publish(self, fact: Fact, version: VersionRow, run: RunRow | None) -> None:
        known = self._set.versions.get(version.id)
        if run is not None and version.version is not None:
            self._set.versions.add_maker(version.id, run.id)
        if known is not None:
            same_maker = run is not None and known.run_id == version.run_id
            if not same_maker and known.precedence <= version.precedence:
                return
            version = dataclasses.replace(version, position=known.position)
            if version == known:
                return
        self._set.versions.save(version)
        was = None if known is None else known.state
        if version.state == was:
            return
        run_ids = [] if run is None else run.chain
        first = was is None or not self._set.version_log.was_published(version.id)
        if was not in (PUBLISHED, DISPUTED) and version.state in (PUBLISHED, DISPUTED) and first:
            self._announce(fact, PUBLISHED, version, run_ids)
        if version.state in (DISPUTED, PARTIAL):
            self._announce(fact, version.state, version, run_ids)

    def _withdraw(self, fact: Fact, run: RunRow, made: Sequence[VersionRow], *, origin: str) -> None:
        """Take back the versions that the run had made and, by what it says now, makes no longer."""
        kept = {version.id for version in made}
        for known in self._set.versions.of_run(run.id):
            if known.id not in kept and known.origin == origin and known.state != WITHDRAWN:
                withdrawn = dataclasses.replace(known, state=WITHDRAWN)
                self._set.versions.save(withdrawn)
                self._announce(fact, WITHDRAWN, withdrawn, run.chain)
                if known.version is not None:
                    self._hand_over(fact, known.id)

    def _hand_over(self, fact: Fact, version_id: uuid.UUID) -> None:
        """Give a version that its run took back to the other runs that told of it."""
        for run in self._set.runs.all_of(self._set.versions.makers_of(version_id)):
            if not by_root_run(self._scopes, run.merged.job):
                for made in self._made_by(fact, run):
                    if made.id == version_id:
                        self._publish(fact, made, run)

    def _announce(self, fact: Fact, kind: str, version: VersionRow, run_ids: Iterable[uuid.UUID]) -> None:
        self._set.version_log.announce(kind, version, fact.received_at, fact.position, run_ids)
