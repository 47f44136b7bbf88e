"""Which addresses the outbound client connects to."""

import ipaddress

import pytest

from hooks.outbound.addresses import OutboundPolicy, Refused, Zone, judge


def verdict(text: str) -> Zone | Refused:
    return judge(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "8.8.8.8", "172.32.0.1", "192.167.255.255", "2606:4700::1111", "64:ff9b::1.1.1.1"]
)
def test_public_addresses(text: str) -> None:
    assert verdict(text) is Zone.PUBLIC


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1"],
)
def test_private_addresses(text: str) -> None:
    assert verdict(text) is Zone.PRIVATE


@pytest.mark.parametrize("text", ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "2002:7f00:1::"])
def test_loopback_addresses(text: str) -> None:
    assert verdict(text) is Zone.LOOPBACK


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("168.63.129.16", "metadata"),
        ("100.100.100.200", "metadata"),
        ("192.0.0.192", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("fd20:ce::254", "metadata"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),  # noqa: S104 - judged, never bound to
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        ("192.0.2.1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "reserved"),
        ("64:ff9b:1::169.254.169.254", "reserved"),
        ("100::1", "reserved"),
        ("::ffff:169.254.169.254", "metadata"),
        ("::ffff:0:169.254.169.254", "metadata"),
        ("::169.254.169.254", "metadata"),
        ("64:ff9b::169.254.169.254", "metadata"),
        ("2002:a9fe:a9fe::1", "metadata"),
        ("2001:4860::5efe:a9fe:a9fe", "metadata"),
        ("2001:4860::200:5efe:a9fe:a9fe", "metadata"),
        ("5f00::1", "not assigned"),
        ("4000::1", "not assigned"),
    ],
)
def test_what_is_never_connected_to(text: str, reason: str) -> None:
    found = verdict(text)

    assert isinstance(found, Refused)
    assert reason in found.reason
    assert str(ipaddress.ip_address(text)) in found.reason


def test_loopback_and_private_networks_are_the_operators_choice() -> None:
    private, loopback = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("127.0.0.1")

    assert OutboundPolicy().check(private) is Zone.PRIVATE
    refused = OutboundPolicy().check(loopback)
    assert isinstance(refused, Refused)
    assert "HEADWATER_OUTBOUND_ALLOW_LOOPBACK" in refused.reason
    assert OutboundPolicy(allow_loopback=True).check(loopback) is Zone.LOOPBACK
    refused = OutboundPolicy(allow_private=False).check(private)
    assert isinstance(refused, Refused)
    assert "HEADWATER_OUTBOUND_ALLOW_PRIVATE" in refused.reason


@pytest.mark.parametrize(
    ("nearest", "text", "permitted"),
    [
        (Zone.PUBLIC, "1.1.1.1", True),
        (Zone.PUBLIC, "10.0.0.1", False),
        (Zone.PRIVATE, "10.0.0.1", True),
        (Zone.PRIVATE, "127.0.0.1", False),
        (Zone.LOOPBACK, "127.0.0.1", True),
        (Zone.LOOPBACK, "10.0.0.1", True),
    ],
)
def test_nobody_is_led_nearer(nearest: Zone, text: str, permitted: bool) -> None:
    policy = OutboundPolicy(allow_loopback=True)

    assert isinstance(policy.check(ipaddress.ip_address(text), nearest), Zone) is permitted
