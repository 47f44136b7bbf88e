"""The boundary of a server: which addresses and names are its own, and which web pages may write to it.

A web page can make a browser reach a loopback port. The Host allowlist stops names that an attacker lets point here
(DNS rebinding), the Origin check stops pages of other sites.
"""

import functools
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.errors import ConfigurationError
from catalog.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
#: A proxy adds one of these: the sender is not on this machine then, although the connection is.
FORWARDING_HEADERS = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def resolve(host: str, port: int) -> tuple[int, tuple[Any, ...]]:
    """Return address family and socket address for a host name or address; IPv4 is preferred.

    Raises `ConfigurationError` where the name is unknown.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigurationError(
            f"expected a host name or address to listen on, found {host!r}: {error}"
        ) from error
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def plain_address(address: str) -> str:
    """Return the address without its zone, and an IPv4 one as such where a socket for both versions shows it."""
    return address.partition("%")[0].removeprefix("::ffff:")


@functools.lru_cache(maxsize=256)
def is_loopback_address(address: str) -> bool:
    """Return whether the address is one that only this machine reaches."""
    try:
        return ipaddress.ip_address(plain_address(address)).is_loopback
    except ValueError:
        return False


def host_name(authority: str) -> str:
    """Return the lower-case name in `name:port`, `[address]:port` or either without a port."""
    authority = authority.strip().lower()
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    name, colon, port = authority.rpartition(":")
    return name.rstrip(".") if colon and port.isdigit() and ":" not in name else authority.rstrip(".")


@dataclass(frozen=True, slots=True)
class Boundary:
    """What the server listens on and answers for."""

    #: Only this machine can connect.
    loopback_only: bool
    #: Names by which the machine itself reaches the server.
    own_names: frozenset[str]
    #: Names that settings add; a request to one of them came from anywhere.
    further_names: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "Boundary":
        """Return the boundary that the settings draw; raises `ConfigurationError` for an unknown host."""
        _, address = resolve(settings.host, settings.port)
        own = LOOPBACK_NAMES | {host_name(settings.host), plain_address(str(address[0]))}
        further = frozenset(host_name(name) for name in settings.allowed_hosts)
        return cls(is_loopback_address(str(address[0])), own, further - LOOPBACK_NAMES)

    def answers_for(self, host: str, reached: str | None) -> bool:
        """Return whether the Host header names this server; `reached` is the address that the connection came to.

        An address cannot be rebound as a name can, so the address that was really reached is always right.
        """
        name = host_name(host)
        known = name in self.own_names or name in self.further_names
        return known or (reached is not None and name == plain_address(reached))

    def is_own(self, host: str) -> bool:
        """Return whether the Host header has a name by which the machine itself reaches the server."""
        return host_name(host) in self.own_names


def is_forwarded(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a proxy passed the request on."""
    return any(name in headers for name in FORWARDING_HEADERS)


def is_same_machine(scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the connection of the ASGI scope came from this very machine."""
    client, server = scope.get("client"), scope.get("server")
    if not client or is_forwarded(headers):
        return False
    return is_loopback_address(client[0]) or bool(server and client[0] == server[0])


def is_same_origin(origin: str, host: str) -> bool:
    """Return whether the page of the Origin header was served under the name in the Host header."""
    scheme, separator, authority = origin.strip().lower().partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        return False
    default = _DEFAULT_PORTS[scheme]
    return authority.removesuffix(default) == host.strip().lower().removesuffix(default)
