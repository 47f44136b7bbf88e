"""One websocket without a network: who reads too slowly, who may no longer, and that it stays lively."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest
from starlette.websockets import WebSocket

from catalog.errors import DatabaseUnavailable, Unauthenticated
from web.access import LOOPBACK, Permission, Principal, Role
from web.graphql import socket as module
from web.graphql.execution import Question
from web.graphql.socket import PROTOCOL, GraphQLSocket

VIEWER = Principal.in_role("token:viewer", Role.VIEWER)


class Wire:
    """The other end of a websocket: what the server says, and whether anybody takes it."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.shown: list[str | None] = []
        self.principal: Principal | Exception | None = LOOPBACK
        self.scope = {
            "type": "websocket",
            "path": "/graphql",
            "headers": [],
            "subprotocols": [PROTOCOL],
            "state": {"principal": None, "authenticate": self._authenticate},
        }

    async def _authenticate(self, headers: dict[bytes, bytes]) -> Principal | None:
        self.shown.append(headers.get(b"authorization", b"").decode() or None)
        if isinstance(self.principal, Exception):
            raise self.principal
        return self.principal

    async def receive(self) -> dict[str, Any]:
        return await self._incoming.get()

    async def send(self, message: Any) -> None:
        await self.takes.wait()
        self.said.append(message)

    def hear(self, **message: Any) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(one["text"]) for one in self.said if one["type"] == "websocket.send"]

    @property
    def closed(self) -> tuple[int, str] | None:
        found = [(one["code"], one["reason"]) for one in self.said if one["type"] == "websocket.close"]
        return found[0] if found else None


async def endless(
    question: Question, authorise: Callable[[Permission], Principal]
) -> AsyncGenerator[bytes, None]:
    """Tell something again and again, to somebody who may read."""
    authorise(Permission.READ)
    while True:
        yield json.dumps({"data": {"query": question.query}}).encode()
        await asyncio.sleep(0)


async def cursors() -> dict[str, int]:
    return {"pipelineRunChanged": 7}


def told(story: Callable[[Wire], Coroutine[Any, Any, None]]) -> Wire:
    """Let the story happen to a websocket, and wait for its end."""

    async def scenario() -> Wire:
        wire = Wire()
        websocket = WebSocket(wire.scope, wire.receive, wire.send)
        serving = asyncio.create_task(GraphQLSocket(websocket, endless, cursors).serve())
        await story(wire)
        await asyncio.wait_for(serving, 5)
        return wire

    return asyncio.run(scenario())


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(true)


def test_a_reader_who_takes_nothing_is_let_go_with_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.1)

    async def story(wire: Wire) -> None:
        wire.hear(type="connection_init")
        wire.hear(type="subscribe", id="1", payload={"query": "x"})
        await until(lambda: len(wire.messages) > 5)
        wire.takes.clear()
        await asyncio.sleep(0.2)
        wire.takes.set()

    wire = told(story)
    assert wire.closed is not None
    assert wire.closed[0] == 4008
    assert "after" in wire.closed[1]


def test_one_who_never_takes_anything_again_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.1)
    monkeypatch.setattr(module, "FAREWELL_SECONDS", 0.1)

    async def story(wire: Wire) -> None:
        wire.hear(type="connection_init")
        wire.hear(type="subscribe", id="1", payload={"query": "x"})
        await until(lambda: len(wire.messages) > 5)
        wire.takes.clear()

    assert told(story).closed is None


def test_it_pings_and_looks_again_whether_the_token_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)

    async def story(wire: Wire) -> None:
        wire.principal = VIEWER
        wire.hear(type="connection_init", payload={"authorization": "Bearer secret"})
        await until(lambda: wire.messages.count({"type": "ping"}) >= 2)
        # While nobody can say, nobody is sent away.
        wire.principal = DatabaseUnavailable()
        await asyncio.sleep(0.2)
        assert wire.closed is None
        wire.principal = Unauthenticated()

    wire = told(story)
    assert wire.messages[0] == {"type": "connection_ack", "payload": {"cursors": {"pipelineRunChanged": 7}}}
    assert set(wire.shown) == {"Bearer secret"}
    assert wire.closed is not None
    assert wire.closed[0] == 4403


def test_where_nobody_can_say_who_it_is_one_comes_again_later() -> None:
    async def story(wire: Wire) -> None:
        wire.principal = DatabaseUnavailable()
        wire.hear(type="connection_init")

    assert told(story).closed == (1013, "database-unavailable")


def test_who_leaves_is_forgotten() -> None:
    async def story(wire: Wire) -> None:
        wire.hear(type="connection_init")
        wire.hear(type="subscribe", id="1", payload={"query": "x"})
        await until(lambda: len(wire.messages) > 5)
        wire.leave()

    assert told(story).closed is None


def test_pings_are_answered() -> None:
    async def story(wire: Wire) -> None:
        wire.hear(type="ping")
        await until(lambda: {"type": "pong"} in wire.messages)
        wire.leave()

    told(story)
