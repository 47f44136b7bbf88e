"""Somebody holds the append lock and is frozen: senders are told soon, readiness says so, nothing is lost."""

import asyncio
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import Engine

from catalog.errors import DatabaseUnavailable
from catalog.facts import version_report
from catalog.keys import DatasetKey
from catalog.ledger import APPEND_LOCK, NewFact
from catalog.settings import Settings
from tests.support.openlineage_events import run_event
from tests.support.spine import T0, connect
from tests.support.web import Web, ledger, problem_of, running_web
from web.app import READY_SECONDS
from web.doctor import Finding, Status, diagnose
from web.health import MAX_COMMIT_SECONDS, MAX_HELD_SECONDS
from web.ingest.group_commit import GroupCommit

#: The database waits 5 s for the lock; the rest is the way there and back on a loaded machine.
TOLD_SECONDS = 6.5


#: How many wait for the append lock.
WAITING = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def frozen_append(database_url: str) -> Iterator[int]:
    """Hold the append lock in an open transaction, as a frozen writer does; yield the process of its backend."""
    with connect(database_url) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND_LOCK,))
        yield connection.info.backend_pid


def event() -> dict[str, Any]:
    return run_event(run={"runId": str(uuid.uuid4())})


async def seconds_and_answer(web: Web, one: dict[str, Any]) -> tuple[float, httpx.Response]:
    started = time.monotonic()
    response = await web.post_event(one)
    return time.monotonic() - started, response


def test_a_sender_is_told_within_six_seconds_and_succeeds_later(database_url: str, tmp_path: Path) -> None:
    one = event()

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            with frozen_append(database_url):
                took, response = await seconds_and_answer(web, one)
                assert took < TOLD_SECONDS
                assert response.status_code == 503
                assert int(response.headers["retry-after"]) >= 1
                problem = problem_of(response)
                assert (problem["code"], problem["retryable"]) == ("ledger-held", True)
                assert "5 s" in problem["detail"]
                assert ledger(database_url) == []
            response = await web.post_event(one)
            assert response.status_code == 201
            assert len(ledger(database_url)) == 1

    asyncio.run(scenario())


def test_who_waits_behind_the_one_that_is_told_is_told_too(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            with frozen_append(database_url):
                first = asyncio.create_task(seconds_and_answer(web, event()))
                await asyncio.sleep(0.3)
                # The first waits in the database, these wait for the first.
                rest = [asyncio.create_task(seconds_and_answer(web, event())) for _ in range(20)]
                answers = await asyncio.gather(first, *rest)
            assert {response.status_code for _, response in answers} == {503}
            assert max(took for took, _ in answers) < TOLD_SECONDS
            assert ledger(database_url) == []
            assert web.services.group_commit.waiting_bytes == 0
            assert (await web.post_event(event())).status_code == 201

    asyncio.run(scenario())


async def readiness(web: Web) -> tuple[int, str, dict[str, Any]]:
    response = await web.client.get("/readyz")
    answer = response.json()
    return response.status_code, answer["status"], answer["checks"]


async def until_readiness_is(web: Web, status: int, seconds: float) -> tuple[str, dict[str, Any]]:
    """Return what readiness says once it answers with the status."""
    deadline = time.monotonic() + seconds
    while True:
        found, word, checks = await readiness(web)
        if found == status:
            return word, checks
        assert time.monotonic() < deadline, checks
        await asyncio.sleep(0.1)


def test_readiness_names_the_submission_that_waits_and_who_keeps_it(
    database_url: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            with frozen_append(database_url) as process:
                assert (await readiness(web))[0] == 200
                post = asyncio.create_task(web.post_event(event()))
                word, checks = await until_readiness_is(web, 503, MAX_COMMIT_SECONDS + 1.5)
                # It is said while the sender still waits.
                assert not post.done()
                assert word == "not ready"
                assert [name for name, check in checks.items() if not check["ok"]] == ["ledger"]
                found = checks["ledger"]["found"]
                assert re.match(r"the oldest submission has waited [345]\.\d s for its commit; ", found)
                assert f"database process {process} (" in found
                assert (await post).status_code == 503
                # Nobody waits any more, and the next one would fail all the same.
                await asyncio.sleep(MAX_HELD_SECONDS - 5 + READY_SECONDS)
                _, checks = await until_readiness_is(web, 503, 0.5)
                assert checks["ledger"]["found"].startswith(f"database process {process} (")
            word, checks = await until_readiness_is(web, 200, READY_SECONDS + 1)
            assert (word, checks["ledger"]["ok"]) == ("ready", True)

    asyncio.run(scenario())


def test_a_queue_that_moves_is_ready_whoever_appends(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for _ in range(20):
                with frozen_append(database_url):
                    started = time.monotonic()
                    posts = [asyncio.create_task(web.post_event(event())) for _ in range(5)]
                    await asyncio.sleep(0.1)
                    # It is the age of one of these, not of one of an earlier round.
                    oldest = web.services.group_commit.oldest_seconds
                    assert 0 < oldest <= time.monotonic() - started
                    assert (await readiness(web))[1] == "ready"
                assert {response.status_code for response in await asyncio.gather(*posts)} == {201}
                assert web.services.group_commit.oldest_seconds == 0

    asyncio.run(scenario())


def test_an_end_begins_no_commit_for_who_waited_behind_the_one_it_takes_back(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_back = GroupCommit._take_back

    def unhurried(self: GroupCommit) -> None:
        take_back(self)
        # On a busy machine the loop comes to what is next before it hears that the statement was taken back.
        time.sleep(0.5)

    monkeypatch.setattr(GroupCommit, "_take_back", unhurried)

    def fact(key: str) -> NewFact:
        return version_report(DatasetKey("ns", "a"), actor="test", time=T0, key=key)

    async def scenario() -> None:
        commits = GroupCommit(engine, queue_bytes=1_000_000)
        await commits.start()
        with frozen_append(database_url):
            senders = [asyncio.create_task(commits.append([fact("1")]))]
            await asyncio.sleep(0.3)
            senders.append(asyncio.create_task(commits.append([fact("2")])))
            await asyncio.sleep(0.1)
            await commits.stop(seconds=0.1)
            told = await asyncio.gather(*senders, return_exceptions=True)
            assert [type(error) for error in told] == [DatabaseUnavailable] * 2
            with connect(database_url) as connection:
                assert connection.execute(WAITING).fetchone() == (0,)

    asyncio.run(scenario())
    assert ledger(database_url) == []


def test_the_doctor_says_how_to_end_who_keeps_the_ledger(database_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)

    def ledger_finding() -> Finding:
        (found,) = (one for one in diagnose(settings, database_url) if one.check == "ledger")
        return found

    def end_as_advised() -> None:
        with frozen_append(database_url) as process:
            assert ledger_finding().status is Status.OK
            time.sleep(MAX_HELD_SECONDS)
            finding = ledger_finding()
            assert finding.status is Status.PROBLEM
            assert f"database process {process} (" in finding.found
            with connect(database_url) as operator:
                operator.execute(finding.advice[finding.advice.index("SELECT") :])

    with pytest.raises(psycopg.errors.AdminShutdown):
        end_as_advised()
    assert ledger_finding().status is Status.OK
