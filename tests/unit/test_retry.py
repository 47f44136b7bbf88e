"""Retries: whether another attempt follows, and when."""

from datetime import timedelta
from statistics import mean
from typing import Any

import pytest

from catalog.documents.pipeline import Backoff, Retries
from policies.retry import attempts_left, backoff_delay, next_attempt
from policies.transitions import RunState

SECOND = timedelta(seconds=1)


def backoff(**fields: Any) -> Backoff:
    return Backoff.model_validate(fields)


def longest(policy: Backoff, attempt: int) -> timedelta:
    return max(backoff_delay(policy, attempt, f"run {number}") for number in range(2000))


def test_the_longest_wait_doubles_up_to_the_maximum() -> None:
    policy = backoff(initial="1s", factor=2, maximum="10s")

    for attempt, seconds in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (6, 10), (5000, 10)]:
        assert 0.98 * seconds * SECOND < longest(policy, attempt) <= seconds * SECOND


def test_waits_are_spread_evenly_from_zero() -> None:
    policy = backoff(initial="100s", maximum="100s")

    waits = [backoff_delay(policy, 1, f"run {number}") / SECOND for number in range(5000)]

    assert min(waits) < 1
    assert 48 < mean(waits) < 52
    assert sum(wait < 25 for wait in waits) == pytest.approx(1250, abs=150)


def test_the_same_run_and_attempt_wait_the_same_and_others_do_not() -> None:
    policy = backoff(initial="1h", maximum="1h")

    assert backoff_delay(policy, 1, "a") == backoff_delay(policy, 1, "a")
    assert backoff_delay(policy, 1, "a") != backoff_delay(policy, 2, "a")
    assert backoff_delay(policy, 1, "a") != backoff_delay(policy, 1, "b")


def test_a_wait_is_the_same_on_every_machine() -> None:
    # A stored decision must come out again; this value may never change.
    wait = backoff_delay(backoff(initial="1000s", maximum="1000s"), 1, "0195d2a0-0000-7000-8000-000000000000")

    assert wait == timedelta(seconds=154.687133)


def test_a_factor_of_one_never_grows() -> None:
    assert longest(backoff(initial="2s", factor=1, maximum="1h"), 90) <= 2 * SECOND


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1, found 0"):
        backoff_delay(backoff(), 0, "a")


def test_as_many_attempts_follow_as_the_document_grants() -> None:
    retries = Retries.model_validate({"count": 2})

    assert next_attempt(retries, 1, RunState.FAILED, "a") is not None
    assert next_attempt(retries, 2, RunState.TIMED_OUT, "a") is not None
    assert next_attempt(retries, 3, RunState.FAILED, "a") is None
    assert next_attempt(Retries(), 1, RunState.FAILED, "a") is None


def test_what_is_left_falls_with_each_attempt_to_none() -> None:
    retries = Retries.model_validate({"count": 2})

    assert [attempts_left(retries, attempt) for attempt in range(5)] == [2, 2, 1, 0, 0]


def test_only_the_named_outcomes_are_tried_again() -> None:
    retries = Retries.model_validate({"count": 9, "outcomes": ["failed"]})

    assert next_attempt(retries, 1, RunState.FAILED, "a") is not None
    assert next_attempt(retries, 1, RunState.LOST, "a") is None
    assert next_attempt(retries, 1, RunState.TIMED_OUT, "a") is None


@pytest.mark.parametrize("outcome", [RunState.SUCCEEDED, RunState.CANCELLED])
def test_a_success_and_a_cancelled_run_are_never_tried_again(outcome: RunState) -> None:
    assert next_attempt(Retries.model_validate({"count": 9}), 1, outcome, "a") is None
