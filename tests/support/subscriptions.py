"""Subscriptions as a client has them: a real websocket with the protocol graphql-transport-ws."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROTOCOL = "graphql-transport-ws"
SECONDS = 20.0


class Subscriber:
    """One websocket, and what was subscribed to on it."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, **message: Any) -> None:
        """Send a message."""
        self.connection.send(json.dumps(message))

    def receive(self, seconds: float = SECONDS) -> dict[str, Any]:
        """Return the next message that is no ping; raise `TimeoutError`."""
        while True:
            message: dict[str, Any] = json.loads(self.connection.recv(timeout=seconds))
            if message["type"] != "ping":
                return message

    def begin(self, **payload: Any) -> None:
        """Introduce oneself; the server must welcome one."""
        self.send(type="connection_init", payload=payload)
        assert self.receive()["type"] == "connection_ack"

    def subscribe(self, query: str, variables: dict[str, Any] | None = None, *, number: str = "1") -> None:
        """Ask to be told."""
        self.send(type="subscribe", id=number, payload={"query": query, "variables": variables or {}})

    def next(self, seconds: float = SECONDS) -> dict[str, Any]:
        """Return the data of the next answer, which has no errors."""
        message = self.receive(seconds)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        data: dict[str, Any] = message["payload"]["data"]
        return data

    def code(self) -> str:
        """Return the code of the one error that the operation is refused with."""
        message = self.receive()
        assert message["type"] == "error", message
        [error] = message["payload"]
        return str(error["extensions"]["code"])


@contextmanager
def subscriber(url: str, headers: dict[str, str] | None = None, **payload: Any) -> Iterator[Subscriber]:
    """Yield somebody who was welcomed by the server at the URL."""
    with opened(url, headers) as found:
        found.begin(**payload)
        yield found


@contextmanager
def opened(url: str, headers: dict[str, str] | None = None, **options: Any) -> Iterator[Subscriber]:
    """Yield an open websocket on which nothing was said yet."""
    address = url.replace("http", "ws", 1) + "/graphql"
    settings = {"subprotocols": [PROTOCOL], "proxy": None, "additional_headers": headers or {}} | options
    with connect(address, **settings) as connection:
        yield Subscriber(connection)
