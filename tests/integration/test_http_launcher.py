"""Runs that are started by a request: a double of an outside engine on this machine hears and answers them."""

import asyncio
import datetime as dt
import email.utils
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine as Database

from catalog.facts import FactKind, command
from hooks.launchers.http import HttpLauncher
from hooks.outbound import OutboundClient, OutboundPolicy
from tests.support.engine_work import EngineStory
from tests.support.http_double import Heard, HttpDouble, Manners, Reply, http_double
from tests.support.processes import free_port
from tests.support.spine import append, connect

SECRET = "s3cr3t-of-the-engine"


class Book:
    """An engine's memory: what it accepted by idempotency key, and the state of each run by its path."""

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        self.starts: list[str] = []

    def accept(self, run: str, key: str) -> None:
        if run not in self.runs:
            self.starts.append(key)
            self.runs[run] = "RUNNING"

    def answer(self, heard: Heard, reply: Reply) -> None:
        run = heard.path.split("?")[0].rsplit("/", 1)[1]
        if heard.method == "POST":
            self.accept(run, heard.headers["Idempotency-Key"])
            reply.send(202, {"id": run}, Location=f"/runs/{run}")
        elif run not in self.runs:
            reply.send(404, {"error": "no such run"})
        elif heard.method == "DELETE":
            self.runs[run] = "KILLED"
            reply.send(202)
        else:
            reply.send(200, {"state": self.runs[run], "why": "as it was told"})


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url) as found:
        yield found


Tell = Callable[..., EngineStory]


@pytest.fixture
def story_of(connection: psycopg.Connection[Any], engine: Database, tmp_path: Path) -> Iterator[Tell]:
    clients: list[OutboundClient] = []

    def tell(**http: Any) -> EngineStory:
        client = OutboundClient(OutboundPolicy(allow_loopback=True))
        clients.append(client)
        launcher = HttpLauncher(client, secrets_folder=tmp_path, now=lambda: dt.datetime.now(dt.UTC))
        http = {"timeouts": {"answer": "1s", "unreachable": "5m"}, **http}
        return EngineStory(connection, engine, launcher, **http)

    yield tell
    for client in clients:
        asyncio.run(client.aclose())


@contextmanager
def engine_double(manners: Manners | Book) -> Iterator[HttpDouble]:
    with http_double(manners.answer if isinstance(manners, Book) else manners) as double:
        yield double


def polled(double: HttpDouble, **poll: Any) -> dict[str, Any]:
    """Return the launcher of an engine that is asked by the run's id."""
    return {
        "url": f"{double.url}/runs/${{run.id}}",
        "poll": {
            "url": f"{double.url}/runs/${{run.id}}",
            "state": "$.state",
            "succeeded": ["DONE"],
            "failed": ["FAILED", "KILLED"],
            "reason": "$.why",
            **poll,
        },
    }


def test_a_run_without_poll_ends_with_the_answer(story_of: Tell) -> None:
    with engine_double(lambda _, reply: reply.send(200, {"done": True})) as double:
        story = story_of(url=f"{double.url}/jobs/nightly?partition=${{version.partition}}")
        story.register()
        run = story.arrive(partition="2024/01 & more", rows=5)
        story.work()

    assert story.states() == ["pending", "queued", "launching", "running", "succeeded"]
    assert story.run("reason") == f"{double.url} answered 200"
    assert story.run("exit_code") is None
    [heard] = double.heard
    assert (heard.method, heard.path) == ("POST", "/jobs/nightly?partition=2024%2F01%20%26%20more")
    assert heard.json["run"] == str(run)
    assert heard.json["attempt"] == 1
    assert heard.json["pipeline"] == "p"
    [version] = heard.json["versions"]
    assert (version["dataset"], version["rows"]) == ({"namespace": "ns", "name": "a"}, 5)
    assert uuid.UUID(heard.headers["Idempotency-Key"]).version == 5
    assert heard.headers["Content-Type"] == "application/json"
    assert story.waits() is None


