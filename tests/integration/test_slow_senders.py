"""Thousands of slow senders at the real server: everybody else is answered as if they were not there."""

import json
import resource
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.services.web_process import WebProcess, web_process
from tests.support.openlineage_events import run_event
from tests.support.web import ledger
from web.access.middleware import MAX_IN_FLIGHT
from web.http_protocol import GIVEN_UP_SHARE, WINDOW_SECONDS
from web.serve import MAX_CONNECTIONS

SLOW_HEAD = (
    b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000\r\n\r\n{"a'
)
#: Far more than an answer takes, and far less than a slow sender has.
PROMPT_SECONDS = 3.0


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[WebProcess]:
    with web_process(database_url, tmp_path) as running:
        yield running


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let the test have as many connections as the server takes, and more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Connections that begin to send an event and hardly go on."""

    def __init__(self, stack: ExitStack, port: int, count: int) -> None:
        self._selector = stack.enter_context(selectors.DefaultSelector())
        self.told: list[bytes] = []
        for number in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            one.sendall(SLOW_HEAD)
            one.setblocking(False)
            self._selector.register(one, selectors.EVENT_READ)
            if number % 50 == 0:
                self.listen(0)

    @property
    def remaining(self) -> int:
        return len(self._selector.get_map())

    def listen(self, seconds: float) -> None:
        """Hear what the server tells, for so many seconds or until it told everybody."""
        deadline = time.monotonic() + seconds
        while True:
            for key, _ in self._selector.select(max(0.0, min(0.1, deadline - time.monotonic()))):
                one = key.fileobj
                assert isinstance(one, socket.socket)
                try:
                    self.told.append(one.recv(65536))
                except ConnectionResetError:
                    self.told.append(b"")
                self._selector.unregister(one)
            if time.monotonic() >= deadline or not self.remaining:
                return

    def codes(self) -> set[str]:
        return {json.loads(answer.partition(b"\r\n\r\n")[2])["code"] for answer in self.told}


@contextmanager
def crowd(server: WebProcess, count: int) -> Iterator[Crowd]:
    with ExitStack() as stack:
        yield Crowd(stack, server.port, count)


def assert_answers(server: WebProcess) -> None:
    """Ask on new connections, as monitors and producers do."""
    started = time.monotonic()
    for path in ("/healthz", "/readyz", "/metrics", "/"):
        assert httpx.get(f"{server.url}{path}").status_code == 200, path
    assert httpx.post(f"{server.url}/api/v1/lineage", json=run_event()).status_code == 201
    assert time.monotonic() - started < PROMPT_SECONDS


@pytest.mark.usefixtures("many_files")
def test_who_sends_slowly_takes_nobodys_turn_and_is_told_soon(server: WebProcess, database_url: str) -> None:
    with crowd(server, MAX_IN_FLIGHT + 100) as slow:
        assert_answers(server)
        assert slow.remaining == MAX_IN_FLIGHT + 100
        slow.listen(WINDOW_SECONDS + 5)
        assert slow.remaining == 0
        assert slow.codes() == {"body-too-slow"}
        assert {answer.split(b"\r\n")[0] for answer in slow.told} == {b"HTTP/1.1 408 Request Timeout"}
    assert len(ledger(database_url)) == 1


@pytest.mark.usefixtures("many_files")
def test_the_slowest_make_room_where_there_are_too_many(server: WebProcess, database_url: str) -> None:
    with httpx.Client(base_url=server.url) as client:
        # A sender that gets on is there before the crowd and after it.
        begun = time.monotonic()
        events = json.dumps(
            [run_event(job={"namespace": "n", "name": f"job {number}"}) for number in range(50)]
        )

        def parts() -> Iterator[bytes]:
            yield b"[" + events[1:-1].encode("ascii")
            with crowd(server, MAX_CONNECTIONS + 50) as slow:
                yield b" " * 1_000_000
                assert_answers(server)
                slow.listen(0.5)
                # Room is made for several at a time.
                most = MAX_CONNECTIONS * GIVEN_UP_SHARE
                assert 50 <= len(slow.told) <= 50 + 2 * most
                assert slow.codes() == {"server-busy"}
                process = psutil.Process(server.process.pid)
                assert len(process.net_connections("tcp")) <= MAX_CONNECTIONS + 10
                assert time.monotonic() - begun < WINDOW_SECONDS
            yield b"]"

        response = client.post(
            "/api/v1/lineage/batch", content=parts(), headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 200
        assert response.json()["summary"]["successful"] == 50
    assert len(ledger(database_url)) == 51
