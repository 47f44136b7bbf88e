"""What becomes of a run, told fact by fact: attempts, outcomes, retries, and what operators ask for."""

from catalog.facts import FactKind, Outcome
from tests.support.spine import apply_fact, pipeline_body
from tests.support.story import Story


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
    exit_code = "SELECT exit_code FROM pipeline_run"
    assert story.connection.execute(exit_code).fetchone() == (3,)
    story.start(1, attempt=2)
    # The last attempt has none yet.
    assert story.connection.execute(exit_code).fetchone() == (None,)
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


def test_what_follows_a_claim_tells_of_it(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.end(1)
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


def test_a_retried_run_that_waits_has_not_started(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.start(1)
    story.end(1, exit_code=1)
    story.command(FactKind.RUN_RETRY, run=story.run_id(1))
    assert story.connection.execute("SELECT started_at, state FROM pipeline_run").fetchall() == [
        (None, "queued")
    ]


def test_a_run_of_a_deleted_pipeline_is_not_retried(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.start(1)
    story.end(1, exit_code=1)
    story.command(FactKind.DOCUMENT_DELETE, {"kind": "Pipeline", "name": "p"})
    accepted, code, message, _ = story.command(FactKind.RUN_RETRY, run=story.run_id(1))
    assert (accepted, code) == (False, "invalid-transition")
    assert "deleted" in message