def test_a_body_is_what_the_document_says(story_of: Tell) -> None:
    with engine_double(lambda _, reply: reply.send(201)) as double:
        body = {
            "n": "${run.number}",
            "text": "run ${run.number}: ${version.partition}",
            "all": "${trigger.versions}",
        }
        story = story_of(
            url=double.url, body=body, method="PUT", headers={"X-Run": "${pipeline}/${run.number}"}
        )
        story.register()
        story.arrive(partition='", "admin": true, "x": "')
        story.work()

    [heard] = double.heard
    assert heard.method == "PUT"
    assert heard.headers["X-Run"] == "p/1"
    assert heard.json["n"] == 1
    assert heard.json["text"] == 'run 1: ", "admin": true, "x": "'
    assert len(heard.json["all"]) == 1
    assert set(heard.json) == {"n", "text", "all"}


def test_a_cloud_event_is_one(story_of: Tell) -> None:
    with engine_double(lambda _, reply: reply.send(204)) as double:
        story = story_of(url=double.url, format="cloudevents", body={"number": "${run.number}"})
        story.register()
        run = story.arrive()
        story.work()

    [heard] = double.heard
    assert heard.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    event = heard.json
    assert event["specversion"] == "1.0"
    assert event["id"] == heard.headers["Idempotency-Key"]
    assert event["source"] == "http://headwater.example/pipelines/p"
    assert event["type"] == "headwater.pipeline_run.due"
    assert event["subject"] == str(run)
    assert event["data"] == {"number": 1}
    # Names of attributes are lower-case letters and digits (CloudEvents 1.0.2, section 3).
    assert all(name.isalnum() and name == name.lower() for name in event)
    assert story.run() == "succeeded"


def test_a_run_is_asked_until_it_has_ended(story_of: Tell) -> None:
    book = Book()
    with engine_double(book) as double:
        story = story_of(**polled(double, interval="10s"))
        story.register()
        run = str(story.arrive())
        story.work()
        assert story.run() == "running"
        assert story.run("reason") == f"attempt 1 started on {double.url}"
        wait = story.waits()
        assert wait is not None
        assert 5 < wait <= 10
        # Not before its time.
        assert story.work() == 0
        story.pass_time(10)
        story.work()
        assert (story.run(), len(double.heard)) == ("running", 2)
        book.runs[run] = "DONE"
        story.pass_time(10)
        story.work()

    assert (story.run(), story.run("reason")) == ("succeeded", "state DONE: as it was told")
    assert [heard.method for heard in double.heard] == ["POST", "GET", "GET"]
    assert story.attempt("handle") is None
    assert story.waits() is None


def test_a_run_that_failed_is_tried_again_as_the_policy_says(story_of: Tell) -> None:
    book = Book()
    with engine_double(book) as double:
        story = story_of(**polled(double))
        story.register(retries={"count": 1, "backoff": {"initial": "1s", "maximum": "1s"}})
        run = str(story.arrive())
        story.work()
        book.runs[run] = "FAILED"
        story.pass_time(11)
        story.work()
        assert story.run() == "retrying"
        book.runs.clear()
        story.pass_time(11)
        story.work()
        assert (story.run(), story.run("attempt")) == ("running", 2)
    # Another attempt is another start, under another key.
    assert len(set(book.starts)) == 2


@pytest.mark.parametrize(
    ("url", "answer"),
    [("location", {}), ("$.links['status']", {}), ("/${answer.id}", {"id": "$.number"})],
)
def test_the_status_url_may_come_from_the_answer(story_of: Tell, url: str, answer: dict[str, str]) -> None:
    def manners(heard: Heard, reply: Reply) -> None:
        if heard.method == "POST":
            reply.send(202, {"number": 7, "links": {"status": "/status/7"}}, Location="/status/7")
        else:
            reply.send(200, {"state": "DONE"})

    with engine_double(manners) as double:
        where = f"{double.url}/status{url}" if answer else url
        poll = {"url": where, "state": "$.state", "succeeded": ["DONE"], "failed": ["BAD"]}
        story = story_of(url=double.url, poll=poll, answer=answer)
        story.register()
        story.arrive()
        story.work()
        story.pass_time(10)
        story.work()

    assert double.heard[-1].path == "/status/7"
    assert story.run() == "succeeded"


