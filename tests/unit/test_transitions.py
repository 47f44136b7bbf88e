"""The states of a pipeline run."""

import itertools

import pytest

from catalog.errors import InvalidTransition
from policies.transitions import (
    ALLOWED,
    HOLDS_SLOT,
    MEANINGS,
    RETRYABLE,
    TERMINAL,
    TRANSITIONS,
    WAITS_FOR_SLOT,
    RunState,
    check,
)


@pytest.mark.parametrize(
    "story",
    [
        "pending queued launching running succeeded archived",
        # Held back, released, and started when a slot was free.
        "pending held pending queued launching running succeeded",
        "pending held queued launching running failed",
        # So short that nobody saw it run.
        "pending queued launching succeeded",
        "pending queued launching running retrying launching running succeeded",
        "pending queued launching running timed_out pending queued launching running succeeded",
        "pending queued launching lost queued launching running succeeded",
        "pending cancelled pending queued",
        "pending queued launching running cancelled archived",
        "pending queued launching running retrying cancelled",
    ],
)
def test_a_run_may_live_like_this(story: str) -> None:
    states = [RunState(name) for name in story.split()]

    for source, target in itertools.pairwise(states):
        check(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        # A success is never undone, and nothing comes back from the archive.
        ("succeeded", "queued"),
        ("succeeded", "failed"),
        ("archived", "pending"),
        # Nothing starts without a slot.
        ("pending", "launching"),
        ("pending", "running"),
        ("held", "running"),
        # An attempt that was never claimed has no outcome.
        ("queued", "succeeded"),
        ("queued", "running"),
        # Only another attempt of an operator leads out of an end.
        ("failed", "running"),
        ("lost", "succeeded"),
        ("running", "queued"),
        ("running", "archived"),
    ],
)
def test_a_run_may_not_live_like_that(source: str, target: str) -> None:
    with pytest.raises(InvalidTransition) as refusal:
        check(RunState(source), RunState(target))

    assert f"is {source} cannot become {target}" in str(refusal.value)
    assert refusal.value.details == {"source": source, "target": target}


def test_a_refusal_names_what_is_possible() -> None:
    with pytest.raises(InvalidTransition, match="it can become launching, cancelled"):
        check(RunState.QUEUED, RunState.SUCCEEDED)
    with pytest.raises(InvalidTransition, match="it can become nothing"):
        check(RunState.ARCHIVED, RunState.PENDING)


def test_no_state_follows_itself() -> None:
    for state in RunState:
        assert state not in ALLOWED[state]


def test_every_state_can_be_reached_from_pending_and_leads_to_an_end() -> None:
    def reachable(start: RunState) -> set[RunState]:
        seen = {start}
        waiting = [start]
        while waiting:
            for state in ALLOWED[waiting.pop()] - seen:
                seen.add(state)
                waiting.append(state)
        return seen

    assert reachable(RunState.PENDING) == set(RunState)
    for state in RunState:
        assert reachable(state) & TERMINAL


def test_a_slot_is_taken_on_the_way_out_of_waiting_and_given_back_at_the_end() -> None:
    assert set(RunState) == HOLDS_SLOT | TERMINAL | WAITS_FOR_SLOT
    assert not HOLDS_SLOT & TERMINAL
    assert not HOLDS_SLOT & WAITS_FOR_SLOT
    for move in TRANSITIONS:
        if move.source in HOLDS_SLOT:
            assert move.target in HOLDS_SLOT | TERMINAL
        elif move.target in HOLDS_SLOT:
            assert move.target is RunState.QUEUED


def test_ends_are_left_only_for_another_attempt_or_the_archive() -> None:
    for state in TERMINAL:
        expected = {RunState.ARCHIVED} if state is not RunState.ARCHIVED else set()
        if state in RETRYABLE:
            expected |= {RunState.PENDING, RunState.QUEUED}
        assert ALLOWED[state] == expected


def test_every_run_that_has_not_ended_can_be_cancelled() -> None:
    for state in set(RunState) - TERMINAL:
        check(state, RunState.CANCELLED)


def test_every_move_and_every_state_is_explained_once() -> None:
    moves = [(move.source, move.target) for move in TRANSITIONS]
    assert len(set(moves)) == len(moves)
    assert all(move.because for move in TRANSITIONS)
    assert set(MEANINGS) == set(RunState)
