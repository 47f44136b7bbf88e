"""What Airflow and the network do wrong: nothing starts twice, and every refusal is told. Airflow is a double here;
`make test-airflow` proves the launcher against a real one.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from hooks.due_runs import read_due_runs
from hooks.engines import advancing
from hooks.jobs import AttemptKey
from tests.support.airflow_double import (
    DAG,
    PASSWORD,
    RUNS,
    Airflow,
    Tell,
    airflow_double,
    calls,
    posted,
    telling_of_airflow,
)
from tests.support.http_double import Heard, HttpDouble, Reply
from tests.support.spine import connect


@pytest.fixture
def story_of(database_url: str, engine: Database, tmp_path: Path) -> Iterator[Tell]:
    with telling_of_airflow(database_url, engine, tmp_path) as tell:
        yield tell


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def double(airflow: Airflow) -> Iterator[HttpDouble]:
    with airflow_double(airflow) as running:
        yield running


def test_a_dag_run_has_the_attempts_id_and_its_parent_and_is_asked_about_until_it_has_ended(
    story_of: Tell, airflow: Airflow, double: HttpDouble
) -> None:
    story = story_of(double, conf={"partition": "${version.partition}", "run": "${run.number}"})
    story.register()
    run = story.arrive(partition="2026-01")
    story.work()
    assert story.run() == "running"
    airflow.end("failed")
    story.pass_time(11)
    story.work()

    # One token for all questions.
    assert calls(double) == [
        "POST /auth/token",
        f"GET /api/v2/dags/{DAG}",
        f"POST {RUNS}",
        f"GET /api/v2/dags/{DAG}",
        f"GET /api/v2/dags/{DAG}",
    ]
    [body] = posted(double)
    parent = {"parentRunId": str(run), "parentJobNamespace": "headwater", "parentJobName": "p"}
    assert body["conf"] == {"openlineage": parent, "partition": "2026-01", "run": 1}
    assert body["dag_run_id"].startswith("headwater__")
    assert body["logical_date"] == read_due_runs(story.connection, [run])[run].due_at.isoformat()
    assert body["note"].startswith("Headwater: p/1, attempt 1: ")
    assert (story.run(), story.run("reason")) == ("failed", "state failed: task extract, load")
    page = f"{double.url}/dags/{DAG}/runs/{body['dag_run_id']}"
    assert story.attempt("told").endswith(f"failed\n{page}")


def lose_answers(airflow: Airflow, times: int, *, arriving: bool = True) -> None:
    """Let the first answers to posted DAG runs get lost; what was posted may have arrived or not."""
    lost: list[Heard] = []

    def lose(heard: Heard, _: Reply) -> bool:
        if heard.path != RUNS or len(lost) == times:
            return False
        lost.append(heard)
        if arriving:
            airflow.accept(heard)
        return True

    airflow.faults = lose


@pytest.mark.parametrize("arriving", [True, False])
def test_a_request_whose_answer_was_lost_is_sent_again_with_the_same_id(
    story_of: Tell, airflow: Airflow, double: HttpDouble, *, arriving: bool
) -> None:
    lose_answers(airflow, 2, arriving=arriving)
    story = story_of(double)
    story.register()
    story.arrive()
    for _ in range(3):
        story.work()
        story.pass_time(4)
    assert story.run() == "running"

    assert len({body["dag_run_id"] for body in posted(double)}) == 1
    assert len(posted(double)) == 3
    assert len(airflow.starts) == 1


def test_a_worker_that_dies_while_it_sends_leaves_the_run_to_another(
    story_of: Tell, airflow: Airflow, double: HttpDouble
) -> None:
    story = story_of(double)
    story.register()
    run = story.arrive()
    # The worker dies after Airflow accepted and before anything was written.
    advancing._claim(story.context, [AttemptKey(run, 1)])
    taken = advancing._begin(story.context, AttemptKey(run, 1), 0)
    assert taken is not None
    asyncio.run(advancing._exchange(taken))
    assert len(airflow.starts) == 1
    # Another installation of the same launcher has no token and knows nothing of the first.
    fresh = story_of(double)
    fresh.pass_time(7)
    fresh.work()

    assert fresh.run() == "running"
    assert len(posted(double)) == 2
    assert len(airflow.starts) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_no_longer_taken_is_asked_for_anew(
    story_of: Tell, airflow: Airflow, double: HttpDouble, status: int
) -> None:
    airflow.refuses_tokens_by = status
    story = story_of(double)
    story.register(concurrency=2)
    story.arrive()
    story.work()
    airflow.valid.clear()
    story.arrive()
    story.work()
    assert story.run() == "running"
    airflow.valid.clear()
    airflow.end("success")
    story.pass_time(11)
    story.work()

    assert story.run() == "succeeded"
    assert len(airflow.tokens) == 3
    assert len(airflow.starts) == len(posted(double)) == 2


def test_who_starts_many_runs_at_once_logs_in_once(
    story_of: Tell, airflow: Airflow, double: HttpDouble
) -> None:
    story = story_of(double)
    story.register(concurrency=8)
    keys = [AttemptKey(story.arrive(), 1) for _ in range(8)]
    asyncio.run(advancing.launch(story.context, keys))

    assert len(airflow.tokens) == 1
    assert len(airflow.starts) == 8


def test_a_wrong_password_fails_the_attempt_and_is_shown_nowhere(
    story_of: Tell, double: HttpDouble, tmp_path: Path
) -> None:
    (tmp_path / "airflow").write_text("hunter2-wrong")
    story = story_of(double)
    story.register()
    story.arrive()
    story.work()

    assert calls(double) == ["POST /auth/token"]
    assert story.run() == "failed"
    # The double sends back what it was sent.
    assert "Airflow gave no token: /auth/token answered 401: Invalid credentials" in story.run("reason")
    assert "[redacted]" in story.run("reason")
    assert "hunter2" not in story.run("reason") + story.attempt("told")


def test_nothing_of_token_and_password_is_told(story_of: Tell, airflow: Airflow, double: HttpDouble) -> None:
    def echo(heard: Heard, reply: Reply) -> bool:
        if heard.path == RUNS:
            reply.send(400, {"detail": f"{heard.headers} {PASSWORD}"})
        return heard.path == RUNS

    airflow.faults = echo
    story = story_of(double)
    story.register()
    story.arrive()
    story.work()

    told = story.run("reason") + story.attempt("told")
    assert "Airflow refused the DAG run: answered 400" in told
    assert "Bearer [redacted]" in told
    assert airflow.tokens[0] not in told
    assert PASSWORD not in told


@pytest.mark.parametrize("path", ["/auth/token", RUNS])
def test_no_redirect_leads_to_another_origin(
    story_of: Tell, airflow: Airflow, double: HttpDouble, path: str
) -> None:
    with airflow_double(Airflow()) as elsewhere:
        airflow.faults = answering(path, status=307, Location=f"{elsewhere.url}{path}")
        story = story_of(double)
        story.register()
        story.arrive()
        story.work()

        assert elsewhere.heard == []
        assert (story.run(), story.run("reason")) == ("failed", f"{double.url} redirects to {elsewhere.url}")


def answering(*path: str, status: int, body: Any = b"", **headers: str) -> Any:
    """Return a fault: each of the paths is answered so."""

    def fault(heard: Heard, reply: Reply) -> bool:
        if heard.path in path:
            reply.send(status, body, **headers)
        return heard.path in path

    return fault


@pytest.mark.parametrize(
    ("path", "status"), [("/auth/token", 500), (f"/api/v2/dags/{DAG}", 503), ("/auth/token", 429)]
)
def test_an_airflow_that_is_not_ready_is_asked_again_and_nothing_was_sent(
    story_of: Tell, airflow: Airflow, double: HttpDouble, path: str, status: int
) -> None:
    airflow.faults = answering(path, status=status, Retry_After="5")
    story = story_of(double)
    story.register()
    story.arrive()
    story.work()
    assert (story.run(), posted(double)) == ("launching", [])
    airflow.faults = lambda _heard, _reply: False
    story.pass_time(8)
    story.work()

    assert story.run() == "running"
    assert len(posted(double)) == 1


@pytest.mark.parametrize("status", [500, 502, 200])
def test_an_answer_that_says_nothing_is_settled_by_sending_again(
    story_of: Tell, airflow: Airflow, double: HttpDouble, status: int
) -> None:
    # 200 with a page is what a gateway that wants a login answers.
    airflow.faults = answering(RUNS, status=status, body=b"<html>log in</html>")
    story = story_of(double, timeouts={"answer": "1s", "unreachable": "30s"})
    story.register()
    story.arrive()
    for _ in range(8):
        story.work()
        story.pass_time(10)

    assert len(posted(double)) > 1
    assert story.run() == "lost"
    assert f"answered {status}" in story.run("reason")


def test_a_second_refusal_is_no_word_about_the_first_request(
    story_of: Tell, airflow: Airflow, double: HttpDouble
) -> None:
    # The first arrived; before it is sent again the DAG's file has become faulty.
    lose_answers(airflow, 1)
    story = story_of(double)
    story.register()
    story.arrive()
    story.work()
    airflow.faults = answering(RUNS, status=400, body={"detail": "has import errors"})
    story.pass_time(3)
    story.work()

    assert story.run() == "running"
    assert len(airflow.starts) == 1


def test_another_run_with_the_logical_date_is_a_refusal(
    story_of: Tell, airflow: Airflow, double: HttpDouble
) -> None:
    airflow.faults = answering(RUNS, status=409, body={"detail": {"reason": "Unique constraint violation"}})
    story = story_of(double)
    story.register()
    story.arrive()
    story.work()

    assert story.run() == "failed"
    assert story.run("reason") == "Airflow has another run of the DAG for this logical date"


def test_one_step_takes_no_longer_than_one_answer_may(
    story_of: Tell, airflow: Airflow, double: HttpDouble
) -> None:
    def slow(heard: Heard, _: Reply) -> bool:
        if heard.path in ("/auth/token", f"/api/v2/dags/{DAG}"):
            time.sleep(0.7)
        return False

    airflow.faults = slow
    story = story_of(double)
    story.register()
    story.arrive()
    began = time.monotonic()
    story.work()

    assert time.monotonic() - began < 3
    # Together they took longer: the DAG run was not asked for, and so is asked for later.
    assert posted(double) == []
    assert story.run() == "launching"


def test_a_run_that_airflow_forgets_is_lost_when_patience_ends(
    story_of: Tell, airflow: Airflow, double: HttpDouble
) -> None:
    story = story_of(double)
    story.register()
    story.arrive()
    story.work()
    airflow.runs.clear()
    story.pass_time(11)
    story.work()
    assert story.run() == "running"
    story.pass_time(301)
    story.work()

    assert (story.run(), len(posted(double))) == ("lost", 1)


def ask_to_stop(story: Any, url: str) -> None:
    with connect(url) as connection:
        (run,) = connection.execute(
            "SELECT id FROM pipeline_run ORDER BY number DESC LIMIT 1"
        ).fetchone() or (None,)
    advancing.stop(story.context, AttemptKey(run, 1), "cancelled by ada")


def test_a_cancel_whose_first_request_was_never_answered_ends_what_airflow_has(
    story_of: Tell, airflow: Airflow, double: HttpDouble, database_url: str
) -> None:
    lose_answers(airflow, 1)
    story = story_of(double)
    story.register()
    story.arrive()
    story.work()
    ask_to_stop(story, database_url)
    story.work()

    assert [run["state"] for run in airflow.runs.values()] == ["failed"]
    assert len(posted(double)) == 1
    assert story.run() == "cancelled"


def test_a_run_that_succeeded_before_the_cancel_arrived_stays_so(
    story_of: Tell, airflow: Airflow, double: HttpDouble, database_url: str
) -> None:
    story = story_of(double)
    story.register()
    story.arrive()
    story.work()
    airflow.end("success")
    ask_to_stop(story, database_url)
    story.work()

    assert [run["state"] for run in airflow.runs.values()] == ["success"]
    assert "PATCH" not in " ".join(calls(double))
    assert story.run() == "succeeded"


def test_a_dag_that_is_paused_is_waited_for_and_that_is_told(
    story_of: Tell, airflow: Airflow, double: HttpDouble
) -> None:
    airflow.paused = True
    story = story_of(double)
    story.register(timeout="1h")
    story.arrive()
    story.work()
    assert (story.run(), posted(double)) == ("launching", [])
    assert "the DAG orders is paused in Airflow" in story.attempt("told")
    story.pass_time(3700)
    story.work()

    assert story.run() == "timed_out"
    assert "never accepted; the DAG orders is paused in Airflow" in story.run("reason")
