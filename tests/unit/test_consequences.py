"""Which pipelines would start if something changed."""

import uuid
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from catalog.documents.pipeline import When
from catalog.keys import DatasetKey
from policies.conditions import from_document
from policies.consequences import Consequence, WaitingPipeline, consequences
from policies.queues import QueuedVersion, Queues

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUEUED = (QueuedVersion(7, uuid.UUID(int=7), NOON),)


def key(name: str) -> DatasetKey:
    return DatasetKey("ns", name)


def when(stated: Any) -> Any:
    """`"a"`, `{"all": ["a", "b"]}` and so on as a document writes it."""
    match stated:
        case str():
            return {"dataset": {"namespace": "ns", "name": stated}}
        case _:
            return {word: [when(child) for child in children] for word, children in stated.items()}


def pipeline(name: str, stated: Any, writes: str = "", queues: Queues | None = None) -> WaitingPipeline:
    condition = from_document(TypeAdapter(When).validate_python(when(stated)))
    return WaitingPipeline(name, condition, queues or {}, {key(each) for each in writes.split()})


def found(*pipelines: WaitingPipeline, changed: str = "a", **aliases: str) -> list[Consequence]:
    names = {key(name): key(other) for name, other in aliases.items()}
    return consequences(pipelines, {key(name) for name in changed.split()}, names, NOON)


def told(*pipelines: WaitingPipeline, changed: str = "a", **aliases: str) -> list[tuple[str, bool, int]]:
    return [(one.pipeline, one.starts, one.round) for one in found(*pipelines, changed=changed, **aliases)]


def test_a_pipeline_that_waits_for_it_starts() -> None:
    assert told(pipeline("report", "a"), pipeline("other", "b")) == [("report", True, 1)]
    [one] = found(pipeline("report", "a"))
    assert (one.because, one.waiting_for) == ((key("a"),), None)


def test_an_all_says_what_else_it_waits_for() -> None:
    [one] = found(pipeline("report", {"all": ["a", "b", "c"]}))
    assert not one.starts
    assert one.because == (key("a"),)
    assert one.waiting_for == "a new version of dataset:ns:b and dataset:ns:c"


def test_what_is_queued_already_counts() -> None:
    assert told(pipeline("report", {"all": ["a", "b"]}, queues={1: QUEUED})) == [("report", True, 1)]
    assert told(pipeline("report", {"any": ["a", "b"]})) == [("report", True, 1)]


def test_what_a_started_pipeline_writes_starts_others() -> None:
    assert told(
        pipeline("z", "a", writes="b"), pipeline("y", "b", writes="c"), pipeline("x", {"all": ["c", "a"]})
    ) == [("z", True, 1), ("y", True, 2), ("x", True, 3)]


def test_what_waits_on_writes_nothing() -> None:
    waiting = pipeline("first", {"all": ["a", "never"]}, writes="b")
    assert told(waiting, pipeline("second", "b")) == [("first", False, 1)]


def test_one_that_waited_for_what_another_writes_starts_with_it() -> None:
    both = pipeline("both", {"all": ["a", "b"]})
    assert told(both, pipeline("maker", "a", writes="b")) == [("maker", True, 1), ("both", True, 2)]


def test_every_name_of_a_dataset_counts() -> None:
    assert told(pipeline("report", "table"), changed="path", table="path") == [("report", True, 1)]
    writer = pipeline("writer", "a", writes="path")
    assert told(writer, pipeline("report", "table"), path="table") == [
        ("writer", True, 1),
        ("report", True, 2),
    ]


def test_a_loop_ends() -> None:
    assert told(pipeline("x", "a", writes="b"), pipeline("y", "b", writes="a")) == [
        ("x", True, 1),
        ("y", True, 2),
    ]


def test_no_change_starts_nothing() -> None:
    assert found(pipeline("report", {"any": ["a", "b"]}, queues={0: QUEUED}), changed="") == []
