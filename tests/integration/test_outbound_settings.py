"""What the settings make of the outbound client."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from catalog.errors import ConfigurationError
from catalog.settings import Settings
from hooks.outbound import Answered, Bounds, Exchange, NotSent, OutboundRequest
from tests.support.http_double import http_double
from web.bootstrap import outbound_client


def get(url: str, **settings: Any) -> Exchange:
    async def run() -> Exchange:
        client = outbound_client(Settings(**settings))
        try:
            return await client.send(OutboundRequest("GET", url), Bounds(2.0, 2.0))
        finally:
            await client.aclose()

    return asyncio.run(run())


def test_a_worker_on_its_own_leaves_its_machine_alone_unless_it_is_told() -> None:
    with http_double(lambda _, reply: reply.send(200)) as double:
        assert isinstance(get(double.url), NotSent)
        assert isinstance(get(double.url, outbound_allow_loopback=False), NotSent)
        assert double.heard == []
        assert isinstance(get(double.url, outbound_allow_loopback=True), Answered)


def test_private_networks_can_be_closed() -> None:
    # Refused before anything is sent: nobody needs to be there.
    answer = get("http://10.0.0.1/", outbound_allow_private=False)

    assert isinstance(answer, NotSent)
    assert answer.permanent


def test_further_authorities_are_trusted_beside_the_others(tmp_path: Path) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    bundle = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with http_double(lambda _, reply: reply.send(200), tls=server) as double:
        assert isinstance(get(double.url, outbound_allow_loopback=True), NotSent)
        assert isinstance(get(double.url, outbound_allow_loopback=True, outbound_ca_bundle=bundle), Answered)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bundle_that_is_none_ends_the_start(tmp_path: Path, content: str | None) -> None:
    bundle = tmp_path / "authorities.pem"
    if content is not None:
        bundle.write_text(content)

    with pytest.raises(ConfigurationError, match="HEADWATER_OUTBOUND_CA_BUNDLE cannot be read"):
        outbound_client(Settings(outbound_ca_bundle=bundle))


def test_a_proxy_is_what_the_setting_says() -> None:
    with http_double(lambda _, reply: reply.send(200, b"by proxy")) as proxy:
        answer = get("http://engine.example/", outbound_proxy=proxy.url)

    assert isinstance(answer, Answered)
    assert answer.body == b"by proxy"
