"""Sends one request, follows where it is sent, and says what came of it and whether anybody can have seen it."""

import asyncio
import dataclasses
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from hooks.outbound.addresses import OutboundPolicy, Zone
from hooks.outbound.exchange import (
    Answered,
    Bounds,
    Exchange,
    NotSent,
    OutboundRequest,
    Unanswered,
    origin_of,
)
from hooks.outbound.resolving import Resolver, SystemResolver
from hooks.outbound.transport import NEAREST, ZONE, AddressRefused, CheckedTransport

MAX_REDIRECTS = 5
#: What is followed: a method that may act is repeated elsewhere only where the server says that it did not act itself.
_FOLLOWED_SAFE = frozenset({301, 302, 303, 307, 308})
_FOLLOWED_ACTING = frozenset({307, 308})
_SAFE_METHODS = frozenset({"GET", "HEAD"})
USER_AGENT = "headwater"
#: Bytes as h11 quotes them at the end of what it says of a malformed answer.
_SERVERS_BYTES = re.compile(r"""\b(?:bytearray\()?b['"].*""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Redirect:
    """The server sent the request on to another URL."""

    url: httpx.URL
    zone: Zone


class OutboundClient:
    """Sends requests; holds no cookies, keeps no connection and takes nothing from the environment."""

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        context = httpx.create_ssl_context(trust_env=False) if tls is None else tls
        self._resolver = resolver or SystemResolver()
        self._transport = CheckedTransport(policy, self._resolver, tls=context, proxy=proxy)

    async def send(self, request: OutboundRequest, bounds: Bounds) -> Exchange:
        """Send the request and return what came of it; every failure is a value, and none shows a header."""
        hop = _Hop()
        try:
            async with asyncio.timeout(bounds.total_seconds):
                return await self._follow(request, bounds, hop)
        except TimeoutError:
            return hop.failed(f"it took longer than {bounds.total_seconds:g} s")

    async def _follow(self, request: OutboundRequest, bounds: Bounds, hop: "_Hop") -> Exchange:
        try:
            url = httpx.URL(request.url)
            origin = origin_of(request.url)
        except (httpx.InvalidURL, UnicodeError):
            # Its own words may hold a piece of a password.
            return NotSent("this is no URL", permanent=True)
        nearest = request.nearest
        for _ in range(MAX_REDIRECTS + 1):
            fault = _fault(url)
            if fault is not None:
                return NotSent(fault, permanent=True)
            hop.begin(str(url))
            own = origin_of(str(url)) == origin
            outcome = await self._exchange(request, url, nearest, bounds, hop, own=own)
            if not isinstance(outcome, _Redirect):
                return outcome
            if url.scheme == "https" and outcome.url.scheme != "https":
                return NotSent(f"{origin_of(str(url))} redirects from https to http", permanent=True)
            if request.own_origin_only and origin_of(str(outcome.url)) != origin:
                return NotSent(f"{origin} redirects to {origin_of(str(outcome.url))}", permanent=True)
            nearest = outcome.zone if nearest is None else min(nearest, outcome.zone)
            url = outcome.url
        return NotSent(f"{origin} redirects more than {MAX_REDIRECTS} times", permanent=True)

    async def _exchange(
        self,
        request: OutboundRequest,
        url: httpx.URL,
        nearest: Zone | None,
        bounds: Bounds,
        hop: "_Hop",
        *,
        own: bool,
    ) -> Exchange | _Redirect:
        times = httpx.Timeout(bounds.total_seconds, connect=bounds.connect_seconds).as_dict()
        try:
            headers = httpx.Headers({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
            headers.update(request.headers)
            headers.update(request.origin_headers if own else {})
            sent = httpx.Request(
                request.method,
                url,
                headers=headers,
                content=request.body,
                extensions={"timeout": times, "trace": hop.trace, NEAREST: nearest},
            )
            response = await self._transport.handle_async_request(sent)
        except AddressRefused as error:
            return NotSent(f"{origin_of(str(url))} is refused: {error}", permanent=True)
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, UnicodeError):
            # Their own words may hold the value of a header.
            return NotSent("this cannot be sent: a header or the URL is malformed", permanent=True)
        except httpx.HTTPError as error:
            return hop.failed(_told(error))
        try:
            return await self._read(request, url, response, bounds, hop)
        finally:
            await response.aclose()

    async def _read(
        self,
        request: OutboundRequest,
        url: httpx.URL,
        response: httpx.Response,
        bounds: Bounds,
        hop: "_Hop",
    ) -> Answered | NotSent | _Redirect:
        zone: Zone = response.extensions[ZONE]
        followed = _FOLLOWED_SAFE if request.method in _SAFE_METHODS else _FOLLOWED_ACTING
        location = response.headers.get("location")
        if response.status_code in followed and location is not None:
            try:
                return _Redirect(url.join(location), zone)
            except (httpx.InvalidURL, UnicodeError, ValueError):
                return NotSent(f"{origin_of(str(url))} redirects to what is no URL", permanent=True)
        headers = {name: ", ".join(response.headers.get_list(name)) for name in response.headers}
        answer = Answered(response.status_code, headers, b"", str(url), zone)
        return await hop.with_body(answer, response, bounds.answer_bytes)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._transport.aclose()
        self._resolver.close()


class _Hop:
    """What is known of the exchange with one server: how far it got decides what a failure means."""

    def __init__(self) -> None:
        self._origin = ""
        self._sent = False
        self._answer: Answered | None = None
        self._body = bytearray()

    def begin(self, url: str) -> None:
        """Begin anew with another server."""
        self._origin = origin_of(url)
        self._sent = False

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Hear from httpcore how far it is; the request to a proxy to open a tunnel is not the request."""
        if event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            self._sent = True

    def failed(self, reason: str) -> Exchange:
        """Return what it means that the exchange ended here."""
        if self._answer is not None:
            return self._cut(self._answer, reason)
        told = f"{self._origin}: {reason}" if self._origin else reason
        return Unanswered(told) if self._sent else NotSent(told, permanent=False)

    async def with_body(self, answer: Answered, response: httpx.Response, longest: int) -> Answered:
        """Take in the body up to its bound; whatever becomes of it, the status stands."""
        coding = answer.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            # Nobody asked for it, and what a few bytes unpack to has no bound.
            return self._cut(answer, f"the answer is packed as {coding:.40}, which was not asked for")
        self._answer = answer
        try:
            async for chunk in response.aiter_raw():
                self._body += chunk
                if len(self._body) > longest:
                    del self._body[longest:]
                    return self._cut(answer, f"the answer is longer than {longest} bytes")
        except httpx.HTTPError as error:
            return self._cut(answer, f"the answer broke off: {_told(error)}")
        return self._cut(answer, None)

    def _cut(self, answer: Answered, reason: str | None) -> Answered:
        return dataclasses.replace(answer, body=bytes(self._body), cut=reason)


def _fault(url: httpx.URL) -> str | None:
    """Return what keeps a URL from being asked; the URL itself may hold what must not be shown."""
    if url.scheme not in ("http", "https"):
        return f"expected a URL of http or https, found {url.scheme or 'none'!r:.40}"
    if not url.host:
        return "expected a URL with a host, found none"
    if url.userinfo:
        return "expected a URL without user and password, found them"
    return None


def _told(error: BaseException) -> str:
    """Return the innermost cause of a failure in words, without the server's own: it may send back what it was sent."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    told = next((text for found in reversed(causes) if (text := str(found).strip())), "")
    told = _SERVERS_BYTES.sub("…", told)
    name = type(error).__name__
    return f"{name}: {told}"[:300] if told else name
