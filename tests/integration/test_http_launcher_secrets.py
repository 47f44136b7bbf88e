"""What may leave Headwater in a request, and where it may go: secrets, addresses, values.

The engine is a double on this machine.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine as Database

from hooks.engines.told import LONGEST_TOLD
from tests.support.engine_work import Tell, engine_double, polled, telling
from tests.support.http_double import Heard, Reply, TwoZones, http_double


@pytest.fixture
def story_of(database_url: str, engine: Database, tmp_path: Path) -> Iterator[Tell]:
    with telling(database_url, engine, tmp_path) as tell:
        yield tell


SECRET = "s3cr3t-of-the-engine"


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


def test_no_part_of_a_secret_is_kept_where_an_answer_is_cut(
    story_of: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_SECRET_ENGINE", SECRET)

    def echo(_: Heard, reply: Reply) -> None:
        # The answer has more bytes than characters are kept, and the secret lies where so many bytes end.
        filled = "é" * ((LONGEST_TOLD - len(SECRET) + 4) // 2)
        reply.send(500, f"{filled}{SECRET} is refused".encode())

    with engine_double(echo) as double:
        story = story_of(url=double.url, headers={"A": {"secret": "env:HEADWATER_SECRET_ENGINE"}})
        story.register()
        story.arrive()
        story.work()

    assert story.run() == "failed"
    assert "[redacted] is refused" in story.attempt("told")
    assert SECRET[:8] not in dump(story.connection)


def test_a_secret_in_what_is_no_answer_is_not_kept(story_of: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_SECRET_ENGINE", SECRET)

    def echo(heard: Heard, reply: Reply) -> None:
        # Whatever stands where a status line should be is told as the fault.
        reply.raw(f"{heard.headers['A']}\r\n\r\n".encode())

    with engine_double(echo) as double:
        headers = {"A": {"secret": "env:HEADWATER_SECRET_ENGINE"}}
        story = story_of(**polled(double), headers=headers)
        story.register()
        story.arrive()
        for _ in range(3):
            story.work()
            story.pass_time(61)

    assert {heard.method for heard in double.heard} == {"POST", "GET"}
    assert SECRET not in dump(story.connection)


def dump(connection: psycopg.Connection[Any]) -> str:
    """Return everything that the database holds as text."""
    tables = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'fact%'"
    ).fetchall()
    rows = [connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in tables]  # noqa: S608 - its own
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


@pytest.mark.parametrize("way", ["location", "$.status"])
def test_an_engine_may_not_lead_nearer(story_of: Tell, way: str) -> None:
    with http_double(lambda _, reply: reply.send(200, {"state": "DONE"}), host="127.0.0.2") as near:

        def lead(_: Heard, reply: Reply) -> None:
            reply.send(202, {"status": near.url}, Location=near.url)

        with engine_double(lead) as double:
            story = story_of(TwoZones(allow_loopback=True), **polled(double, url=way))
            story.register()
            story.arrive()
            for _ in range(8):
                story.work()
                story.pass_time(61)

    assert story.run() == "lost"
    assert "nearer than the server that led there" in story.run("reason")
    assert near.heard == []


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
