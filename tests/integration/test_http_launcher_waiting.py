"""Engines that ask to wait, are not there, fall silent, forget, or say nothing that can be understood.

The engine is a double on this machine.
"""

import email.utils
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from catalog.facts import FactKind, command
from tests.support.engine_work import Book, Tell, engine_double, polled, telling
from tests.support.http_double import Heard, Reply, http_double
from tests.support.processes import free_port
from tests.support.spine import append


@pytest.fixture
def story_of(database_url: str, engine: Database, tmp_path: Path) -> Iterator[Tell]:
    with telling(database_url, engine, tmp_path) as tell:
        yield tell


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


def test_an_attempt_that_waits_is_not_sent_while_everything_is_paused(story_of: Tell) -> None:
    with engine_double(lambda _, reply: reply.send(429, Retry_After="5")) as double:
        story = story_of(url=double.url)
        story.register()
        story.arrive()
        story.work()
        append(story.connection, [command(FactKind.PIPELINES_PAUSE, {"reason": "stop"}, actor="ada")])
        story.follow()
        story.pass_time(6)
        story.work()
        assert len(double.heard) == 1
        append(story.connection, [command(FactKind.PIPELINES_RESUME, {}, actor="ada")])
        story.follow()
        story.pass_time(6)
        story.work()
        assert len(double.heard) == 2


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
