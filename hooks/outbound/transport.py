"""Connects to the very address that was checked, so that a name cannot change its meaning in between.

The host stays in the `Host` header, in TLS's server name and in what the certificate is checked against; only the
connection goes to the number. Connections are not kept: what a kept one was opened for would have to be checked too,
and an answer that is lost on one says nothing about whether the request arrived.
"""

import ipaddress
import ssl
from collections.abc import Sequence

import httpx

from hooks.outbound.addresses import Address, OutboundPolicy, Zone
from hooks.outbound.resolving import Resolver

#: Keys of a request's and an answer's extensions.
NEAREST, ZONE = "headwater.nearest", "headwater.zone"


class AddressRefused(httpx.TransportError):
    """No address of the host may be connected to."""


class CheckedTransport(httpx.AsyncBaseTransport):
    """Sends each request on a connection of its own to an address that the policy permits.

    With a proxy it is the proxy that resolves names and decides on them; addresses written as numbers are judged here.
    """

    def __init__(
        self, policy: OutboundPolicy, resolver: Resolver, *, tls: ssl.SSLContext, proxy: str | None
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._behind_proxy = proxy is not None
        self._inner = httpx.AsyncHTTPTransport(
            verify=tls,
            trust_env=False,
            proxy=proxy,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, whose extensions say how near it came from.

        Raises `AddressRefused`, `httpx.ConnectError` where no address can be connected to, and what else httpx raises.
        """
        nearest: Zone | None = request.extensions.get(NEAREST)
        host = request.url.raw_host.decode("ascii")
        literal = _literal(host)
        if self._behind_proxy and literal is None:
            response = await self._inner.handle_async_request(request)
            response.extensions[ZONE] = Zone.PUBLIC
            return response
        found = [literal] if literal is not None else await self._resolve(host, _port(request.url))
        permitted, refused = self._policy.permitted(found, nearest)
        if not permitted:
            raise AddressRefused(refused[0] if refused else f"{host} has no address")
        failure: httpx.HTTPError | None = None
        for address, zone in permitted:
            try:
                response = await self._inner.handle_async_request(_to_address(request, address, host))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = failure or error
                continue
            response.extensions[ZONE] = zone
            return response
        raise failure or httpx.ConnectError(f"{host} has no address")

    async def _resolve(self, host: str, port: int) -> Sequence[Address]:
        try:
            return await self._resolver.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"the name {host} cannot be resolved: {error}") from error

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        # Also what only old resolvers take for a number, such as 127.1: it is resolved, and judged then.
        return None


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _to_address(request: httpx.Request, address: Address, host: str) -> httpx.Request:
    """Return the request for this address; its headers hold the host already."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