@pytest.mark.parametrize(
    ("state", "expected"),
    [(True, "succeeded"), (1, "running"), ("true", "running"), (False, "failed"), (0, "running")],
)
def test_states_are_compared_as_json_has_them(story_of: Tell, state: Any, expected: str) -> None:
    def manners(heard: Heard, reply: Reply) -> None:
        reply.send(200, {"state": state} if heard.method == "GET" else {})

    with engine_double(manners) as double:
        story = story_of(**polled(double, succeeded=[True], failed=[False]))
        story.register()
        story.arrive()
        story.work()
        story.pass_time(10)
        story.work()

    assert story.run() == expected


def test_a_refusal_is_a_failed_attempt_that_never_ran(story_of: Tell) -> None:
    with engine_double(lambda _, reply: reply.send(422, {"detail": "no such job"})) as double:
        story = story_of(url=double.url)
        story.register()
        story.arrive()
        story.work()

    assert story.states() == ["pending", "queued", "launching", "failed"]
    assert story.run("reason") == f"{double.url} answered 422"
    assert "no such job" in story.attempt("told")


@pytest.mark.parametrize(("status", "expected"), [(409, "succeeded"), (200, "failed")])
def test_the_document_says_which_statuses_are_good(story_of: Tell, status: int, expected: str) -> None:
    with engine_double(lambda _, reply: reply.send(status)) as double:
        story = story_of(url=double.url, success=[409])
        story.register()
        story.arrive()
        story.work()

    assert story.run() == expected


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_an_engine_that_asks_to_wait_is_waited_for(story_of: Tell, status: int, form: str) -> None:
    def manners(_: Heard, reply: Reply) -> None:
        if len(double.heard) < 3:
            date = email.utils.formatdate(time.time() + 120, usegmt=True)
            after = "120" if form == "seconds" else date
            reply.send(status, Retry_After=after)
        else:
            reply.send(200)

    with engine_double(manners) as double:
        story = story_of(url=double.url)
        story.register()
        story.arrive()
        for number in (1, 2):
            story.work()
            assert len(double.heard) == number
            assert story.run() == "launching"
            wait = story.waits()
            assert wait is not None
            assert 110 < wait <= 132
            story.pass_time(133)
        story.work()

    assert (story.run(), story.run("attempt")) == ("succeeded", 1)
    assert len({heard.headers["Idempotency-Key"] for heard in double.heard}) == 1


def test_who_asks_to_wait_is_waited_for_no_longer_than_the_timeout(story_of: Tell) -> None:
    with engine_double(lambda _, reply: reply.send(429, Retry_After="86400")) as double:
        story = story_of(url=double.url)
        story.register(timeout="10m")
        story.arrive()
        story.work()
        wait = story.waits()
        assert wait is not None
        assert wait <= 600
        story.pass_time(601)
        story.work()

    assert story.run() == "timed_out"
    assert "it was never accepted; the engine asked to come back later" in story.run("reason")
    assert len(double.heard) == 1


def test_too_many_requests_without_a_time_are_put_off_ever_longer(story_of: Tell) -> None:
    with engine_double(lambda _, reply: reply.send(429)) as double:
        story = story_of(url=double.url)
        story.register()
        story.arrive()
        waits = []
        for _ in range(4):
            story.work()
            waits.append(story.waits() or 0)
            story.pass_time(70)
        assert [round(wait / 1.06) for wait in waits] == [1, 2, 4, 8]
        assert story.run() == "launching"
        assert len(double.heard) == 4


def test_an_engine_that_is_not_there_is_tried_again_and_then_given_up(story_of: Tell) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    story = story_of(url=url)
    story.register()
    story.arrive()
    story.work()
    assert story.run() == "launching"
    wait = story.waits()
    assert wait is not None
    assert wait <= 1.2
    story.pass_time(301)
    story.work()

    assert story.states() == ["pending", "queued", "launching", "failed"]
    assert url.rstrip("/") in story.run("reason")


