"""The rows of stage 2 as values: runs, transitions, decisions, and the records that stage 1 hands over."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from policies.transitions import RunState


@dataclass(frozen=True, slots=True)
class VersionEvent:
    """One record of the log between stage 1 and stage 2."""

    sequence: int
    position: int
    at: dt.datetime
    kind: str
    version_id: uuid.UUID
    dataset_ids: tuple[uuid.UUID, ...]
    run_ids: tuple[uuid.UUID, ...]

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> "VersionEvent":
        """Return what a row of the log holds."""
        sequence, position, at, kind, version_id, dataset_ids, run_ids = row
        return cls(sequence, position, at, kind, version_id, tuple(dataset_ids), tuple(run_ids))


@dataclass(slots=True)
class PipelineRunRecord:
    """The row of a pipeline run; only stage 2 changes it. Field names equal column names."""

    id: uuid.UUID
    pipeline: str
    number: int
    document_version: int
    state: RunState
    cause: str
    actor: str
    causal_depth: int
    batch_open: bool
    attempt: int
    attempts_left: int
    due_position: int
    due_at: dt.datetime
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    exit_code: int | None
    reason: str
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Occasion:
    """The fact by which something happens: the ledger position, its instant, and who said it."""

    position: int
    at: dt.datetime
    actor: str


@dataclass(frozen=True, slots=True)
class TransitionRecord:
    """One move of a pipeline run."""

    run_id: uuid.UUID
    source: RunState | None
    target: RunState
    attempt: int
    occasion: Occasion
    reason: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A stored verdict with the identity of every rule and every input it looked at."""

    id: uuid.UUID
    pipeline: str
    run_id: uuid.UUID | None
    verdict: str
    reason: str
    rules: list[dict[str, Any]]
    inputs: list[dict[str, Any]]
    occasion: Occasion


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The verdict on a command: accepted with a result, or refused with a stable code."""

    position: int
    accepted: bool
    code: str | None
    message: str | None
    result: dict[str, Any]
