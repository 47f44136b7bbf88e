"""Which versions events make and take back, and what that starts, told event by event."""

import datetime as dt
import itertools
import uuid
from typing import Any

import pytest

from tests.support.spine import T0, apply_fact, fact_of_event, pipeline_body, run_event
from tests.support.story import Story


def test_the_outputs_of_a_failed_run_are_partial_and_start_nothing(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    run = uuid.uuid4()
    story.tell(fact_of_event(run_event(run, "FAIL", outputs=["a"])))
    assert story.connection.execute("SELECT state FROM dataset_version").fetchall() == [("partial",)]
    assert story.runs() == []
    # A success that is told late makes the version, and what waited starts once; it stays disputed by the failure.
    earlier = T0 - dt.timedelta(seconds=1)
    story.tell(fact_of_event(run_event(run, "COMPLETE", outputs=["a"], at=earlier)))
    assert story.connection.execute("SELECT state FROM dataset_version").fetchall() == [("disputed",)]
    assert story.runs() == [(1, "queued")]


def test_an_event_from_the_future_does_not_look_fresher_than_now(story: Story) -> None:
    future = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)
    story.tell(fact_of_event(run_event(uuid.uuid4(), outputs=["a"], at=future)))
    row = story.connection.execute(
        "SELECT v.time <= now(), v.event_time = %s FROM dataset_version v", (future,)
    ).fetchone()
    assert row == (True, True)


def test_the_first_run_that_told_of_a_version_made_it(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", concurrency=10)))
    facets = {"version": {"datasetVersion": "7"}}
    first, second = uuid.uuid4(), uuid.uuid4()
    story.tell(fact_of_event(run_event(first, outputs=["a"], output_facets=facets)))
    later = T0 + dt.timedelta(hours=1)
    story.tell(fact_of_event(run_event(second, outputs=["a"], output_facets=facets, at=later)))
    assert story.connection.execute("SELECT run_id, time FROM dataset_version").fetchall() == [(first, T0)]
    # The same content again starts nothing.
    assert story.runs() == [(1, "queued")]


def test_a_version_that_its_run_takes_back_stays_while_another_run_made_it(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", concurrency=10)))
    first, second = uuid.uuid4(), uuid.uuid4()
    one, two = {"version": {"datasetVersion": "1"}}, {"version": {"datasetVersion": "2"}}
    later = [T0 + dt.timedelta(seconds=number) for number in range(3)]
    story.tell(fact_of_event(run_event(first, outputs=["a"], output_facets=one, at=later[0])))
    story.tell(fact_of_event(run_event(second, outputs=["a"], output_facets=one, at=later[1])))
    story.tell(fact_of_event(run_event(first, outputs=["a"], output_facets=two, at=later[2])))
    rows = story.connection.execute(
        "SELECT version, run_id, state FROM dataset_version ORDER BY version"
    ).fetchall()
    assert rows == [("1", second, "published"), ("2", first, "published")]
    assert len(story.runs()) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_version_that_one_run_took_back_is_made_by_another_in_any_order(
    story: Story, order: tuple[int, ...]
) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", concurrency=10)))
    first, second = uuid.uuid4(), uuid.uuid4()
    one, two = {"version": {"datasetVersion": "1"}}, {"version": {"datasetVersion": "2"}}
    later = T0 + dt.timedelta(seconds=1)
    events = [
        run_event(first, "FAIL", outputs=["a"], output_facets=one),
        run_event(first, "FAIL", outputs=["a"], output_facets=two, at=later),
        run_event(second, outputs=["a"], output_facets=one, at=later),
    ]
    for index in order:
        story.tell(fact_of_event(events[index]))
    state = story.connection.execute("SELECT state FROM dataset_version WHERE version = '1'").fetchall()
    assert state == [("published",)]
    assert story.runs() == [(1, "queued")]


def test_a_withdrawn_version_that_still_waits_starts_nothing(story: Story) -> None:
    both = {"all": [{"dataset": {"namespace": "ns", "name": name}} for name in ("a", "b")]}
    story.tell(apply_fact(pipeline_body("p", both)))
    run = uuid.uuid4()
    story.tell(fact_of_event(run_event(run, outputs=["a"])))
    drop = {"lifecycleStateChange": {"lifecycleStateChange": "DROP"}}
    story.tell(
        fact_of_event(run_event(run, outputs=["a"], output_facets=drop, at=T0 + dt.timedelta(seconds=1)))
    )
    story.arrive("b")
    assert story.runs() == []


@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_told_of_one_version_twice_does_not_depend_on_the_order(story: Story, reverse: bool) -> None:
    facets = {"version": {"datasetVersion": "7"}}
    events: list[dict[str, Any]] = []
    for name, lifecycle in (("LOCATION", "CREATE"), ("TABLE", "OVERWRITE")):
        symlinks = {"identifiers": [{"namespace": "ns", "name": "t", "type": name}]}
        dataset = {
            "namespace": "ns",
            "name": "a",
            "facets": {
                **facets,
                "symlinks": symlinks,
                "lifecycleStateChange": {"lifecycleStateChange": lifecycle},
            },
        }
        events.append(
            {"eventTime": T0.isoformat(), "producer": "https://example.com/test", "dataset": dataset}
        )
    for event in reversed(events) if reverse else events:
        story.tell(fact_of_event(event))
    assert story.connection.execute("SELECT type FROM dataset_alias").fetchall() == [("LOCATION",)]
    assert story.connection.execute("SELECT lifecycle FROM dataset_version").fetchall() == [("CREATE",)]