def test_an_engine_that_comes_back_gets_the_run_once(story_of: Tell) -> None:
    port = free_port()
    story = story_of(url=f"http://127.0.0.1:{port}/")
    story.register()
    story.arrive()
    story.work()
    heard = []
    with http_double(lambda found, reply: (heard.append(found), reply.send(200))[1], port=port):
        story.pass_time(2)
        story.work()

    assert len(heard) == 1
    assert story.run() == "succeeded"


def losing(book: Book, *, times: int) -> Manners:
    """Accept what is posted and let so many of the answers get lost."""

    def manners(heard: Heard, reply: Reply) -> None:
        if heard.method == "POST" and sum(1 for found in double_heard(book) if found == "POST") < times:
            book.accept(heard.path.rsplit("/", 1)[1], heard.headers["Idempotency-Key"])
            book.methods.append("POST")
            return
        book.methods.append(heard.method)
        book.answer(heard, reply)

    book.methods = []
    return manners


def double_heard(book: Any) -> list[str]:
    return book.methods


def test_a_lost_answer_is_lost_where_nothing_can_be_asked(story_of: Tell) -> None:
    book = Book()
    with engine_double(losing(book, times=1)) as double:
        poll = {"url": "location", "state": "$.state", "succeeded": ["DONE"], "failed": ["BAD"]}
        story = story_of(url=f"{double.url}/runs/${{run.id}}", poll=poll)
        story.register()
        story.arrive()
        story.work()

    assert story.states()[-1] == "lost"
    assert book.methods == ["POST"]


def test_a_lost_answer_is_no_reason_to_start_twice_where_keys_are_honoured(story_of: Tell) -> None:
    book = Book()
    with engine_double(losing(book, times=2)) as double:
        spec = polled(double) | {"idempotency": {"honoured": True}}
        del spec["poll"]["url"]
        spec["poll"]["url"] = "location"
        story = story_of(**spec)
        story.register()
        run = str(story.arrive())
        for _ in range(3):
            story.work()
            story.pass_time(3)
        assert story.run() == "running"
        book.runs[run] = "DONE"
        story.pass_time(11)
        story.work()

    assert story.run() == "succeeded"
    assert len(book.starts) == 1
    assert book.methods[:3] == ["POST"] * 3
    assert len({heard.headers["Idempotency-Key"] for heard in double.heard if heard.method == "POST"}) == 1


def test_a_lost_answer_is_settled_by_asking_for_the_run(story_of: Tell) -> None:
    book = Book()
    with engine_double(losing(book, times=1)) as double:
        # Nothing is said of `absent`: an engine that has the run says so all the same.
        story = story_of(**polled(double))
        story.register()
        story.arrive()
        story.work()
        story.pass_time(2)
        story.work()
        assert story.run() == "running"

    assert book.methods == ["POST", "GET"]
    assert len(book.starts) == 1


@pytest.mark.parametrize("absent", [[404], []])
def test_a_request_that_never_arrived_is_sent_again_where_the_engine_says_so(
    story_of: Tell, absent: list[int]
) -> None:
    book = Book()
    dropped = []

    def manners(heard: Heard, reply: Reply) -> None:
        if heard.method == "POST" and not dropped:
            dropped.append(heard)  # And forgotten: the connection closes without an answer.
        else:
            book.answer(heard, reply)

    with engine_double(manners) as double:
        story = story_of(**polled(double, absent=absent))
        story.register()
        story.arrive()
        for _ in range(12):
            story.work()
            story.pass_time(40)

    methods = [heard.method for heard in double.heard]
    if absent:
        assert methods[:3] == ["POST", "GET", "POST"]
        assert len(book.starts) == 1
        assert story.run() == "running"
    else:
        assert methods.count("POST") == 1
        assert story.run() == "lost"
        assert story.run("reason") == "the engine does not know the attempt"


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_knows_nothing(story_of: Tell, status: int) -> None:
    with engine_double(lambda _, reply: reply.send(status)) as double:
        story = story_of(url=double.url)
        story.register()
        story.arrive()
        story.work()

    assert story.run() == "lost"
    assert f"answered {status}: the engine may have the attempt" in story.run("reason")


