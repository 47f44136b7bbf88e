"""Which addresses may be connected to: an address is judged by its number, never by the name that led to it.

Sources: the IANA special-purpose address registries (RFC 6890), RFC 4291 (mapped), RFC 6052 and 8215 (NAT64), RFC 3056
(6to4), RFC 5214 (ISATAP), and the clouds' own pages about their metadata services.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Zone(IntEnum):
    """How near an address is: whoever was led somewhere by an answer may not be led nearer."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an address is not connected to."""

    reason: str


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


#: Refused whatever is allowed; the first that fits says why.
_NEVER: Sequence[tuple[str, Sequence[Network]]] = (
    # 168.63.129.16 is Azure's, 100.100.100.200 Alibaba's, 192.0.0.192 Oracle's; the fd… are Amazon's and Google's.
    (
        "a cloud's metadata service",
        _networks(
            "169.254.169.254/32",
            "169.254.170.0/24",
            "168.63.129.16/32",
            "100.100.100.200/32",
            "192.0.0.192/32",
            "fd00:ec2::/32",
            "fd20:ce::/64",
        ),
    ),
    ("link-local", _networks("169.254.0.0/16", "fe80::/10", "fec0::/10")),
    ("multicast", _networks("224.0.0.0/4", "ff00::/8")),
    ("unspecified", _networks("0.0.0.0/8", "::/128")),
    (
        "reserved",
        _networks(
            "192.0.0.0/24",
            "192.0.2.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            # Translates to an IPv4 address that only the local network knows.
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
        ),
    ),
)
_LOOPBACK = _networks("127.0.0.0/8", "::1/128")
#: 100.64.0.0/10 is what carriers and overlay networks use behind their own translation.
_PRIVATE = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
_GLOBAL = _networks("0.0.0.0/0", "2000::/3")
#: IPv6 networks whose addresses hold an IPv4 address, and by how many bits it stands from the right.
_HOLDS_IPV4 = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
#: Interface identifiers of ISATAP, which hold an IPv4 address in any network.
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})


def judge(address: Address) -> Zone | Refused:
    """Return how near the address is, or why nobody may connect to it.

    An IPv6 address that holds an IPv4 address is as near as that one, and refused where that one is.
    """
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return Refused(f"{address} is link-local")
    inner = _held_ipv4(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        verdict = judge(inner)
        if isinstance(verdict, Refused):
            return Refused(f"{address} holds an address that is refused: {verdict.reason}")
        return verdict
    for reason, networks in _NEVER:
        if _within(address, networks):
            return Refused(f"{address} is {reason}")
    for zone, networks in ((Zone.LOOPBACK, _LOOPBACK), (Zone.PRIVATE, _PRIVATE), (Zone.PUBLIC, _GLOBAL)):
        if _within(address, networks):
            return zone
    return Refused(f"{address} is not assigned")


def _within(address: Address, networks: Sequence[Network]) -> bool:
    # An address of the other family is in no network.
    return any(address in network for network in networks)


def _held_ipv4(address: IPv6Address) -> IPv4Address | None:
    number = int(address)
    if number in (0, 1):
        return None
    for network, shift in _HOLDS_IPV4:
        if address in network:
            return IPv4Address(number >> shift & 0xFFFF_FFFF)
    if number >> 32 & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(number & 0xFFFF_FFFF)
    return None


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """What the operator allows beside public addresses."""

    allow_private: bool = True
    allow_loopback: bool = False

    def check(self, address: Address, nearest: Zone | None = None) -> Zone | Refused:
        """Return how near the address is where it may be connected to, no nearer than `nearest`."""
        zone = judge(address)
        match zone:
            case Refused() | Zone.PUBLIC:
                return zone
            case Zone.PRIVATE if not self.allow_private:
                return Refused(f"{address} is private, which HEADWATER_OUTBOUND_ALLOW_PRIVATE does not allow")
            case Zone.LOOPBACK if not self.allow_loopback:
                return Refused(
                    f"{address} is this machine, which HEADWATER_OUTBOUND_ALLOW_LOOPBACK does not allow"
                )
            case Zone.PRIVATE | Zone.LOOPBACK:
                if nearest is not None and zone > nearest:
                    return Refused(f"{address} is nearer than the server that led there")
                return zone

    def permitted(
        self, addresses: Sequence[Address], nearest: Zone | None
    ) -> tuple[list[tuple[Address, Zone]], list[str]]:
        """Return the addresses that may be connected to, in their order, and why the others may not."""
        verdicts = list(self._verdicts(addresses, nearest))
        return (
            [(address, verdict) for address, verdict in verdicts if isinstance(verdict, Zone)],
            [verdict.reason for _, verdict in verdicts if isinstance(verdict, Refused)],
        )

    def _verdicts(
        self, addresses: Sequence[Address], nearest: Zone | None
    ) -> Iterator[tuple[Address, Zone | Refused]]:
        for address in addresses:
            yield address, self.check(address, nearest)
