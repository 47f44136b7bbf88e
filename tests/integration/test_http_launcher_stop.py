"""Runs at an engine that are cancelled or take too long.

The engine is a double on this machine.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from catalog.facts import FactKind, command
from tests.support.engine_work import Book, EngineStory, Tell, engine_double, polled, telling
from tests.support.http_double import Heard, Reply
from tests.support.spine import append


@pytest.fixture
def story_of(database_url: str, engine: Database, tmp_path: Path) -> Iterator[Tell]:
    with telling(database_url, engine, tmp_path) as tell:
        yield tell


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