def test_a_worker_that_dies_while_it_sends_leaves_the_run_to_another(story_of: Tell) -> None:
    book = Book()
    with engine_double(book) as double:
        story = story_of(**polled(double))
        story.register()
        run = story.arrive()
        # The worker dies after it said that it sends: nobody knows whether it did.
        die_in_step(story)
        assert (story.attempt("phase"), story.run()) == ("sending", "launching")
        book.accept(str(run), "from the dead worker")
        # The job that the dead worker held is done again, and leaves it alone as long as it may be alive.
        story.work()
        assert double.heard == []
        story.pass_time(7)
        story.work()
        assert story.run() == "running"

    assert [heard.method for heard in double.heard] == ["GET"]
    assert book.starts == ["from the dead worker"]


class Death(BaseException):
    """The worker is gone."""


def die_in_step(story: EngineStory) -> None:
    """Do the next job up to where the engine is asked, and no further; it stays in the queue."""
    real = story.context.engines["http"]

    class Dying:
        def traits(self, attempt: Any) -> Any:
            return real.traits(attempt)

        async def send(self, attempt: Any, **details: Any) -> Any:
            raise Death(attempt, details)

        ask = cancel = send

    story.context.engines["http"] = Dying()  # type: ignore[index]
    with pytest.raises(Death):
        story.work_one(keep=True)
    story.context.engines["http"] = real  # type: ignore[index]
    story.follow()


def test_an_answer_that_comes_too_late_changes_nothing(story_of: Tell) -> None:
    asked = threading.Event()
    go_on = threading.Event()

    def slow(_: Heard, reply: Reply) -> None:
        asked.set()
        go_on.wait(10)
        reply.send(200)

    with engine_double(slow) as double:
        story = story_of(url=double.url, timeouts={"answer": "20s"})
        story.register()
        story.arrive()
        worker = threading.Thread(target=story.work_one, kwargs={"keep": True})
        worker.start()
        assert asked.wait(10)
        with connect(story.context.database.url.render_as_string(hide_password=False)) as other:
            other.execute("UPDATE engine_attempt SET busy_until = clock_timestamp() - interval '1 s'")
            other.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE args ? 'epoch'")
            row = other.execute("SELECT args FROM procrastinate_jobs WHERE args ? 'epoch'").fetchone()
            assert row is not None
            # Another worker takes over while the first still waits.
            asyncio.run(story.do("headwater.engine.advance", row[0]))
        go_on.set()
        worker.join()
        story.work()

    assert story.run() == "lost"
    assert story.attempt("phase") == "ended"
    assert len(double.heard) == 1


def cancel(story: EngineStory) -> None:
    append(
        story.connection,
        [command(FactKind.RUN_CANCEL, {"reason": "not wanted"}, actor="alice", run_id=story.run("id"))],
    )
    story.follow()


def test_a_cancelled_run_is_ended_at_the_engine(story_of: Tell) -> None:
    book = Book()
    with engine_double(book) as double:
        spec = polled(double, failed=["FAILED"]) | {
            "cancel": {"method": "DELETE", "url": f"{double.url}/runs/${{run.id}}"}
        }
        story = story_of(**spec)
        story.register()
        story.arrive()
        story.work()
        cancel(story)
        story.work()

    assert [heard.method for heard in double.heard] == ["POST", "DELETE", "GET"]
    assert (story.run(), story.run("reason")) == ("cancelled", "not wanted")


def test_a_run_that_had_ended_before_it_was_cancelled_has_its_own_outcome(story_of: Tell) -> None:
    book = Book()

    def manners(heard: Heard, reply: Reply) -> None:
        if heard.method == "DELETE":
            reply.send(409, {"error": "it has ended"})
        else:
            book.answer(heard, reply)

    with engine_double(manners) as double:
        spec = polled(double) | {"cancel": {"method": "DELETE", "url": f"{double.url}/runs/${{run.id}}"}}
        story = story_of(**spec)
        story.register()
        run = str(story.arrive())
        story.work()
        book.runs[run] = "DONE"
        cancel(story)
        story.work()

    assert story.run() == "succeeded"


def test_a_run_that_cannot_be_ended_at_the_engine_says_so(story_of: Tell) -> None:
    with engine_double(Book()) as double:
        story = story_of(**polled(double))
        story.register()
        story.arrive()
        story.work()
        cancel(story)
        story.work()

    assert story.run() == "cancelled"
    assert story.run("reason") == "not wanted; the engine was not told: the document names no `cancel`"


