"""Heads of requests are bounded in time and size, bodies and readers by the rate at which they get on."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

import web.http_protocol
from web.http_protocol import MAX_HEAD_BYTES, MIN_WINDOW_BYTES, BoundedHttpProtocol

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE = 0.4
#: More than the system keeps for a reader who does not read.
LARGE_ANSWER = 40 * 1024 * 1024

Scenario = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hello(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        pass
    if message["type"] == "http.disconnect":
        return
    content = b"hello" * (LARGE_ANSWER // 5 if scope["path"] == "/large" else 1)
    length = str(len(content)).encode("ascii")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scenario], None]:
    """Run a scenario on a connection to a server that waits `PATIENCE` seconds for a head."""
    monkeypatch.setattr(web.http_protocol, "HEAD_SECONDS", PATIENCE)
    monkeypatch.setattr(web.http_protocol, "WINDOW_SECONDS", PATIENCE)
    config = uvicorn.Config(
        hello,
        http=BoundedHttpProtocol,
        lifespan="off",
        log_config=None,
        timeout_keep_alive=60,
        ws="websockets-sansio",
    )
    config.load()

    async def serve(scenario: Scenario) -> None:
        loop, state = asyncio.get_running_loop(), ServerState()
        server = await loop.create_server(
            lambda: BoundedHttpProtocol(config=config, server_state=state, app_state={}, _loop=loop),
            "127.0.0.1",
            0,
        )
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await scenario(reader, writer)
            writer.close()
            await writer.wait_closed()
            # The server hears of the end a little later.
            await asyncio.sleep(0.05)
            assert not state.connections

    return lambda scenario: asyncio.run(serve(scenario))


async def is_closed_after_patience(reader: asyncio.StreamReader) -> bool:
    started = time.monotonic()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    return PATIENCE * 0.8 < time.monotonic() - started < PATIENCE * 5


async def answer(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"hello")


def test_a_connection_that_says_nothing_is_closed(connected: Callable[[Scenario], None]) -> None:
    async def scenario(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        assert await is_closed_after_patience(reader)

    connected(scenario)


def test_a_head_that_never_ends_is_closed_however_lively(connected: Callable[[Scenario], None]) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def drip() -> None:
            while True:
                writer.write(b"X-Drip: 1\r\n")
                await asyncio.sleep(0.05)

        writer.write(REQUEST.removesuffix(b"\r\n"))
        dripping = asyncio.create_task(drip())
        assert await is_closed_after_patience(reader)
        dripping.cancel()

    connected(scenario)


def test_a_second_head_has_its_own_time(connected: Callable[[Scenario], None]) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REQUEST)
        assert (await answer(reader)).startswith(b"HTTP/1.1 200")
        # Between requests a connection may rest for longer.
        await asyncio.sleep(PATIENCE * 1.5)
        writer.write(REQUEST)
        assert (await answer(reader)).startswith(b"HTTP/1.1 200")
        writer.write(REQUEST[:20])
        assert await is_closed_after_patience(reader)

    connected(scenario)


def test_a_head_in_pieces_is_a_head(connected: Callable[[Scenario], None]) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in REQUEST:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.002)
        assert (await answer(reader)).startswith(b"HTTP/1.1 200")

    connected(scenario)


async def refusal(reader: asyncio.StreamReader) -> tuple[bytes, dict[str, Any]]:
    """Return status line and problem of the answer with which the server ends the connection."""
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    return head.split(b"\r\n")[0], json.loads(body)


LENGTHS = [b"Content-Length: 10000000", b"Transfer-Encoding: chunked"]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_body_that_only_drips_is_refused_however_lively(
    connected: Callable[[Scenario], None], length: bytes
) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def drip() -> None:
            while True:
                writer.write(b"1\r\nx\r\n")
                await asyncio.sleep(0.05)

        started = time.monotonic()
        writer.write(REQUEST.removesuffix(b"\r\n") + length + b"\r\n\r\n")
        dripping = asyncio.create_task(drip())
        status, problem = await refusal(reader)
        assert PATIENCE * 0.8 < time.monotonic() - started < PATIENCE * 5
        assert status == b"HTTP/1.1 408 Request Timeout"
        assert (problem["code"], problem["status"], problem["retryable"]) == ("body-too-slow", 408, True)
        dripping.cancel()

    connected(scenario)


def test_a_body_that_stops_after_much_of_it_is_refused(connected: Callable[[Scenario], None]) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started = time.monotonic()
        writer.write(REQUEST.removesuffix(b"\r\n") + LENGTHS[0] + b"\r\n\r\n" + b"x" * 9_000_000)
        await writer.drain()
        status, _ = await refusal(reader)
        # What came before earns no credit beyond the next window.
        assert time.monotonic() - started < PATIENCE * 4
        assert status.startswith(b"HTTP/1.1 408")

    connected(scenario)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_large_body_may_take_as_long_as_it_gets_on(
    connected: Callable[[Scenario], None], length: bytes
) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = MIN_WINDOW_BYTES + 1
        declared = b"Content-Length: %d" % (8 * size) if length.startswith(b"Content") else length
        is_chunked = declared is length
        writer.write(REQUEST.removesuffix(b"\r\n") + declared + b"\r\n\r\n")
        for _ in range(8):
            # Half of it at once and half of it late: the rate counts, not the evenness.
            await asyncio.sleep(PATIENCE * 0.8)
            part = b"x" * size
            writer.write(b"%x\r\n%s\r\n" % (size, part) if is_chunked else part)
            await writer.drain()
        if is_chunked:
            writer.write(b"0\r\n\r\n")
        assert (await answer(reader)).startswith(b"HTTP/1.1 200")

    connected(scenario)


def test_a_body_does_not_take_for_ever_however_fast(
    connected: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.http_protocol, "BODY_SECONDS", 3 * PATIENCE)

    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def pour() -> None:
            while True:
                writer.write(b"%x\r\n%s\r\n" % (MIN_WINDOW_BYTES, b"x" * MIN_WINDOW_BYTES))
                await asyncio.sleep(PATIENCE / 4)

        writer.write(REQUEST.removesuffix(b"\r\n") + LENGTHS[1] + b"\r\n\r\n")
        pouring = asyncio.create_task(pour())
        status, _ = await refusal(reader)
        assert status.startswith(b"HTTP/1.1 408")
        pouring.cancel()

    connected(scenario)


def test_who_does_not_read_the_answer_is_cut_off(connected: Callable[[Scenario], None]) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REQUEST.replace(b"/ ", b"/large ", 1))
        await asyncio.sleep(PATIENCE * 4)
        # What the system had taken already still arrives.
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(LARGE_ANSWER), 10)

    connected(scenario)


def test_who_reads_the_answer_slowly_gets_all_of_it(connected: Callable[[Scenario], None]) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REQUEST.replace(b"/ ", b"/large ", 1))
        await reader.readuntil(b"\r\n\r\n")
        left = LARGE_ANSWER
        while left:
            left -= len(await reader.readexactly(min(left, LARGE_ANSWER // 10)))
            await asyncio.sleep(PATIENCE * 0.6)
        assert left == 0

    connected(scenario)


def test_a_body_after_its_head_is_waited_for(connected: Callable[[Scenario], None]) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            writer.write(REQUEST.removesuffix(b"\r\n") + b"Content-Length: 4\r\n\r\n")
            await asyncio.sleep(PATIENCE / 2)
            writer.write(b"body")
            assert (await answer(reader)).startswith(b"HTTP/1.1 200")

    connected(scenario)


def test_a_websocket_lasts(connected: Callable[[Scenario], None]) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with connect(f"ws://127.0.0.1:{writer.get_extra_info('peername')[1]}") as websocket:
            await asyncio.sleep(PATIENCE * 2)
            await websocket.send("still there")
            assert await websocket.recv() == "still there"
        assert await reader.read() == b""

    connected(scenario)


@pytest.mark.parametrize(("further", "status"), [(1024, b"200"), (4096, b"431")])
def test_a_large_head_is_taken_up_to_the_limit(
    connected: Callable[[Scenario], None], further: int, status: bytes
) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REQUEST.removesuffix(b"\r\n"))
        for _ in range(MAX_HEAD_BYTES // 1024 - 2):
            writer.write(b"X: " + b"x" * 1019 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(b"X: " + b"x" * (further - 5))
        await asyncio.sleep(0.1)
        if status == b"200":
            writer.write(b"\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)
        assert (await reader.readuntil(b"\r\n\r\n")).count(b"content-length") == 1

    connected(scenario)
