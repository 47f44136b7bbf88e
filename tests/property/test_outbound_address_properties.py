"""An address that holds another is never judged more kindly than the one it holds."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from hooks.outbound.addresses import Refused, Zone, judge

NEVER = [
    ipaddress.ip_network(text)
    for text in ("169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "0.0.0.0/8", "168.63.129.16/32")
]
FORMS = {
    "mapped": lambda inner: 0xFFFF << 32 | inner,
    "translated": lambda inner: 0xFFFF << 48 | inner,
    "compatible": lambda inner: inner,
    "nat64": lambda inner: 0x64FF9B << 96 | inner,
    "6to4": lambda inner: 0x2002 << 112 | inner << 80 | 0x1234,
    "isatap": lambda inner: 0x20014860 << 96 | 0x5EFE << 32 | inner,
}
inner_addresses = st.one_of(
    st.integers(2, 2**32 - 1),
    *[st.integers(int(network.network_address) or 2, int(network.broadcast_address)) for network in NEVER],
)


@given(inner=inner_addresses, form=st.sampled_from(sorted(FORMS)))
def test_a_held_address_decides(inner: int, form: str) -> None:
    plain = judge(IPv4Address(inner))
    holding = judge(IPv6Address(FORMS[form](inner)))

    if isinstance(plain, Refused):
        assert isinstance(holding, Refused)
    else:
        assert holding is plain


@given(number=st.integers(0, 2**32 - 1))
def test_every_ipv4_address_has_one_verdict(number: int) -> None:
    address = IPv4Address(number)
    found = judge(address)

    # Python's own registry is a second opinion: what it calls global is public here, but for what clouds took from it.
    if found is Zone.PUBLIC:
        assert address.is_global
    if any(address in network for network in NEVER):
        assert isinstance(found, Refused)
    if address.is_loopback:
        assert found is Zone.LOOPBACK


@given(number=st.integers(2**32, 2**128 - 1))
def test_no_special_ipv6_address_is_public(number: int) -> None:
    address = IPv6Address(number)

    if address.is_multicast or address.is_link_local or address.is_site_local or address.is_reserved:
        assert judge(address) is not Zone.PUBLIC
    if address.is_private and address.ipv4_mapped is None:
        assert judge(address) is not Zone.PUBLIC
