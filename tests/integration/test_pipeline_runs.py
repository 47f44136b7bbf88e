"""What becomes of pipelines, told fact by fact: batches, slots, outcomes, commands."""

import datetime as dt
import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from catalog.facts import (
    FactKind,
    Outcome,
    attempt_claimed,
    attempt_ended,
    attempt_started,
    command,
    version_report,
)
from catalog.keys import DatasetKey, name_based_uuid
from tests.support.spine import (
    T0,
    append,
    apply_fact,
    connect,
    fact_of_event,
    follow,
    parked,
    pipeline_body,
    run_event,
    state_follower,
)


class Story:
    """A database and a hand to tell it things."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self._reports = 0

    def tell(self, *facts: Any) -> int:
        """Append the facts, follow, and return the last position."""
        appended = append(self.connection, facts)
        follow(self.connection)
        assert parked(self.connection) == []
        return appended[-1].position

    def arrive(self, name: str) -> None:
        """Report a new version of the dataset."""
        self._reports += 1
        self.tell(version_report(DatasetKey("ns", name), actor="test", time=T0, key=str(self._reports)))

    def command(
        self, kind: FactKind, body: dict[str, Any] | None = None, run: uuid.UUID | None = None
    ) -> Any:
        """Give a command; return its verdict."""
        position = self.tell(command(kind, body or {}, actor="alice", run_id=run))
        return self.connection.execute(
            "SELECT accepted, code, message, result FROM command_result WHERE position = %s", (position,)
        ).fetchone()

    def runs(self) -> list[tuple[int, str]]:
        """Return number and state of every run."""
        return self.connection.execute("SELECT number, state FROM pipeline_run ORDER BY number").fetchall()

    def run_id(self, number: int) -> uuid.UUID:
        """Return the id of the run."""
        row = self.connection.execute("SELECT id FROM pipeline_run WHERE number = %s", (number,)).fetchone()
        assert row is not None
        return row[0]

    def consumed(self, number: int) -> int:
        """Return how many versions the run consumed."""
        row = self.connection.execute(
            "SELECT count(*) FROM consumption WHERE run_id = %s", (self.run_id(number),)
        ).fetchone()
        assert row is not None
        return row[0]

    def claim(self, number: int, attempt: int = 1) -> None:
        """Let a host claim the attempt, as the launch job does."""
        run = self.run_id(number)
        self.connection.execute(
            "INSERT INTO attempt_claim (run_id, attempt, host) VALUES (%s, %s, 'host')", (run, attempt)
        )
        self.tell(attempt_claimed(run, attempt, host="host"))

    def start(self, number: int, attempt: int = 1) -> None:
        """Let the attempt start."""
        self.claim(number, attempt)
        self.tell(attempt_started(self.run_id(number), attempt, host="host", pid=1, at=T0))

    def end(
        self, number: int, exit_code: int = 0, *, attempt: int = 1, outcome: Outcome = Outcome.EXITED
    ) -> None:
        """Let the attempt end."""
        self.tell(
            attempt_ended(
                self.run_id(number), attempt, outcome, actor="host:host", at=T0, exit_code=exit_code
            )
        )

    def jobs(self) -> list[tuple[str, int]]:
        """Return task and attempt of every job that waits."""
        rows = self.connection.execute(
            "SELECT task_name, args FROM procrastinate_jobs ORDER BY id"
        ).fetchall()
        return [
            (task, number)
            for task, arguments in rows
            for number in (
                [attempt for _, attempt in arguments["attempts"]]
                if "attempts" in arguments
                else [arguments["attempt"]]
            )
        ]


@pytest.fixture
def story(database_url: str) -> Iterator[Story]:
    with connect(database_url) as connection:
        yield Story(connection)


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


def test_a_failed_attempt_is_retried_after_its_backoff_and_keeps_the_document(story: Story) -> None:
    retries = {"count": 1, "backoff": {"initial": "1s"}}
    story.tell(apply_fact(pipeline_body("p", "a", retries=retries)))
    story.arrive("a")
    story.start(1)
    # The document changes while it runs; the retry goes by the one that was current when it became due.
    story.tell(apply_fact(pipeline_body("p", "a", retries={"count": 5})))
    story.end(1, exit_code=3)
    assert story.runs() == [(1, "retrying")]
    row = story.connection.execute(
        "SELECT args #>> '{attempts,0,1}', scheduled_at > now() - interval '1 minute' FROM procrastinate_jobs"
        " WHERE scheduled_at IS NOT NULL"
    ).fetchone()
    assert row == ("2", True)
    story.start(1, attempt=2)
    story.end(1, exit_code=3, attempt=2)
    # The first document granted one retry.
    assert story.runs() == [(1, "failed")]
    versions = story.connection.execute("SELECT document_version, exit_code FROM pipeline_run").fetchall()
    assert versions == [(1, 3)]
    history = story.connection.execute(
        "SELECT from_state, to_state, actor FROM pipeline_run_transition ORDER BY sequence"
    ).fetchall()
    assert [row[1] for row in history] == [
        "pending",
        "queued",
        "launching",
        "running",
        "retrying",
        "launching",
        "running",
        "failed",
    ]


def test_the_first_outcome_counts(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.start(1)
    story.end(1, exit_code=0)
    # Somebody else thought it was lost.
    story.end(1, outcome=Outcome.LOST)
    assert story.runs() == [(1, "succeeded")]


def test_a_run_that_is_not_claimed_is_cancelled_at_once_and_can_never_start(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    accepted, *_ = story.command(FactKind.RUN_CANCEL, {"reason": "no"}, run=story.run_id(1))
    assert accepted
    assert story.runs() == [(1, "cancelled")]
    claim = story.connection.execute("SELECT host FROM attempt_claim").fetchall()
    assert claim == [("",)]


def test_a_running_run_is_stopped_by_its_host(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.start(1)
    story.command(FactKind.RUN_CANCEL, {"reason": "no"}, run=story.run_id(1))
    # It runs until its host says that it has ended.
    assert story.runs() == [(1, "running")]
    assert ("headwater.stop", 1) in story.jobs()
    story.end(1, outcome=Outcome.CANCELLED)
    assert story.runs() == [(1, "cancelled")]
    accepted, code, *_ = story.command(FactKind.RUN_CANCEL, run=story.run_id(1))
    assert (accepted, code) == (False, "invalid-transition")


def test_an_operator_retries_a_failed_run_as_the_next_attempt(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.start(1)
    story.end(1, exit_code=1)
    accepted, *_ = story.command(FactKind.RUN_RETRY, run=story.run_id(1))
    assert accepted
    assert story.runs() == [(1, "queued")]
    assert story.jobs()[-1] == ("headwater.launch", 2)
    accepted, code, *_ = story.command(FactKind.RUN_RETRY, run=story.run_id(1))
    assert (accepted, code) == (False, "invalid-transition")


def test_an_operators_retry_grants_one_attempt_and_no_more(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", retries={"count": 1})))
    story.arrive("a")
    story.start(1)
    story.command(FactKind.RUN_CANCEL, {"reason": "no"}, run=story.run_id(1))
    story.end(1, outcome=Outcome.CANCELLED)
    # The document grants two attempts; the second is the operator's.
    story.command(FactKind.RUN_RETRY, run=story.run_id(1))
    left = story.connection.execute("SELECT attempt, attempts_left FROM pipeline_run").fetchone()
    assert left == (2, 0)
    story.start(1, attempt=2)
    story.end(1, exit_code=1, attempt=2)
    assert story.runs() == [(1, "failed")]


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


def test_a_paused_pipeline_queues_and_resumes(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", concurrency=10)))
    story.command(FactKind.PIPELINE_PAUSE, {"pipeline": "p"})
    story.arrive("a")
    story.arrive("a")
    assert story.runs() == []
    story.command(FactKind.PIPELINE_RESUME, {"pipeline": "p"})
    assert story.runs() == [(1, "queued"), (2, "queued")]


def test_a_manual_trigger_names_its_actor(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    accepted, _, _, result = story.command(FactKind.PIPELINE_TRIGGER, {"pipeline": "p", "reason": "look"})
    assert accepted
    assert result["number"] == 1
    row = story.connection.execute("SELECT cause, actor, reason FROM pipeline_run").fetchone()
    assert row is not None
    assert row[:2] == ("manual", "alice")
    accepted, code, *_ = story.command(FactKind.PIPELINE_TRIGGER, {"pipeline": "nope"})
    assert (accepted, code) == (False, "not-found")


def test_unchanged_documents_are_a_no_op_and_an_expected_version_is_held(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    position = story.tell(apply_fact(pipeline_body("p", "a")))
    result = story.connection.execute(
        "SELECT result FROM command_result WHERE position = %s", (position,)
    ).fetchone()
    unchanged = {"kind": "Pipeline", "name": "p", "version": 1, "change": "unchanged", "warnings": []}
    assert result == ({"documents": [unchanged]},)
    position = story.tell(apply_fact(pipeline_body("p", "b"), expected={"Pipeline/p": 7}))
    row = story.connection.execute(
        "SELECT accepted, code FROM command_result WHERE position = %s", (position,)
    ).fetchone()
    assert row == (False, "conflict")
    assert story.connection.execute("SELECT max(version) FROM document").fetchone() == (1,)


def test_a_loop_in_the_documents_is_refused_whole(story: Story) -> None:
    there = pipeline_body("there", "a", produces=[{"namespace": "ns", "name": "b"}])
    back = pipeline_body("back", "b", produces=[{"namespace": "ns", "name": "a"}])
    position = story.tell(apply_fact(there, back))
    row = story.connection.execute(
        "SELECT accepted, code FROM command_result WHERE position = %s", (position,)
    ).fetchone()
    assert row == (False, "causal-loop")
    assert story.connection.execute("SELECT count(*) FROM document").fetchone() == (0,)


def test_editing_the_condition_keeps_what_was_consumed_and_queued(story: Story) -> None:
    both = {"all": [{"dataset": {"namespace": "ns", "name": name}} for name in ("a", "b")]}
    story.tell(apply_fact(pipeline_body("p", both)))
    story.arrive("a")
    assert story.runs() == []
    # The version of `a` that was queued makes the new condition true.
    story.tell(apply_fact(pipeline_body("p", "a")))
    assert story.runs() == [(1, "queued")]
    # And is not consumed twice by the old one.
    story.tell(apply_fact(pipeline_body("p", both)))
    story.arrive("b")
    assert story.runs() == [(1, "queued")]


@pytest.mark.parametrize(("start_from", "expected"), [("latest", 0), ("current", 1), ("earliest", 3)])
def test_a_new_pipeline_starts_from_where_its_document_says(
    story: Story, start_from: str, expected: int
) -> None:
    for _ in range(3):
        story.arrive("a")
    story.tell(apply_fact(pipeline_body("p", "a", startFrom=start_from, concurrency=10)))
    assert len(story.runs()) == expected


@pytest.mark.parametrize("newest", ["a", "b"])
def test_the_current_version_of_an_input_with_aliases_is_one(story: Story, newest: str) -> None:
    symlinks = {
        "symlinks": {
            "_producer": "https://example.com/test",
            "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/SymlinksDatasetFacet.json",
            "identifiers": [{"namespace": "ns", "name": "b", "type": "TABLE"}],
        }
    }
    story.tell(fact_of_event(run_event(uuid.uuid4(), outputs=["a"], output_facets=symlinks)))
    later = T0 + dt.timedelta(hours=1)
    story.arrive("b")
    story.tell(version_report(DatasetKey("ns", newest), actor="test", time=later, key="newest"))
    # One run, of the newest version whatever name it came under, at whichever name the pipeline waits.
    story.tell(apply_fact(pipeline_body("p", "a", startFrom="current", concurrency=10)))
    assert story.runs() == [(1, "queued")]
    consumed = story.connection.execute(
        "SELECT d.name, v.time FROM consumption c JOIN dataset_version v ON v.id = c.version_id"
        " JOIN dataset d ON d.id = v.dataset_id"
    ).fetchall()
    assert consumed == [(newest, later)]


def test_deleting_cancels_what_waits_and_lets_go_on_what_runs(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.arrive("a")
    story.start(1)
    accepted, *_ = story.command(FactKind.DOCUMENT_DELETE, {"kind": "Pipeline", "name": "p"})
    assert accepted
    assert story.runs() == [(1, "running"), (2, "cancelled")]
    story.arrive("a")
    story.end(1)
    assert story.runs() == [(1, "succeeded"), (2, "cancelled")]


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


def test_what_one_event_publishes_arrives_together(story: Story) -> None:
    both = {"any": [{"dataset": {"namespace": "ns", "name": name}} for name in ("a", "b")]}
    story.tell(apply_fact(pipeline_body("p", both, batching="latest")))
    story.tell(fact_of_event(run_event(uuid.uuid4(), outputs=["a", "b"])))
    assert story.runs() == [(1, "queued")]
    assert story.consumed(1) == 2


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


def test_a_run_of_a_deleted_pipeline_is_not_retried(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.start(1)
    story.end(1, exit_code=1)
    story.command(FactKind.DOCUMENT_DELETE, {"kind": "Pipeline", "name": "p"})
    accepted, code, message, _ = story.command(FactKind.RUN_RETRY, run=story.run_id(1))
    assert (accepted, code) == (False, "invalid-transition")
    assert "deleted" in message


def test_a_pipeline_that_comes_back_does_not_see_what_was_released_meanwhile(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", onFailure="release")))
    story.arrive("a")
    story.start(1)
    story.command(FactKind.DOCUMENT_DELETE, {"kind": "Pipeline", "name": "p"})
    story.end(1, exit_code=1)
    story.tell(apply_fact(pipeline_body("p", "a", onFailure="release")))
    assert story.runs() == [(1, "failed")]


def test_what_follows_a_claim_tells_of_it(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.end(1)
    assert story.runs() == [(1, "succeeded")]


def test_one_document_twice_in_one_apply_is_refused(story: Story) -> None:
    position = story.tell(apply_fact(pipeline_body("p", "a"), pipeline_body("p", "b")))
    row = story.connection.execute(
        "SELECT accepted, code FROM command_result WHERE position = %s", (position,)
    ).fetchone()
    assert row == (False, "invalid-document")


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


def test_a_retried_run_that_waits_has_not_started(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.start(1)
    story.end(1, exit_code=1)
    story.command(FactKind.RUN_RETRY, run=story.run_id(1))
    assert story.connection.execute("SELECT started_at, state FROM pipeline_run").fetchall() == [
        (None, "queued")
    ]


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


@pytest.mark.parametrize("batch", [1, 1000])
def test_released_versions_are_not_stranded_by_an_edit(story: Story, batch: int) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", onFailure="release", concurrency=20)))
    for _ in range(5):
        story.arrive("a")
    for number in range(1, 6):
        story.start(number)
        story.end(number, exit_code=1)
    story.command(FactKind.PIPELINE_PAUSE, {"pipeline": "p"})
    story.tell(apply_fact(pipeline_body("p", "a", onFailure="keep", concurrency=20)))
    story.command(FactKind.PIPELINE_RESUME, {"pipeline": "p"})
    append(
        story.connection,
        [version_report(DatasetKey("ns", "a"), actor="test", time=T0, key=f"late {n}") for n in range(2)],
    )
    follow(story.connection, state_follower(batch=batch))
    assert len(story.runs()) == 12
    assert story.connection.execute("SELECT count(*) FROM input_queue").fetchone() == (0,)
