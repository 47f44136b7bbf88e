"""Somebody holds the append lock and is frozen: senders are told soon, readiness says so, nothing is lost."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from catalog.ledger import APPEND_LOCK
from tests.support.openlineage_events import run_event
from tests.support.spine import connect
from tests.support.web import Web, ledger, problem_of, running_web

#: The database waits 5 s for the lock; the rest is the way there and back on a loaded machine.
TOLD_SECONDS = 6.5


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
