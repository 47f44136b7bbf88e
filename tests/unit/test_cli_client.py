import json
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog.embedded import DataFolderLock
from catalog.errors import (
    ConfigurationError,
    Conflict,
    DatabaseUnavailable,
    Forbidden,
    HeadwaterError,
    PositionNotReached,
    RefusedByServer,
    UnexpectedAnswer,
    Unreachable,
)
from catalog.settings import Settings
from web.access.local_token import ensure_local_token
from web.cli import client as clients
from web.cli.client import Client, connected, error_of, is_loopback, server_url, token_for
from web.cli.options import DEFAULT_URL

JSON = "application/json"
PROBLEM = "application/problem+json"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HEADWATER_URL", "HEADWATER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEADWATER_DATA_DIR", str(tmp_path))


Answer = tuple[int, str, bytes]


@contextmanager
def server(answers: Callable[[int], Answer]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the URL of a server that gives prepared answers by the number of the request, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append({"path": self.path, "headers": dict(self.headers), "body": body})
            status, media_type, content = answers(len(asked))
            self.send_response(status)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(content)))
            if status == 307:
                self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815 - the library's form

        def log_message(self, *_: Any) -> None:
            return

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", asked
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def problem(status: int, code: str, detail: str = "why") -> Answer:
    return status, PROBLEM, json.dumps({"status": status, "code": code, "detail": detail}).encode()


def data(**parts: Any) -> Answer:
    return 200, JSON, json.dumps({"data": parts}).encode()


def refusal(code: str, message: str) -> Answer:
    errors = [{"message": message, "extensions": {"code": code}}]
    return 200, JSON, json.dumps({"data": None, "errors": errors}).encode()


# Which server, and what it is shown.


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("LocalHost", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("example.com", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_what_is_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_server_is_the_one_given_else_the_announced_one_else_the_default(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert str(server_url(None, settings)) == DEFAULT_URL
    with DataFolderLock(tmp_path) as lock:
        assert str(server_url(None, settings)) == DEFAULT_URL
        lock.announce("http://127.0.0.1:9")
        assert str(server_url(None, settings)) == "http://127.0.0.1:9"
        assert str(server_url("http://127.0.0.1:10", settings)) == "http://127.0.0.1:10"


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8642",
        "ftp://127.0.0.1",
        "http://",
        "http://user:secret@host",
        "http://host/?q",
        "http://host:port",
    ],
)
def test_what_is_no_url_of_a_server_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        server_url(url, Settings())
    assert "secret" not in refused.value.message


def test_the_local_token_is_for_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    local = ensure_local_token(settings)
    assert stat.S_IMODE(settings.local_token_file.stat().st_mode) == 0o600
    assert token_for(httpx.URL("http://127.0.0.1:8642"), settings) == local
    assert token_for(httpx.URL("http://example.com"), settings) is None
    monkeypatch.setenv("HEADWATER_TOKEN", "hwt_given")
    assert token_for(httpx.URL("http://127.0.0.1:8642"), settings) == "hwt_given"
    assert token_for(httpx.URL("http://example.com"), settings) == "hwt_given"


def test_the_token_is_shown_to_the_server_and_to_nobody_that_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWATER_TOKEN", "hwt_given")
    # A proxy of the environment would see the token of a server on this machine.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with server(lambda _: (307, "text/plain", b"")) as (url, asked), connected(url, None) as client:
        with pytest.raises(UnexpectedAnswer):
            client.get("/readyz")
        assert [request["headers"]["authorization"] for request in asked] == ["Bearer hwt_given"]


# What may be repeated is.


def test_a_server_that_is_away_for_a_moment_is_asked_again() -> None:
    answers = [problem(503, "database-unavailable"), (503, "text/html", b"proxy"), data(ok=True)]
    with server(lambda number: answers[number - 1]) as (url, asked), connected(url, None) as client:
        assert client.ask("mutation ($key: String!) { x }", key="k") == {"ok": True}
    # The same request each time: its idempotency key makes it one command.
    assert len({request["body"] for request in asked}) == 1
    assert len(asked) == 3


def test_a_server_that_stays_away_is_told_as_it_told_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "PATIENCE_SECONDS", 0.2)
    with (
        server(lambda _: problem(503, "database-unavailable")) as (url, _),
        connected(url, None) as client,
        pytest.raises(DatabaseUnavailable, match="why"),
    ):
        client.post("/api/v1/lineage", b"{}")


def test_what_took_its_whole_time_is_not_repeated() -> None:
    with (
        server(lambda _: refusal("position-not-reached", "stored at 7")) as (url, asked),
        connected(url, None) as client,
    ):
        with pytest.raises(PositionNotReached, match="stored at 7"):
            client.ask("mutation { x }")
        assert len(asked) == 1


def test_a_refusal_is_not_repeated() -> None:
    with server(lambda _: problem(403, "forbidden")) as (url, asked), connected(url, None) as client:
        with pytest.raises(Forbidden):
            client.post("/api/v1/versions", b"{}")
        assert len(asked) == 1


def test_nobody_at_the_url_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "UNREACHABLE_SECONDS", 0.2)
    with connected("http://127.0.0.1:1", None) as client, pytest.raises(Unreachable) as away:
        client.get("/readyz")
    assert "http://127.0.0.1:1" in away.value.message
    assert "headwater up" in away.value.message


def test_an_answer_that_is_cut_off_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "UNREACHABLE_SECONDS", 0.0)

    def cut_off(_: int) -> Answer:
        raise ConnectionAbortedError

    with (
        server(cut_off) as (url, _),
        connected(url, None) as client,
        pytest.raises(Unreachable, match="did not answer"),
    ):
        client.get("/readyz")


# Errors are ours, by their code.


def test_an_error_of_graphql_is_the_class_of_its_code() -> None:
    with server(lambda _: refusal("conflict", "another version")) as (url, _), connected(url, None) as client:
        with pytest.raises(Conflict, match="another version") as refused:
            client.ask("mutation { x }")
        assert refused.value.code == "conflict"


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("not-of-this-version", 403, Forbidden),
        ("not-of-this-version", 418, RefusedByServer),
        (None, None, RefusedByServer),
        (7, 503, HeadwaterError),
    ],
)
def test_an_unknown_code_is_told_and_the_status_gives_the_kind(
    code: object, status: int | None, kind: type[HeadwaterError]
) -> None:
    error = error_of(code, "why", status=status)
    assert isinstance(error, kind)
    assert error.message.startswith("why")
    assert code is None or str(code) in error.message


@pytest.mark.parametrize(
    "answer",
    [
        (200, "text/html", b"<html>"),
        (404, JSON, b'{"detail": "Not Found"}'),
        (200, JSON, b"[]"),
        (200, JSON, b"{"),
        (200, JSON, b'{"data": null}'),
        (500, "text/plain", b"Internal Server Error"),
    ],
)
def test_what_is_no_headwater_is_told(answer: Answer) -> None:
    with (
        server(lambda _: answer) as (url, _),
        connected(url, None) as client,
        pytest.raises(UnexpectedAnswer),
    ):
        client.ask("{ x }")


def test_a_client_closes_its_connections() -> None:
    with server(lambda _: (200, JSON, b"{}")) as (url, _):
        client = Client(httpx.URL(url), None)
        client.get("/healthz")
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            client.get("/healthz")
