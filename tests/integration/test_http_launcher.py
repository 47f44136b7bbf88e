"""Runs that are started by a request: what is sent, and what the engine's answers make of them.

The engine is a double on this machine.
"""

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from tests.support.engine_work import Book, Tell, engine_double, polled, telling
from tests.support.http_double import Heard, Reply


@pytest.fixture
def story_of(database_url: str, engine: Database, tmp_path: Path) -> Iterator[Tell]:
    with telling(database_url, engine, tmp_path) as tell:
        yield tell


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
    # Another attempt is another start, under another key, for the same reason.
    assert len(set(book.starts)) == 2
    reasons = {heard.json["reason"] for heard in double.heard if heard.method == "POST"}
    assert len(reasons) == 1
    assert reasons.pop().startswith("due: version ")


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
