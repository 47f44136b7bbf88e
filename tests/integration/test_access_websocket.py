"""Websockets pass the same checks before they are accepted."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from catalog.errors import Forbidden, Unauthenticated
from catalog.settings import Settings
from tests.support.web import ALL_ADDRESSES
from web.access import LOOPBACK, Permission, Principal, Role, require
from web.access.authenticator import Authenticator
from web.access.boundary import Boundary
from web.access.middleware import AccessMiddleware
from web.access.tokens import TokenStore

LOCAL_TOKEN = "hwl_" + "l" * 43


async def accepting(scope: Scope, _receive: Receive, send: Send) -> None:
    principal = scope["state"]["principal"]
    await send({"type": "websocket.accept", "subprotocol": principal.name if principal else None})


def opened(tokens: TokenStore, settings: Settings, headers: dict[str, str], **scope: Any) -> list[Any]:
    """Return what the server says to somebody who opens a websocket."""
    said: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def scenario() -> None:
        boundary = Boundary.of(settings)
        app = AccessMiddleware(accepting, boundary, Authenticator(boundary, tokens, LOCAL_TOKEN))
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        connection = {
            "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", 8642),
            "path": "/graphql",
            **scope,
        }
        await app({"type": "websocket", "headers": raw, **connection}, receive, send)

    asyncio.run(scenario())
    return said


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def tokens(engine: Any) -> TokenStore:
    return TokenStore(engine)


HOST = {"Host": "127.0.0.1:8642"}


def test_a_page_of_this_server_may_open_one(settings: Settings, tokens: TokenStore) -> None:
    [accepted] = opened(tokens, settings, {**HOST, "Origin": "http://127.0.0.1:8642"})
    assert accepted == {"type": "websocket.accept", "subprotocol": "loopback"}
    [accepted] = opened(tokens, settings, {**HOST, "Authorization": f"Bearer {LOCAL_TOKEN}"})
    assert accepted["subprotocol"] == "local"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Host": "attacker.example.com"}, "untrusted-host"),
        ({**HOST, "Origin": "https://attacker.example.com"}, "untrusted-origin"),
        ({**HOST, "Origin": "http://127.0.0.1:3000"}, "untrusted-origin"),
        ({**HOST, "Authorization": "Bearer wrong"}, "unauthenticated"),
    ],
)
def test_others_may_not(settings: Settings, tokens: TokenStore, headers: dict[str, str], reason: str) -> None:
    [closed] = opened(tokens, settings, headers)
    assert closed == {"type": "websocket.close", "code": 1008, "reason": reason}
    start, body = opened(tokens, settings, headers, extensions={"websocket.http.response": {}})
    assert start["type"] == "websocket.http.response.start"
    assert start["status"] >= 400
    assert reason.encode() in body["body"]


def test_beyond_loopback_a_token_is_needed(settings: Settings, tokens: TokenStore) -> None:
    beyond = settings.model_copy(update={"host": ALL_ADDRESSES})
    [closed] = opened(tokens, beyond, HOST, path="/other")
    assert closed["reason"] == "unauthenticated"
    # Where a token may be shown once the websocket is open, nobody is let in: there is no principal yet.
    [accepted] = opened(tokens, beyond, HOST)
    assert accepted == {"type": "websocket.accept", "subprotocol": None}
    [closed] = opened(tokens, beyond, {**HOST, "Authorization": "Bearer wrong"})
    assert closed["reason"] == "unauthenticated"
    secret = tokens.create("viewer", Role.VIEWER)
    [accepted] = opened(tokens, beyond, {**HOST, "Authorization": f"bearer {secret}"})
    assert accepted["subprotocol"] == "token:viewer"


def test_the_one_check_fails_closed() -> None:
    with pytest.raises(Unauthenticated):
        require({"type": "websocket"}, Permission.READ)
    with pytest.raises(Unauthenticated):
        require({"state": {"principal": None}}, Permission.READ)
    with pytest.raises(Unauthenticated):
        require({"state": {"principal": LOOPBACK}}, Permission.OPERATE)
    viewer = Principal.in_role("token:v", Role.VIEWER)
    assert require({"state": {"principal": viewer}}, Permission.READ) is viewer
    with pytest.raises(Forbidden, match="operator, admin"):
        require({"state": {"principal": viewer}}, Permission.OPERATE)
