"""The first thing that sees a request: host, origin, media type, identity; and the headers that every answer carries.

Plain ASGI, because it stands before each of thousands of events a second.
"""

import contextlib
import functools
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from catalog.errors import (
    HeadwaterError,
    LengthRequired,
    PayloadTooLarge,
    ServerBusy,
    Unauthenticated,
    UnsupportedMediaType,
    UntrustedHost,
    UntrustedOrigin,
)
from web.access.authenticator import Authenticator
from web.access.boundary import Boundary, is_same_origin
from web.problems import problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
#: Open to everyone, so that a supervisor without a token sees whether the process lives.
OPEN_PATHS = frozenset({"/healthz"})
#: Asked above all when there is too much to do; each costs next to nothing, however many ask.
MONITORED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
#: Websockets on which a token may be shown once they are open: pages cannot send a header. Who they are for says so.
TOKEN_LATER_PATHS = frozenset({"/graphql"})
#: Routes that bound their bodies themselves; others take no more than `MAX_BODY_BYTES`.
SELF_BOUNDED_PREFIX = "/api/v1/lineage"
MAX_BODY_BYTES = 16 * 1024 * 1024
#: While so many requests are being answered, further ones are told to come back.
MAX_IN_FLIGHT = 500
_REMEMBERED_HOSTS = 64

SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
#: Only where the answer brings none of its own: a page brings its policy, assets bring how long they keep.
DEFAULT_HEADERS: dict[bytes, bytes] = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"cache-control": b"no-store",
}


class AccessMiddleware:
    """Lets a request pass with `scope["state"]["principal"]` set, or answers it with a problem document."""

    def __init__(self, app: ASGIApp, boundary: Boundary, authenticator: Authenticator) -> None:
        self._app = app
        self._boundary = boundary
        self._authenticator = authenticator
        self._known_hosts: set[tuple[bytes, str | None]] = set()
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's scope."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, _with_headers(send))
            case "websocket":
                await self._websocket(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._in_flight >= MAX_IN_FLIGHT and scope["path"] not in MONITORED_PATHS:
            await problem(ServerBusy())(scope, receive, send)
            return

        async def receive_uncounted() -> Message:
            # Whoever waits for a slow sender keeps nobody from being answered.
            self._in_flight -= 1
            try:
                return await receive()
            finally:
                self._in_flight += 1

        self._in_flight += 1
        try:
            try:
                headers = self._headers(scope)
                if scope["method"] not in SAFE_METHODS:
                    _check_write(scope, headers)
                await self._identify(scope, headers)
            except HeadwaterError as error:
                await problem(error)(scope, receive, send)
                return
            # What escapes the application was logged and answered by its outermost handler.
            with contextlib.suppress(Exception):
                await self._app(scope, receive_uncounted, send)
        finally:
            self._in_flight -= 1

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = self._headers(scope)
            # A page of any site may open a websocket, and no preflight asks before.
            _check_origin(headers)
            await self._identify(scope, headers, open_paths=TOKEN_LATER_PATHS)
            scope["state"]["authenticate"] = functools.partial(self._authenticator.principal, scope)
        except HeadwaterError as error:
            if "websocket.http.response" in scope.get("extensions", {}):
                await problem(error)(scope, receive, send)
            else:
                await WebSocketClose(code=1008, reason=error.code)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _headers(self, scope: Scope) -> dict[bytes, bytes]:
        """Return the headers of a request to this server; raise `UntrustedHost` for one to another."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"")
        reached = scope["server"][0] if scope.get("server") else None
        if (host, reached) not in self._known_hosts and scope["path"] not in OPEN_PATHS:
            if not self._boundary.answers_for(host.decode("latin-1"), reached):
                raise UntrustedHost(
                    f"this server does not answer for the host {host.decode('latin-1')[:200]!r}: add it to"
                    " HEADWATER_ALLOWED_HOSTS if it should"
                )
            if len(self._known_hosts) < _REMEMBERED_HOSTS:
                self._known_hosts.add((host, reached))
        if (
            len(headers) != len(scope["headers"])
            and sum(name == b"host" for name, _ in scope["headers"]) != 1
        ):
            raise UntrustedHost("expected one Host header, found several")
        return headers

    async def _identify(
        self, scope: Scope, headers: Mapping[bytes, bytes], *, open_paths: AbstractSet[str] = OPEN_PATHS
    ) -> None:
        principal = await self._authenticator.principal(scope, headers)
        if principal is None and scope["path"] not in open_paths:
            raise Unauthenticated
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["principal"] = principal


def _check_write(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    """Raise unless a write comes from no foreign page, says that it is JSON, and is no larger than any may be."""
    _check_origin(headers)
    content_type = headers.get(b"content-type")
    if content_type is None:
        # A DELETE needs no body; whatever has one must say what it is.
        if scope["method"] != "DELETE" or headers.get(b"content-length", b"0") != b"0":
            raise UnsupportedMediaType("expected content of type application/json, found none")
    elif content_type != b"application/json" and not is_json(content_type.decode("latin-1")):
        found = content_type.decode("latin-1")[:100]
        raise UnsupportedMediaType(f"expected content of type application/json, found {found!r}")
    if not scope["path"].startswith(SELF_BOUNDED_PREFIX):
        length = headers.get(b"content-length")
        if length is None and b"transfer-encoding" in headers:
            raise LengthRequired
        if length is not None and (not length.isdigit() or int(length) > MAX_BODY_BYTES):
            raise PayloadTooLarge(
                f"the body is larger than the limit of {MAX_BODY_BYTES} bytes", limit=MAX_BODY_BYTES
            )


def _check_origin(headers: Mapping[bytes, bytes]) -> None:
    """Raise `UntrustedOrigin` for a request that a page of another site sent."""
    origin = headers.get(b"origin")
    host = headers.get(b"host", b"")
    if origin is not None and not is_same_origin(origin.decode("latin-1"), host.decode("latin-1")):
        raise UntrustedOrigin(
            f"a page of {origin.decode('latin-1')[:200]!r} may not write here",
            origin=origin.decode("latin-1")[:200],
        )
    # Older browsers do not send it; where it stands, it cannot be forged by a page.
    if headers.get(b"sec-fetch-site") in {b"cross-site", b"same-site"}:
        raise UntrustedOrigin


def is_json(content_type: str) -> bool:
    """Return whether a Content-Type header names JSON."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            names = {name for name, _ in own}
            own += SECURITY_HEADERS
            own += [item for item in DEFAULT_HEADERS.items() if item[0] not in names]
            message["headers"] = own
        await send(message)

    return send_with_headers
