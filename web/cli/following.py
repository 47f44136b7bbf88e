"""Following a subscription: over a websocket that is opened again where it breaks, without gaps."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from catalog.errors import (
    HeadwaterError,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from web.cli.client import CONNECT_SECONDS, Client, error_of, is_loopback
from web.cli.output import say

PROTOCOL = Subprotocol("graphql-transport-ws")
#: How long a server that was there is waited for, in seconds.
PATIENCE_SECONDS = 60.0
#: How long nothing may come, in seconds; a server pings more often.
SILENCE_SECONDS = 60.0
AGAIN_SECONDS = 0.5
#: Of the protocol: the server does not take this token.
FORBIDDEN_CODES = frozenset({4401, 4403})
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

Item = dict[str, Any]


def follow(client: Client, query: str, field: str, variables: dict[str, Any]) -> Iterator[Item]:
    """Yield everything that the field of the subscription tells, for ever.

    The field takes `after` and tells a `cursor` with every item, and the server says where it is when it welcomes one,
    so that a break loses and repeats nothing. Raises the first error of an answer, `Unauthenticated`, and `Unreachable`
    where the server stays away.
    """
    variables = dict(variables)
    began = time.monotonic()
    was_there = told = False
    while True:
        try:
            for item in _items(client, query, field, variables):
                if item is None:
                    was_there, told = True, False
                else:
                    variables["after"] = item["cursor"]
                    yield item
                began = time.monotonic()
        except (OSError, InvalidHandshake, ConnectionClosed, Unavailable) as error:
            failure = _failure(client, error)
            if not isinstance(failure, Unavailable):
                raise failure from error
            patience = PATIENCE_SECONDS if was_there else CONNECT_SECONDS
            if time.monotonic() - began > patience:
                raise failure from error
            if not told:
                say("the connection is broken; tries again")
            told = True
        time.sleep(AGAIN_SECONDS)


def _items(client: Client, query: str, field: str, variables: dict[str, Any]) -> Iterator[Item | None]:
    """Yield None once the server follows, then what it tells, until the connection ends."""
    with _opened(client) as connection:
        _send(connection, type="connection_init", payload={})
        while True:
            try:
                message = json.loads(connection.recv(timeout=SILENCE_SECONDS))
            except TimeoutError as error:
                raise Unreachable("nothing came from the server for too long") from error
            match message.get("type"):
                case "connection_ack":
                    if variables.get("after") is None:
                        variables["after"] = (message.get("payload") or {}).get("cursors", {}).get(field)
                    payload = {"query": query, "variables": variables}
                    _send(connection, type="subscribe", id="1", payload=payload)
                    yield None
                case "ping":
                    _send(connection, type="pong")
                case "next":
                    yield _data(message["payload"])[field]
                case "error":
                    raise _told(message["payload"])
                case "complete":
                    return
                case found:
                    raise UnexpectedAnswer(f"expected a message of {PROTOCOL}, found {found!r:.100}")


def _opened(client: Client) -> ClientConnection:
    url = client.url.copy_with(scheme="wss" if client.url.scheme == "https" else "ws")
    headers = {} if client.token is None else {"Authorization": f"Bearer {client.token}"}
    return connect(
        str(httpx.URL(str(url).rstrip("/") + "/graphql")),
        subprotocols=[PROTOCOL],
        additional_headers=headers,
        open_timeout=CONNECT_SECONDS,
        close_timeout=1.0,
        max_size=MAX_MESSAGE_BYTES,
        # As for every other question: on this machine no proxy is asked.
        proxy=None if is_loopback(client.url.host) else True,
    )


def _send(connection: ClientConnection, **message: Any) -> None:
    connection.send(json.dumps(message))


def _data(payload: dict[str, Any]) -> dict[str, Any]:
    if errors := payload.get("errors"):
        raise _told(errors)
    return dict(payload["data"])


def _told(errors: list[dict[str, Any]]) -> HeadwaterError:
    first = errors[0]
    return error_of((first.get("extensions") or {}).get("code"), str(first.get("message")))


def _failure(client: Client, error: Exception) -> HeadwaterError:
    """Return what the error of a connection means."""
    if isinstance(error, HeadwaterError):
        return error
    if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code in FORBIDDEN_CODES:
        return Unauthenticated("expected a token that allows to read")
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        try:
            problem = json.loads(error.response.body or b"")
            return error_of(problem.get("code"), str(problem.get("detail")), status=status)
        except (ValueError, AttributeError):
            return error_of(None, f"expected a Headwater server, found status {status}", status=status)
    return Unreachable(f"the server at {client.url} does not answer ({error})"[:500])