def test_a_run_that_waits_for_its_engine_can_be_cancelled(story_of: Tell) -> None:
    with engine_double(lambda _, reply: reply.send(429, Retry_After="3600")) as double:
        story = story_of(url=double.url)
        story.register()
        story.arrive()
        story.work()
        cancel(story)
        story.work()

    assert story.run() == "cancelled"
    assert len(double.heard) == 1


def test_a_run_that_takes_too_long_is_ended(story_of: Tell) -> None:
    book = Book()
    with engine_double(book) as double:
        spec = polled(double, interval="1h") | {
            "cancel": {"method": "DELETE", "url": f"{double.url}/runs/${{run.id}}"}
        }
        story = story_of(**spec)
        story.register(timeout="30m")
        story.arrive()
        story.work()
        story.pass_time(1801)
        story.work()

    assert [heard.method for heard in double.heard] == ["POST", "DELETE", "GET"]
    # The engine says that it was killed, because it was told to.
    assert story.run() == "timed_out"
    assert "the attempt had not ended at" in story.run("reason")


def test_an_engine_that_falls_silent_is_asked_until_the_timeout(story_of: Tell) -> None:
    with engine_double(Book()) as double:
        story = story_of(**polled(double))
        story.register(timeout="1h")
        story.arrive()
        story.work()
    for _ in range(8):
        story.pass_time(500)
        story.work()

    assert story.run() == "lost"
    assert "the engine could not be asked any more" in story.run("reason")


def test_an_engine_that_forgets_a_run_loses_it(story_of: Tell) -> None:
    book = Book()
    with engine_double(book) as double:
        story = story_of(**polled(double, absent=[404]))
        story.register()
        story.arrive()
        story.work()
        book.runs.clear()
        story.pass_time(11)
        story.work()
        # It may have been away for a moment.
        assert story.run() == "running"
        for _ in range(6):
            story.pass_time(70)
            story.work()

    assert story.run() == "lost"
    assert [heard.method for heard in double.heard].count("POST") == 1


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"[" * 5000, b'{"state": NaN}', b"{}", b'{"state": {"a": 1}}', b"x" * (2 << 20), b"\xff\xfe"],
)
def test_an_answer_that_says_nothing_is_no_end(story_of: Tell, answer: bytes) -> None:
    def manners(heard: Heard, reply: Reply) -> None:
        reply.send(200, answer if heard.method == "GET" else b"")

    with engine_double(manners) as double:
        story = story_of(**polled(double))
        story.register()
        story.arrive()
        story.work()
        story.pass_time(11)
        story.work()

    assert story.run() == "running"
    assert len(double.heard) == 2


def test_a_secret_goes_to_the_engine_and_nowhere_else(
    story_of: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_SECRET_ENGINE", SECRET)
    (tmp_path / "other").write_text(f"{SECRET}-2\n")

    def echo(heard: Heard, reply: Reply) -> None:
        # An engine that sends back what it was told.
        if heard.method == "POST":
            reply.send(202, {"headers": heard.headers})
        else:
            reply.send(200, {"state": "FAILED", "why": f"bad token {SECRET}, {heard.headers}"})

    headers = {
        "Authorization": {"secret": "env:HEADWATER_SECRET_ENGINE", "prefix": "Bearer "},
        "X-Other": {"secret": "file:other"},
    }
    with engine_double(echo) as double:
        story = story_of(**polled(double), headers=headers)
        story.register()
        story.arrive()
        story.work()
        assert "[redacted]" in story.attempt("told")
        story.pass_time(11)
        story.work()

    for heard in double.heard:
        assert heard.headers["Authorization"] == f"Bearer {SECRET}"
        assert heard.headers["X-Other"] == f"{SECRET}-2"
    assert story.run() == "failed"
    assert "bad token [redacted]" in story.run("reason")
    assert SECRET not in dump(story.connection)


def dump(connection: psycopg.Connection[Any]) -> str:
    """Return everything that the database holds as text."""
    tables = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'fact%'"
    ).fetchall()
    rows = [connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in tables]  # noqa: S608 - its own
    import zlib

    facts = [zlib.decompress(body) for (body,) in connection.execute("SELECT body FROM fact").fetchall()]
    return repr(rows) + repr(facts)


