"""The states of a pipeline run and the moves between them, declared once.

Only the state follower moves a run; every move is a row with time, actor and reason. One run keeps its
identity over all of its attempts, those that an operator asks for included.

Statements in SQL write these sets out where an index serves them; a test holds them against each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from catalog.errors import InvalidTransition


class RunState(StrEnum):
    """Where a pipeline run stands."""

    PENDING = "pending"
    HELD = "held"
    QUEUED = "queued"
    LAUNCHING = "launching"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    ARCHIVED = "archived"


#: What each state means, for people.
MEANINGS: Mapping[RunState, str] = MappingProxyType(
    {
        RunState.PENDING: "due, and waiting for a slot; a `latest` batch still absorbs new versions",
        RunState.HELD: "due, and held back by the gate, a pause or an operator; holds no slot",
        RunState.QUEUED: "has its slot; a job will launch it",
        RunState.LAUNCHING: "an attempt is claimed by a host and being started",
        RunState.RUNNING: "the attempt was started and has not ended",
        RunState.RETRYING: "an attempt ended badly; the next one is waiting for its backoff",
        RunState.SUCCEEDED: "the last attempt ended well",
        RunState.FAILED: "the last attempt ended badly and no retry is left",
        RunState.CANCELLED: "stopped by an operator",
        RunState.TIMED_OUT: "the last attempt took longer than the timeout and no retry is left",
        RunState.LOST: "the outcome of the last attempt cannot be known and no retry is left",
        RunState.ARCHIVED: "removed by retention; its row and its reasons stay",
    }
)


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed move and what makes it happen."""

    source: RunState
    target: RunState
    because: str


def _moves(source: RunState, targets: Mapping[RunState, str]) -> tuple[Transition, ...]:
    return tuple(Transition(source, target, because) for target, because in targets.items())


def _outcomes() -> dict[RunState, str]:
    return {
        RunState.SUCCEEDED: "the attempt ended with success",
        RunState.FAILED: "the attempt ended with failure",
        RunState.CANCELLED: "an operator cancelled it",
        RunState.TIMED_OUT: "the attempt took longer than the timeout",
        RunState.LOST: "the host of the attempt is gone",
        RunState.RETRYING: "the attempt ended badly and the policy grants another",
    }


def _asked_again() -> dict[RunState, str]:
    return {
        RunState.PENDING: "an operator asked for another attempt, which waits for a slot",
        RunState.QUEUED: "an operator asked for another attempt and a slot was free",
        RunState.ARCHIVED: "retention removed it",
    }


#: Every allowed move; what is not here is refused.
TRANSITIONS: tuple[Transition, ...] = (
    *_moves(
        RunState.PENDING,
        {
            RunState.HELD: "the gate, a pause or an operator holds it back",
            RunState.QUEUED: "it was granted a slot",
            RunState.CANCELLED: "an operator cancelled it",
        },
    ),
    *_moves(
        RunState.HELD,
        {
            RunState.PENDING: "it was released and waits for a slot",
            RunState.QUEUED: "it was released and a slot was free",
            RunState.CANCELLED: "an operator cancelled it",
        },
    ),
    *_moves(
        RunState.QUEUED,
        {
            RunState.LAUNCHING: "a host claimed the attempt",
            RunState.CANCELLED: "an operator cancelled it",
        },
    ),
    *_moves(
        RunState.LAUNCHING, {RunState.RUNNING: "the launcher says that the attempt was started"} | _outcomes()
    ),
    *_moves(RunState.RUNNING, _outcomes()),
    *_moves(
        RunState.RETRYING,
        {
            RunState.LAUNCHING: "the backoff is over and a host claimed the next attempt",
            RunState.CANCELLED: "an operator cancelled it",
        },
    ),
    *_moves(RunState.SUCCEEDED, {RunState.ARCHIVED: "retention removed it"}),
    *_moves(RunState.FAILED, _asked_again()),
    *_moves(RunState.CANCELLED, _asked_again()),
    *_moves(RunState.TIMED_OUT, _asked_again()),
    *_moves(RunState.LOST, _asked_again()),
)

#: The states that each state may be followed by.
ALLOWED: Mapping[RunState, frozenset[RunState]] = MappingProxyType(
    {state: frozenset(move.target for move in TRANSITIONS if move.source is state) for state in RunState}
)

#: States in which nothing more happens by itself.
TERMINAL: frozenset[RunState] = frozenset(
    {
        RunState.SUCCEEDED,
        RunState.FAILED,
        RunState.CANCELLED,
        RunState.TIMED_OUT,
        RunState.LOST,
        RunState.ARCHIVED,
    }
)

#: States that count against the pipeline's `concurrency`.
HOLDS_SLOT: frozenset[RunState] = frozenset(
    {RunState.QUEUED, RunState.LAUNCHING, RunState.RUNNING, RunState.RETRYING}
)

#: States in which a run is due and holds no slot.
WAITS_FOR_SLOT: frozenset[RunState] = frozenset({RunState.PENDING, RunState.HELD})

#: States in which a host has the attempt: it alone can say how the attempt ends.
WITH_HOST: frozenset[RunState] = frozenset({RunState.LAUNCHING, RunState.RUNNING})

#: Terminal states from which an operator may ask for another attempt of the same run.
RETRYABLE: frozenset[RunState] = frozenset(
    {RunState.FAILED, RunState.CANCELLED, RunState.TIMED_OUT, RunState.LOST}
)


def check(source: RunState, target: RunState) -> None:
    """Return if a run may move from `source` to `target`; raise `InvalidTransition` if not."""
    allowed = ALLOWED[source]
    if target not in allowed:
        choices = ", ".join(state.value for state in RunState if state in allowed) or "nothing"
        raise InvalidTransition(
            f"a pipeline run that is {source.value} cannot become {target.value}; it can become {choices}",
            source=source.value,
            target=target.value,
        )
