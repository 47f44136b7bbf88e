"""Conditions from documents, and how they stand."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from catalog.documents.pipeline import When
from catalog.keys import DatasetKey
from policies.conditions import (
    AllOf,
    AnyOf,
    Condition,
    ConditionState,
    DatasetCondition,
    explain,
    from_document,
    leaves,
)
from policies.queues import QueuedVersion

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def condition(when: Any) -> Condition:
    return from_document(TypeAdapter(When).validate_python(when))


def dataset(name: str) -> dict[str, Any]:
    return {"dataset": {"namespace": "ns", "name": name}}


def key(name: str) -> DatasetKey:
    return DatasetKey("ns", name)


def queued(sequence: int, minutes: int) -> QueuedVersion:
    return QueuedVersion(sequence, uuid.uuid4(), NOON + timedelta(minutes=minutes))


def test_leaves_are_numbered_in_the_order_of_the_document() -> None:
    tree = condition({"any": [dataset("a"), {"all": [dataset("b"), dataset("c")]}, dataset("d")]})

    assert tree == AnyOf(
        (
            DatasetCondition(key("a"), 0),
            AllOf((DatasetCondition(key("b"), 1), DatasetCondition(key("c"), 2))),
            DatasetCondition(key("d"), 3),
        )
    )
    assert [leaf.key.name for leaf in leaves(tree)] == ["a", "b", "c", "d"]


def test_a_dataset_that_stands_twice_is_told_apart_by_its_occurrence() -> None:
    tree = condition({"any": [{"all": [dataset("a"), dataset("b")]}, {"all": [dataset("a"), dataset("c")]}]})

    assert [(leaf.key.name, leaf.occurrence) for leaf in leaves(tree)] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("c", 0),
    ]


def test_putting_a_condition_around_a_dataset_keeps_its_key_and_occurrence() -> None:
    before = leaves(condition(dataset("a")))
    after = leaves(condition({"all": [dataset("b"), dataset("a")]}))

    assert [(leaf.key, leaf.occurrence) for leaf in before] == [(key("a"), 0)]
    assert (key("a"), 0) in [(leaf.key, leaf.occurrence) for leaf in after]


def test_a_waiting_dataset_says_what_it_waits_for() -> None:
    state = explain(condition(dataset("a")), {}, NOON)

    assert state == ConditionState(
        kind="dataset",
        label="dataset:ns:a",
        satisfied=False,
        since=None,
        duration=None,
        waiting_for="a new version of dataset:ns:a",
        queued=0,
        leaf=0,
        key=key("a"),
        children=(),
    )


def test_all_is_true_since_the_last_of_its_children_became_true() -> None:
    tree = condition({"all": [dataset("a"), dataset("b")]})
    queues = {0: [queued(1, -60), queued(4, -1)], 1: [queued(2, -50)]}

    state = explain(tree, queues, NOON)

    assert state.satisfied
    assert state.waiting_for is None
    assert state.since == NOON - timedelta(minutes=50)
    assert state.duration == timedelta(minutes=50)
    assert state.queued == 3
    assert [child.since for child in state.children] == [
        NOON - timedelta(minutes=60),
        NOON - timedelta(minutes=50),
    ]


def test_any_is_true_since_the_first_of_its_children_became_true() -> None:
    tree = condition({"any": [dataset("a"), dataset("b")]})

    state = explain(tree, {0: [queued(2, -5)], 1: [queued(1, -9)]}, NOON)

    assert state.since == NOON - timedelta(minutes=9)


def test_the_order_of_the_log_decides_not_the_time_of_publication() -> None:
    # b was published earlier by its clock, and came later into the log.
    tree = condition({"any": [dataset("a"), dataset("b")]})

    state = explain(tree, {0: [queued(1, -5)], 1: [queued(2, -9)]}, NOON)

    assert state.since == NOON - timedelta(minutes=5)


def test_a_condition_names_all_that_it_lacks_and_nothing_that_it_has() -> None:
    tree = condition({"all": [dataset("a"), dataset("b"), {"any": [dataset("c"), dataset("d")]}]})

    assert explain(tree, {}, NOON).waiting_for == (
        "a new version of dataset:ns:a, dataset:ns:b and (dataset:ns:c or dataset:ns:d)"
    )
    assert explain(tree, {0: [queued(1, -1)], 1: [queued(2, -1)]}, NOON).waiting_for == (
        "a new version of dataset:ns:c or dataset:ns:d"
    )
    assert explain(tree, {0: [queued(1, -1)], 3: [queued(2, -1)]}, NOON).waiting_for == (
        "a new version of dataset:ns:b"
    )


def test_a_long_list_of_what_is_lacking_is_cut() -> None:
    tree = condition({"all": [dataset(f"d{number}") for number in range(9)]})

    text = explain(tree, {}, NOON).waiting_for

    assert text is not None
    assert text.endswith("dataset:ns:d4 and 4 more")


def test_a_node_is_false_since_the_consumption_that_made_it_so() -> None:
    emptied = {0: NOON - timedelta(minutes=30), 1: NOON - timedelta(minutes=10)}
    both = condition({"all": [dataset("a"), dataset("b")]})
    either = condition({"any": [dataset("a"), dataset("b")]})

    # `all` became false with the first of them, `any` with the last.
    assert explain(both, {}, NOON, emptied).since == NOON - timedelta(minutes=30)
    assert explain(either, {}, NOON, emptied).since == NOON - timedelta(minutes=10)
    # Only what is lacking counts.
    assert explain(both, {0: [queued(1, -1)]}, NOON, emptied).since == NOON - timedelta(minutes=10)
    # What is not known is not guessed.
    assert explain(both, {}, NOON, {0: NOON}).since is None


def test_a_version_from_the_future_has_waited_for_no_time() -> None:
    state = explain(condition(dataset("a")), {0: [queued(1, 30)]}, NOON)

    assert state.duration == timedelta()
