"""What happened, as subscribers are told it."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from web.changes import RunMoved, VersionChanged
from web.graphql.cohort import Record
from web.graphql.loaders.pipeline_runs import pipeline_runs_by_id
from web.graphql.loaders.versions import versions_by_id
from web.graphql.records import PipelineRunRecord, TransitionRecord, VersionRecord
from web.graphql.request import QueryRequest


@dataclass(slots=True, eq=False)
class RunChangeRecord(Record):
    """A move of a pipeline run."""

    moved: RunMoved

    @property
    def cursor(self) -> int:
        """After which to go on."""
        return self.moved.sequence

    @property
    def position(self) -> int:
        """Ledger position of the fact that moved it."""
        return self.moved.position

    @property
    def transition(self) -> TransitionRecord:
        """The move."""
        moved = self.moved
        return TransitionRecord(
            moved.from_state,
            moved.to_state,
            moved.attempt,
            moved.at,
            moved.position,
            moved.actor,
            moved.reason,
        )


@dataclass(slots=True, eq=False)
class VersionChangeRecord(Record):
    """A change of a version."""

    changed: VersionChanged

    @property
    def cursor(self) -> int:
        """After which to go on."""
        return self.changed.sequence

    @property
    def position(self) -> int:
        """Ledger position of the fact that changed it."""
        return self.changed.position

    @property
    def state(self) -> str:
        """What it became."""
        return self.changed.kind

    @property
    def at(self) -> dt.datetime:
        """When that became known."""
        return self.changed.at


def runs_of_changes(
    request: QueryRequest, members: Sequence[RunChangeRecord]
) -> Mapping[uuid.UUID, PipelineRunRecord]:
    """Return the runs that moved, as they stand now."""
    return pipeline_runs_by_id(request, [member.moved.run_id for member in members])


def versions_of_changes(
    request: QueryRequest, members: Sequence[VersionChangeRecord]
) -> Mapping[uuid.UUID, VersionRecord]:
    """Return the versions that changed, as they stand now."""
    return versions_by_id(request, [member.changed.version_id for member in members])
