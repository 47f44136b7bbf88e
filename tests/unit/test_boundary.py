import pytest

from catalog.errors import ConfigurationError
from catalog.settings import Settings
from tests.support.web import ALL_ADDRESSES
from web.access.boundary import Boundary, host_name, is_loopback_address, is_same_machine, is_same_origin


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8642", "localhost"),
        ("localhost.:80", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:8642", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("a:b:80", "a:b:80"),
        ("name:", "name:"),
        ("", ""),
    ],
)
def test_the_name_in_a_host_header(authority: str, name: str) -> None:
    assert host_name(authority) == name


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://localhost:8642", "localhost:8642", True),
        ("http://LOCALHOST:8642", "localhost:8642", True),
        ("https://catalog.example.com", "catalog.example.com", True),
        ("https://catalog.example.com", "catalog.example.com:443", True),
        ("http://catalog.example.com:80", "catalog.example.com", True),
        ("http://localhost", "localhost:8642", False),
        ("http://localhost:8642", "127.0.0.1:8642", False),
        ("http://example.com", "localhost:8642", False),
        ("file://", "", False),
        ("null", "localhost:8642", False),
        ("", "", False),
        ("chrome-extension://abc", "abc", False),
    ],
)
def test_the_page_and_the_server_are_one(origin: str, host: str, same: bool) -> None:
    assert is_same_origin(origin, host) is same


@pytest.mark.parametrize(
    ("host", "loopback_only"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("localhost", True),
        ("::1", True),
        (ALL_ADDRESSES, False),
        ("::", False),
        ("192.0.2.1", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, loopback_only: bool) -> None:
    assert Boundary.of(Settings(host=host)).loopback_only is loopback_only


@pytest.mark.parametrize("host", ["no.such.host.invalid", "not a host", "x" * 300, "host..name"])
def test_a_host_that_is_none_is_a_matter_of_configuration(host: str) -> None:
    with pytest.raises(ConfigurationError, match="listen"):
        Boundary.of(Settings(host=host))


def test_the_address_that_was_reached_is_right_and_a_name_must_be_known() -> None:
    boundary = Boundary.of(Settings(host=ALL_ADDRESSES, allowed_hosts=["catalog.example.com"]))
    assert boundary.answers_for("192.0.2.1:8642", "192.0.2.1")
    assert boundary.answers_for("192.0.2.1:8642", "::ffff:192.0.2.1")
    assert not boundary.answers_for("192.0.2.2:8642", "192.0.2.1")
    assert boundary.answers_for("catalog.example.com", "192.0.2.1")
    assert not boundary.answers_for("example.com", "192.0.2.1")
    assert boundary.is_own("localhost")
    assert not boundary.is_own("catalog.example.com")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_addresses(address: str) -> None:
    assert is_loopback_address(address)


@pytest.mark.parametrize(
    "address", [ALL_ADDRESSES, "192.0.2.1", "fe80::1%lo", "::", "localhost", "", "127.0.0.1.example"]
)
def test_other_addresses(address: str) -> None:
    assert not is_loopback_address(address)


def test_a_connection_from_this_machine() -> None:
    assert is_same_machine({"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}, {})
    assert is_same_machine({"client": ("192.0.2.1", 1), "server": ("192.0.2.1", 2)}, {})
    assert not is_same_machine({"client": ("192.0.2.9", 1), "server": ("192.0.2.1", 2)}, {})
    assert not is_same_machine({"client": None, "server": ("127.0.0.1", 2)}, {})
    assert not is_same_machine({"client": ("127.0.0.1", 1), "server": None}, {b"via": b"proxy"})