@pytest.mark.parametrize(
    ("value", "reason"), [(None, "not in the worker's environment"), ("a\nb", "cannot stand")]
)
def test_without_its_secret_nothing_is_sent(
    story_of: Tell, monkeypatch: pytest.MonkeyPatch, value: str | None, reason: str
) -> None:
    if value is not None:
        monkeypatch.setenv("HEADWATER_SECRET_ENGINE", value)
    with engine_double(lambda _, reply: reply.send(200)) as double:
        story = story_of(url=double.url, headers={"A": {"secret": "env:HEADWATER_SECRET_ENGINE"}})
        story.register()
        story.arrive()
        story.work()

    assert double.heard == []
    assert story.run() == "failed"
    assert reason in story.run("reason")
    assert "a\nb" not in story.run("reason")


def test_a_status_url_leads_no_secret_to_another_server(
    story_of: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_SECRET_ENGINE", SECRET)
    with (
        engine_double(lambda _, reply: reply.send(200, {"state": "DONE"})) as other,
        engine_double(lambda _, reply: reply.send(202, Location=f"{other.url}/x?sig=hush")) as double,
    ):
        spec = polled(double, url="location")
        story = story_of(**spec, headers={"Authorization": {"secret": "env:HEADWATER_SECRET_ENGINE"}})
        story.register()
        story.arrive()
        story.work()
        story.pass_time(11)
        story.work()

    assert story.run() == "succeeded"
    assert other.heard[0].path == "/x?sig=hush"
    assert "Authorization" not in other.heard[0].headers
    # What the engine's own URL holds is forgotten with the end.
    assert "hush" not in dump(story.connection)


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/meta-data", "http://[::ffff:169.254.169.254]/", "file:///etc/passwd"],
)
def test_a_status_url_may_not_lead_astray(story_of: Tell, location: str) -> None:
    with engine_double(lambda _, reply: reply.send(202, Location=location)) as double:
        story = story_of(**polled(double, url="location"))
        story.register()
        story.arrive()
        for _ in range(8):
            story.work()
            story.pass_time(61)

    assert story.run() == "lost"
    assert len(double.heard) == 1


def test_a_forbidden_engine_is_refused_at_once(story_of: Tell) -> None:
    story = story_of(url="http://169.254.169.254/latest/meta-data")
    story.register()
    story.arrive()
    story.work()

    assert story.run() == "failed"
    assert "metadata" in story.run("reason")


def test_a_value_that_would_leave_its_place_is_refused(story_of: Tell) -> None:
    with engine_double(lambda _, reply: reply.send(200)) as double:
        story = story_of(url=f"{double.url}/jobs/${{version.partition}}/run")
        story.register()
        story.arrive(partition="..")
        story.work()

    assert double.heard == []
    assert story.run() == "failed"
    assert "a part of the path" in story.run("reason")


def test_many_runs_are_started_beside_each_other(story_of: Tell) -> None:
    release = threading.Barrier(8)

    def together(_: Heard, reply: Reply) -> None:
        # Nobody is answered before all have asked.
        release.wait(10)
        reply.send(200)

    with engine_double(together) as double:
        story = story_of(url=double.url, timeouts={"answer": "10s"})
        story.register(concurrency=8)
        reports = [story.arrive for _ in range(8)]
        for report in reports:
            report()
        jobs = story.connection.execute(
            "SELECT task_name, args FROM procrastinate_jobs WHERE queue_name = 'host:engine'"
        ).fetchall()

        async def at_once() -> None:
            await asyncio.gather(*[story.do(task, arguments) for task, arguments in jobs])

        asyncio.run(at_once())
        story.follow()
        assert len(double.heard) == 8

    states = story.connection.execute("SELECT DISTINCT state FROM pipeline_run").fetchall()
    assert states == [("succeeded",)]
    assert len({json.loads(heard.body)["run"] for heard in double.heard}) == 8
