"""`headwater serve` ends within five seconds although the database keeps a sender waiting, and the sender is told."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.events import complete_event
from benchmarks.partition import DatabaseProxy
from catalog.ledger import APPEND_LOCK
from tests.support.processes import free_port, part, wait_for_server
from tests.support.spine import connect
from tests.support.web import ledger, problem_of

END_SECONDS = 5.0


@contextmanager
def frozen_append(database_url: str) -> Iterator[None]:
    """Hold the append lock in an open transaction, as a frozen writer does."""
    with connect(database_url) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND_LOCK,))
        yield


def post(port: int) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/api/v1/lineage", json=complete_event("input"), timeout=30)


def wait_for_appends(database_url: str, count: int) -> None:
    """Return once so many wait in the database for the append lock."""
    deadline = time.monotonic() + 10
    with connect(database_url) as connection:
        while time.monotonic() < deadline:
            found = connection.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchone()
            if found == (count,):
                return
            time.sleep(0.02)
    raise TimeoutError(f"expected {count} to wait for the append lock")


def test_a_sender_that_waits_for_the_ledger_is_answered_before_the_end(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    with (
        part("serve", "--port", str(port), data_dir=tmp_path, url=database_url) as serve,
        ThreadPoolExecutor() as senders,
    ):
        wait_for_server(port)
        with frozen_append(database_url):
            waiting = senders.submit(post, port)
            wait_for_appends(database_url, 1)
            behind = senders.submit(post, port)
            time.sleep(0.2)
            started = time.monotonic()
            serve.send_signal(signal.SIGTERM)
            for sender in (waiting, behind):
                response = sender.result()
                problem = problem_of(response)
                assert (response.status_code, problem["retryable"]) == (503, True)
                assert int(response.headers["retry-after"]) >= 1
            assert serve.wait(10) == 0
            assert time.monotonic() - started < END_SECONDS
            # Nobody is left in the database who would store it later.
            wait_for_appends(database_url, 0)
    assert ledger(database_url) == []


def test_a_database_that_says_nothing_does_not_hold_up_the_end(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    with (
        DatabaseProxy(database_url) as network,
        part("serve", "--port", str(port), data_dir=tmp_path, url=network.url) as serve,
        ThreadPoolExecutor() as senders,
    ):
        wait_for_server(port)
        assert post(port).status_code == 201
        network.cut()
        waiting = senders.submit(post, port)
        time.sleep(0.3)
        started = time.monotonic()
        serve.send_signal(signal.SIGTERM)
        assert waiting.result().status_code == 503
        serve.wait(10)
        assert time.monotonic() - started < END_SECONDS
