"""Which versions of datasets a run, a dataset event or a report makes: a pure function of what is known of it.

Source: DESIGN section 5a, "Versions".
"""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from catalog.keys import DatasetKey, name_based_uuid
from catalog.openlineage.events import DatasetEvent, DatasetReference, JobEvent, RunEvent
from catalog.openlineage.merge import MergedRun
from hooks.observing.heard import Heard, VersionReport

#: A version that triggers is `published`; of a failed run `partial`; `disputed` when a failure followed the success;
#: `withdrawn` when what its run says by now makes it no longer (a DROP, another version facet).
PUBLISHED, PARTIAL, DISPUTED, WITHDRAWN = "published", "partial", "disputed", "withdrawn"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A row of `dataset_version`; field names equal column names."""

    id: uuid.UUID
    dataset_id: uuid.UUID
    state: str
    origin: str
    time: dt.datetime
    event_time: dt.datetime
    run_id: uuid.UUID | None
    partition: str | None
    version: str | None
    lifecycle: str | None
    schema_hash: str | None
    row_count: int | None
    byte_count: int | None
    digest: str | None
    position: int

    @property
    def precedence(self) -> tuple[int, dt.datetime, uuid.UUID, str]:
        """Which of two that told of one version made it: the smaller, the first that succeeded."""
        standing = {PUBLISHED: 0, DISPUTED: 0, PARTIAL: 1, WITHDRAWN: 2}[self.state]
        # Two events outside of runs may tell of one version at one time.
        content = f"{self.lifecycle} {self.schema_hash} {self.row_count} {self.byte_count} {self.origin}"
        return (standing, self.event_time, self.run_id or uuid.UUID(int=0), content)


def version_id(dataset: uuid.UUID, identity: str, partition: str | None) -> uuid.UUID:
    """Return the identity of a version: its dataset, what made it, and the partition."""
    return name_based_uuid("version", str(dataset), identity, partition or "")


def named_versions(batch: Iterable[Heard]) -> set[uuid.UUID]:
    """Return the identities of versions that follow from what is heard alone, whatever is known of runs.

    They are those of dataset events, of reports, and those that producers name by themselves.
    """
    found = set[uuid.UUID]()
    for heard in batch:
        match heard.statement:
            case DatasetEvent() as event:
                found.add(_id_of(event.dataset, _event_identity(event.digest)))
            case VersionReport() as report:
                found.add(_report_id(report))
            case RunEvent() | JobEvent():
                # Those that it read are among them, which costs less than to tell them apart.
                named = (reference for reference in heard.references if reference.version is not None)
                found.update(_id_of(reference, "") for reference in named)
            case _:
                assert_never(heard.statement)
    return found


def _id_of(reference: DatasetReference, identity: str) -> uuid.UUID:
    """Return the identity of the version that the reference tells of: the producer's own, else what made it."""
    made_by = f"version {reference.version}" if reference.version is not None else identity
    return version_id(reference.key.id, made_by, reference.partition)


def _event_identity(digest: bytes) -> str:
    return f"event {digest.hex()}"


def _report_id(report: VersionReport) -> uuid.UUID:
    return version_id(report.dataset.id, f"report {report.key}", report.partition)


def _row(
    reference: DatasetReference,
    identity: str,
    *,
    state: str,
    origin: str,
    time: dt.datetime,
    event_time: dt.datetime,
    run_id: uuid.UUID | None,
    position: int,
) -> VersionRow:
    return VersionRow(
        id=_id_of(reference, identity),
        dataset_id=reference.key.id,
        state=state,
        origin=origin,
        time=time,
        event_time=event_time,
        run_id=run_id,
        partition=reference.partition,
        version=reference.version,
        lifecycle=reference.lifecycle,
        schema_hash=reference.schema,
        row_count=reference.row_count,
        byte_count=reference.byte_count,
        digest=None,
        position=position,
    )


def run_outcome(run: MergedRun) -> tuple[str, dt.datetime] | None:
    """Return the state of the versions that the run makes and the time of its end, None while it has not ended."""
    if run.has_complete and run.complete_time is not None:
        return (DISPUTED if run.disputed else PUBLISHED), run.complete_time
    if run.state in ("FAIL", "ABORT") and run.ended_at is not None:
        return PARTIAL, run.ended_at
    return None


def versions_of_run(
    run_id: uuid.UUID, run: MergedRun, *, bounded_at: dt.datetime, position: int
) -> list[VersionRow]:
    """Return the versions that the run makes by itself (`scope: run`)."""
    outcome = run_outcome(run)
    if outcome is None:
        return []
    state, ended_at = outcome
    return [
        _row(
            reference,
            f"run {run_id}",
            state=state,
            origin="run",
            time=min(ended_at, bounded_at),
            event_time=ended_at,
            run_id=run_id,
            position=position,
        )
        for _, reference in sorted(run.outputs.items())
        if reference.changes_content
    ]


def versions_of_root(
    root_id: uuid.UUID,
    root: MergedRun,
    writers: Iterable[tuple[uuid.UUID, MergedRun]],
    *,
    bounded_at: dt.datetime,
    position: int,
) -> list[VersionRow]:
    """Return one version of each dataset that the completed steps of an ended root run wrote (`scope: rootRun`).

    Of several steps that wrote a dataset, the one that ended last describes the version.
    """
    outcome = run_outcome(root)
    if outcome is None:
        return []
    state, ended_at = outcome
    written: dict[DatasetKey, tuple[dt.datetime, uuid.UUID, DatasetReference]] = {}
    for run_id, run in writers:
        if not run.has_complete or run.complete_time is None:
            continue
        for key, reference in run.outputs.items():
            if reference.changes_content:
                candidate = (run.complete_time, run_id, reference)
                if key not in written or candidate[:2] > written[key][:2]:
                    written[key] = candidate
    return [
        _row(
            reference,
            f"run {root_id}",
            state=state,
            origin="rootRun",
            time=min(ended_at, bounded_at),
            event_time=ended_at,
            run_id=root_id,
            position=position,
        )
        for _, (_, _, reference) in sorted(written.items())
    ]


def version_of_dataset_event(
    reference: DatasetReference,
    digest: bytes,
    *,
    event_time: dt.datetime,
    received_at: dt.datetime,
    position: int,
) -> VersionRow | None:
    """Return the version that a DatasetEvent makes; DROP, RENAME and ALTER make none."""
    if not reference.changes_content:
        return None
    return _row(
        reference,
        _event_identity(digest),
        state=PUBLISHED,
        origin="datasetEvent",
        time=min(event_time, received_at),
        event_time=event_time,
        run_id=None,
        position=position,
    )


def version_of_report(report: VersionReport, *, received_at: dt.datetime, position: int) -> VersionRow:
    """Return the version that a report makes; the same key is the same version."""
    return VersionRow(
        id=_report_id(report),
        dataset_id=report.dataset.id,
        state=PUBLISHED,
        origin="report",
        time=min(report.time, received_at),
        event_time=report.time,
        run_id=None,
        partition=report.partition,
        version=None,
        lifecycle=None,
        schema_hash=None,
        row_count=report.row_count,
        byte_count=report.byte_count,
        digest=report.content_digest,
        position=position,
    )
