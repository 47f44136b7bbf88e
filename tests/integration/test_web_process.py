"""The web server as a process on a real port: start, end, what a socket can do to it."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from catalog.errors import ConfigurationError
from catalog.ledger import APPEND_LOCK
from catalog.settings import Settings
from tests.services.web_process import WebProcess, web_process
from tests.support.openlineage_events import run_event
from tests.support.web import held_append_lock, ledger
from web.serve import bind

MIB = 1024 * 1024
HEAD = b"\r\n".join(
    (
        b"POST /api/v1/lineage HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Content-Type: application/json",
        b"Content-Length: %d",
        b"\r\n",
    )
)


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[WebProcess]:
    with web_process(database_url, tmp_path) as running:
        yield running


def test_it_answers_when_it_says_so_and_ends_orderly_when_told(server: WebProcess) -> None:
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/readyz").status_code == 200
        assert client.post("/api/v1/lineage", json=run_event()).status_code == 201
        # An idle connection that is kept does not hold it up.
        started = time.monotonic()
        code, log = server.end(signal.SIGTERM)
    assert code == 0
    assert time.monotonic() - started < 3
    assert log == ""


def test_sigint_ends_it_too(server: WebProcess) -> None:
    assert server.end(signal.SIGINT) == (0, "")


def test_requests_under_way_are_answered_before_the_end(server: WebProcess, database_url: str) -> None:
    answers: list[int] = []

    def post(number: int) -> None:
        event = run_event(job={"namespace": "n", "name": f"job {number}"})
        answers.append(httpx.post(f"{server.url}/api/v1/lineage", json=event).status_code)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(8)]
    with held_append_lock(database_url, APPEND_LOCK):
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert answers == []
    for thread in threads:
        thread.join()
    code, _ = server.end(0)
    assert code == 0
    assert answers == [201] * 8
    assert len(ledger(database_url)) == 8


def test_requests_that_hang_do_not_hold_up_the_end(server: WebProcess, database_url: str) -> None:
    with (
        held_append_lock(database_url, APPEND_LOCK),
        socket.create_connection(("127.0.0.1", server.port)) as stalled,
    ):
        stalled.sendall(HEAD % 1000 + b"{")
        hanging = threading.Thread(
            target=lambda: httpx.post(f"{server.url}/api/v1/lineage", json=run_event(), timeout=30)
        )
        hanging.start()
        time.sleep(0.3)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        # The listening socket is closed at once, so that another may take over.
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port)).close()
        hanging.join(10)
        assert time.monotonic() - started < 5
    server.process.wait(20)


def test_a_port_that_is_taken_names_who_has_it(tmp_path: Path) -> None:
    with bind(Settings(data_dir=tmp_path, port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigurationError, match=rf"port {port} is in use by process {os.getpid()} \(.*python"
        ):
            bind(Settings(data_dir=tmp_path, port=port))


def test_an_address_of_another_machine_cannot_be_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1.*--host"):
        bind(Settings(data_dir=tmp_path, host="192.0.2.1", port=0))


def test_both_versions_of_the_internet_protocol(tmp_path: Path) -> None:
    with bind(Settings(data_dir=tmp_path, host="::", port=0)) as listener:
        socket.create_connection(("127.0.0.1", listener.getsockname()[1])).close()
        socket.create_connection(("::1", listener.getsockname()[1])).close()


@pytest.mark.parametrize("says_its_length", [True, False])
def test_a_sender_of_too_much_reads_why(server: WebProcess, says_its_length: bool) -> None:
    body = b" " * (11 * MIB)
    content = (
        body if says_its_length else iter([body[start : start + MIB] for start in range(0, len(body), MIB)])
    )
    response = httpx.post(
        f"{server.url}/api/v1/lineage", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413
    assert response.json()["code"] == "payload-too-large"


def test_senders_that_break_off_are_no_errors(server: WebProcess, database_url: str) -> None:
    for part in (b"", b"POST", HEAD % 1000, HEAD % 1000 + b"{", b"\x16\x03\x01 not HTTP\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(part)
            time.sleep(0.1)
    assert httpx.post(f"{server.url}/api/v1/lineage", json=run_event()).status_code == 201
    code, log = server.end(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in log
    assert len(ledger(database_url)) == 1


def test_a_head_without_end_is_cut_off(server: WebProcess) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
        try:
            for _ in range(64):
                connection.sendall(b"x" * 16 * 1024)
            answer = connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            answer = b"HTTP/1.1 431 "  # it was closed before all was sent
        assert answer.startswith(b"HTTP/1.1 431 ")
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_nobody_else_says_where_a_request_comes_from(server: WebProcess) -> None:
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    assert httpx.get(f"{server.url}/readyz", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401
    assert "server" not in httpx.get(f"{server.url}/healthz").headers


def test_many_connections_lose_nothing(server: WebProcess, database_url: str) -> None:
    count = 400

    async def scenario() -> list[str]:
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(base_url=server.url, limits=limits) as client:
            posts = [
                client.post(
                    "/api/v1/lineage", json=run_event(job={"namespace": "n", "name": f"job {number}"})
                )
                for number in range(count)
            ]
            responses = await asyncio.gather(*posts)
        assert {response.status_code for response in responses} == {201}
        return [response.headers["headwater-position"] for response in responses]

    positions = asyncio.run(scenario())
    assert {int(position) for position in positions} == {position for position, _, _ in ledger(database_url)}
    assert len(set(positions)) == count
