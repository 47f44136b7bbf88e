"""Answers that are lost after the engine may have accepted: nothing starts twice, and nothing is claimed to be known.

The engine is a double on this machine.
"""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from hooks.engines import advancing
from hooks.jobs import AttemptKey
from tests.support.engine_work import Book, EngineStory, Tell, engine_double, polled, telling
from tests.support.http_double import Heard, Reply
from tests.support.spine import connect


@pytest.fixture
def story_of(database_url: str, engine: Database, tmp_path: Path) -> Iterator[Tell]:
    with telling(database_url, engine, tmp_path) as tell:
        yield tell


class Losing:
    """An engine that accepts what is posted and whose first answers to it get lost."""

    def __init__(self, book: Book, *, times: int) -> None:
        self.methods: list[str] = []
        self._book = book
        self._times = times

    def __call__(self, heard: Heard, reply: Reply) -> None:
        lost = heard.method == "POST" and self.methods.count("POST") < self._times
        self.methods.append(heard.method)
        if lost:
            self._book.accept(heard.path.rsplit("/", 1)[1], heard.headers["Idempotency-Key"])
        else:
            self._book.answer(heard, reply)


def test_a_lost_answer_is_lost_where_nothing_can_be_asked(story_of: Tell) -> None:
    book = Book()
    manners = Losing(book, times=1)
    with engine_double(manners) as double:
        poll = {"url": "location", "state": "$.state", "succeeded": ["DONE"], "failed": ["BAD"]}
        story = story_of(url=f"{double.url}/runs/${{run.id}}", poll=poll)
        story.register()
        story.arrive()
        story.work()

    assert story.states()[-1] == "lost"
    assert manners.methods == ["POST"]


def test_a_lost_answer_is_no_reason_to_start_twice_where_keys_are_honoured(story_of: Tell) -> None:
    book = Book()
    manners = Losing(book, times=2)
    with engine_double(manners) as double:
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
    assert manners.methods[:3] == ["POST"] * 3
    assert len({heard.headers["Idempotency-Key"] for heard in double.heard if heard.method == "POST"}) == 1


def test_a_lost_answer_is_settled_by_asking_for_the_run(story_of: Tell) -> None:
    book = Book()
    manners = Losing(book, times=1)
    with engine_double(manners) as double:
        # Nothing is said of `absent`: an engine that has the run says so all the same.
        story = story_of(**polled(double))
        story.register()
        story.arrive()
        story.work()
        story.pass_time(2)
        story.work()
        assert story.run() == "running"

    assert manners.methods == ["POST", "GET"]
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
        # The job that the dead worker held is done again, and leaves it alone as long as it may be alive;
        # so does the job that takes over, should it come early.
        story.work()
        early = {"run_id": str(run), "attempt": 1, "epoch": story.attempt("epoch")}
        asyncio.run(story.do("headwater.engine.advance", early))
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


def test_jobs_that_are_done_again_send_nothing_again(story_of: Tell) -> None:
    book = Book()
    with engine_double(book) as double:
        story = story_of(**polled(double))
        story.register()
        run = story.arrive()
        # The first worker dies right after it claimed, the second after it did the job and before it said so.
        advancing._claim(story.context, [AttemptKey(run, 1)])
        story.work_one(keep=True)
        story.work_one(keep=True)
        assert story.run() == "running"
        asyncio.run(story.do("headwater.engine.advance", {"run_id": str(run), "attempt": 1, "epoch": 0}))
        asyncio.run(story.do("headwater.engine.advance", {"run_id": str(run), "attempt": 1, "epoch": 1}))

    assert [heard.method for heard in double.heard] == ["POST"]


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
    assert (story.attempt("phase"), story.attempt("told")) == ("ended", "")
    assert len(double.heard) == 1
