"""What versions make due, told fact by fact: batches, slots, pauses, chains of causes."""

import datetime as dt
import uuid

import pytest

from catalog.facts import FactKind, version_report
from catalog.keys import DatasetKey, name_based_uuid
from tests.support.spine import (
    T0,
    append,
    apply_fact,
    fact_of_event,
    follow,
    parked,
    pipeline_body,
    run_event,
    state_follower,
)
from tests.support.story import Story


def test_each_makes_a_run_of_every_version_and_slots_are_given_by_number(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", concurrency=2)))
    for _ in range(3):
        story.arrive("a")
    assert story.runs() == [(1, "queued"), (2, "queued"), (3, "pending")]
    story.start(1)
    assert story.runs()[0] == (1, "running")
    story.end(1)
    # Its slot goes to the next.
    assert story.runs() == [(1, "succeeded"), (2, "queued"), (3, "queued")]


def test_latest_absorbs_until_its_slot_is_granted(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", batching="latest")))
    story.arrive("a")
    story.start(1)
    # Two versions while the first run is going: one run waits for both.
    story.arrive("a")
    story.arrive("a")
    assert story.runs() == [(1, "running"), (2, "pending")]
    assert story.consumed(2) == 2
    story.end(1)
    assert story.runs() == [(1, "succeeded"), (2, "queued")]
    # Its batch is closed now.
    story.arrive("a")
    assert story.runs()[-1] == (3, "pending")
    assert (story.consumed(2), story.consumed(3)) == (2, 1)


def test_all_waits_for_every_child(story: Story) -> None:
    both = {"all": [{"dataset": {"namespace": "ns", "name": name}} for name in ("a", "b")]}
    story.tell(apply_fact(pipeline_body("p", both, concurrency=10)))
    story.arrive("a")
    story.arrive("a")
    assert story.runs() == []
    story.arrive("b")
    assert story.runs() == [(1, "queued")]
    story.arrive("b")
    assert story.runs() == [(1, "queued"), (2, "queued")]


def test_what_one_event_publishes_arrives_together(story: Story) -> None:
    both = {"any": [{"dataset": {"namespace": "ns", "name": name}} for name in ("a", "b")]}
    story.tell(apply_fact(pipeline_body("p", both, batching="latest")))
    story.tell(fact_of_event(run_event(uuid.uuid4(), outputs=["a", "b"])))
    assert story.runs() == [(1, "queued")]
    assert story.consumed(1) == 2


def test_a_paused_pipeline_queues_and_resumes(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", concurrency=10)))
    story.command(FactKind.PIPELINE_PAUSE, {"pipeline": "p"})
    story.arrive("a")
    story.arrive("a")
    assert story.runs() == []
    story.command(FactKind.PIPELINE_RESUME, {"pipeline": "p"})
    assert story.runs() == [(1, "queued"), (2, "queued")]


def test_released_versions_wait_for_the_next_arrival(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", onFailure="release")))
    story.arrive("a")
    story.start(1)
    story.end(1, exit_code=1)
    # The version is back, and a run that always fails does not start itself again.
    assert story.runs() == [(1, "failed")]
    assert story.connection.execute("SELECT count(*) FROM input_queue").fetchone() == (1,)
    story.arrive("a")
    assert story.runs() == [(1, "failed"), (2, "queued"), (3, "pending")]


def test_held_runs_do_not_hide_those_that_wait_for_a_slot(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    for _ in range(6):
        story.arrive("a")
    story.connection.execute("UPDATE pipeline_run SET state = 'held' WHERE number IN (2, 3, 4)")
    story.start(1)
    story.end(1)
    assert dict(story.runs())[5] == "queued"


def test_a_held_batch_does_not_swallow_what_comes_later(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", batching="latest")))
    append(story.connection, [version_report(DatasetKey("ns", "a"), actor="test", time=T0, key="first")])
    follow(story.connection, state_follower(causal_depth=0))
    assert story.runs() == [(1, "held")]
    story.arrive("a")
    assert story.runs() == [(1, "held"), (2, "queued")]


def test_a_chain_of_causes_that_is_too_long_is_held_with_a_reason(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", concurrency=10)))
    story.arrive("a")
    follower = state_follower(causal_depth=3)
    for number in (1, 2, 3):
        run = story.run_id(number)
        # The run's own producer writes its input again: a loop that no document shows.
        event = run_event(
            uuid.uuid4(), outputs=["a"], parent=(run, "p"), at=T0 + dt.timedelta(seconds=number)
        )
        append(story.connection, [fact_of_event(event)])
        follow(story.connection, follower)
    assert parked(story.connection) == []
    assert story.runs() == [(1, "queued"), (2, "queued"), (3, "queued"), (4, "held")]
    row = story.connection.execute(
        "SELECT causal_depth, reason FROM pipeline_run WHERE number = 4"
    ).fetchone()
    assert row is not None
    assert row[0] == 4
    assert "longer than 3" in row[1]


@pytest.mark.parametrize("batch", [1, 1000])
def test_the_causal_depth_does_not_depend_on_the_batch(story: Story, batch: int) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", concurrency=10), pipeline_body("q", "b", concurrency=10)))
    installation = story.connection.execute("SELECT id FROM installation").fetchone()
    assert installation is not None
    run = name_based_uuid("pipeline-run", str(installation[0]), "p", "1")
    report = version_report(DatasetKey("ns", "a"), actor="test", time=T0, key="1")
    append(
        story.connection, [report, fact_of_event(run_event(uuid.uuid4(), outputs=["b"], parent=(run, "p")))]
    )
    follow(story.connection, state_follower(batch=batch))
    depths = story.connection.execute("SELECT pipeline, causal_depth FROM pipeline_run ORDER BY 1").fetchall()
    assert depths == [("p", 1), ("q", 2)]


@pytest.mark.parametrize("batch", [1, 1000])
def test_which_run_consumes_which_output_does_not_depend_on_the_batch(story: Story, batch: int) -> None:
    either = {"any": [{"dataset": {"namespace": "ns", "name": name}} for name in ("a", "b")]}
    story.tell(apply_fact(pipeline_body("p", either, concurrency=10)))
    run = uuid.uuid4()
    events = [run_event(run, "RUNNING", outputs=["b", "a"]), run_event(run, "COMPLETE")]
    append(story.connection, [fact_of_event(event) for event in events])
    follow(story.connection, state_follower(batch=batch))
    consumed = story.connection.execute(
        "SELECT r.number, d.name FROM consumption c JOIN pipeline_run r ON r.id = c.run_id"
        " JOIN dataset_version v ON v.id = c.version_id JOIN dataset d ON d.id = v.dataset_id ORDER BY 1"
    ).fetchall()
    assert consumed == [(1, "a"), (2, "b")]
