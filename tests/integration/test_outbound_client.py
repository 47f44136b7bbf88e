"""The outbound client against real servers on this machine: what it connects to, follows, takes in and says."""

import asyncio
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from hooks.outbound import (
    Answered,
    Bounds,
    Exchange,
    NotSent,
    OutboundClient,
    OutboundPolicy,
    OutboundRequest,
    Unanswered,
    Zone,
)
from hooks.outbound.addresses import Address
from tests.support.http_double import Heard, HttpDouble, Manners, Reply, TwoZones, http_double
from tests.support.processes import free_port

HERE = OutboundPolicy(allow_loopback=True)
QUICK = Bounds(connect_seconds=1.0, total_seconds=1.0)


class Names:
    """A resolver with its own mind: each look-up of a name takes the next of its answers, the last for ever."""

    def __init__(self, **answers: Sequence[str | list[str]]) -> None:
        self._answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []

    async def addresses(self, host: str, port: int) -> Sequence[Address]:  # noqa: ARG002 - the form of the port
        self.asked.append(host)
        answers = self._answers.get(host)
        if not answers:
            raise OSError(f"nobody knows {host}")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [ipaddress.ip_address(text) for text in ([found] if isinstance(found, str) else found)]

    def close(self) -> None:
        pass


def exchange(
    request: OutboundRequest,
    *,
    policy: OutboundPolicy = HERE,
    bounds: Bounds = QUICK,
    **options: Any,
) -> Exchange:
    async def run() -> Exchange:
        client = OutboundClient(policy, **options)
        try:
            return await client.send(request, bounds)
        finally:
            await client.aclose()

    return asyncio.run(run())


def get(url: str, **options: Any) -> Exchange:
    return exchange(OutboundRequest("GET", url), **options)


@pytest.fixture
def double() -> Iterator[HttpDouble]:
    with http_double(lambda _, reply: reply.send(200, {"state": "ok"})) as found:
        yield found


def redirecting(*steps: tuple[int, str]) -> Manners:
    """Answer the request to `/N` with step N, and what comes after the last with 200."""

    def manners(heard: Heard, reply: Reply) -> None:
        number = int(heard.path.strip("/") or 0)
        if number < len(steps):
            reply.send(steps[number][0], Location=steps[number][1])
        else:
            reply.send(200, b"arrived")

    return manners


def test_a_request_arrives_as_it_was_given_and_the_answer_comes_back(double: HttpDouble) -> None:
    request = OutboundRequest(
        "POST",
        f"{double.url}/a%2Fb?c=%26",
        headers={"Content-Type": "application/json"},
        origin_headers={"Authorization": "Bearer hush"},
        body=b'{"x": 1}',
    )

    answer = exchange(request)

    assert isinstance(answer, Answered)
    assert (answer.status, answer.body, answer.cut) == (200, b'{"state": "ok"}', None)
    assert answer.zone is Zone.LOOPBACK
    [heard] = double.heard
    assert (heard.method, heard.path, heard.body) == ("POST", "/a%2Fb?c=%26", b'{"x": 1}')
    assert heard.headers["Host"] == f"127.0.0.1:{double.port}"
    assert heard.headers["Authorization"] == "Bearer hush"
    assert heard.headers["Accept-Encoding"] == "identity"


def test_what_the_environment_says_of_proxies_and_passwords_is_not_heard(
    double: HttpDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    answer = get(double.url)

    assert isinstance(answer, Answered)
    assert "Authorization" not in double.heard[0].headers


def test_no_cookie_is_kept() -> None:
    with http_double(lambda _, reply: reply.send(200, Set_Cookie="a=b; Path=/")) as double:

        async def twice() -> None:
            client = OutboundClient(HERE)
            for _ in range(2):
                await client.send(OutboundRequest("GET", double.url), QUICK)
            await client.aclose()

        asyncio.run(twice())
        assert len(double.heard) == 2
        assert "Cookie" not in double.heard[1].headers


def test_this_machine_is_refused_unless_it_is_allowed(double: HttpDouble) -> None:
    names = Names(engine_example=["127.0.0.1"])

    for url in (
        double.url,
        f"http://engine.example:{double.port}",
        f"http://[::ffff:127.0.0.1]:{double.port}",
    ):
        answer = get(url, policy=OutboundPolicy(), resolver=names)
        assert isinstance(answer, NotSent)
        assert answer.permanent
        assert "HEADWATER_OUTBOUND_ALLOW_LOOPBACK" in answer.reason
    assert double.heard == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        # What only the resolver takes for a number.
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://169.254.43518/",
    ],
)
def test_a_metadata_address_is_refused_however_it_is_written(url: str) -> None:
    answer = get(url)

    assert isinstance(answer, NotSent)
    assert answer.permanent
    assert "metadata" in answer.reason


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "http:///x",
        "http://me:hush@127.0.0.1/",
        "http://me:hush/x@y/",
        "x",
        "",
    ],
)
def test_only_plain_http_urls_are_asked(url: str) -> None:
    answer = get(url)

    assert isinstance(answer, NotSent)
    assert answer.permanent
    assert "hush" not in answer.reason


def test_a_name_that_changes_between_check_and_connection_changes_nothing(double: HttpDouble) -> None:
    # The second look-up would give another address: there is none, so what was checked is what is connected to.
    names = Names(engine_example=["127.0.0.1", "169.254.169.254"])

    answer = get(f"http://engine.example:{double.port}/", resolver=names)

    assert isinstance(answer, Answered)
    assert names.asked == ["engine.example"]
    assert double.heard[0].headers["Host"] == f"engine.example:{double.port}"


def test_a_name_that_comes_to_point_at_metadata_is_refused_the_next_time(double: HttpDouble) -> None:
    names = Names(engine_example=["127.0.0.1", "169.254.169.254"])
    get(f"http://engine.example:{double.port}/", resolver=names)

    answer = get(f"http://engine.example:{double.port}/", resolver=names)

    assert isinstance(answer, NotSent)
    assert "metadata" in answer.reason
    assert len(double.heard) == 1


def test_of_several_addresses_those_that_are_permitted_are_tried_in_turn() -> None:
    with http_double(lambda _, reply: reply.send(200), host="127.0.0.2") as double:
        names = Names(engine_example=[["169.254.169.254", "127.0.0.1", "127.0.0.2"]])

        # Nothing listens on 127.0.0.1 at this port.
        answer = get(f"http://engine.example:{double.port}/", resolver=names)

        assert isinstance(answer, Answered)


def test_a_refused_connection_and_an_unknown_name_are_safe_to_repeat() -> None:
    for url in (f"http://127.0.0.1:{free_port()}/", "http://nobody.example/"):
        answer = get(url, resolver=Names())
        assert isinstance(answer, NotSent)
        assert not answer.permanent
        assert url.split("/")[2].split(":")[0] in answer.reason


def test_redirects_are_followed_and_each_is_checked() -> None:
    steps = redirecting((302, "/1"), (301, "/2"), (303, "/3"), (307, "/4"), (308, "/5"))
    with http_double(steps) as double:
        answer = get(f"{double.url}/0")
        assert isinstance(answer, Answered)
        assert answer.body == b"arrived"
        assert answer.url == f"{double.url}/5"
    with http_double(redirecting(*[(302, f"/{number + 1}") for number in range(6)])) as double:
        answer = get(f"{double.url}/0")
        assert isinstance(answer, NotSent)
        assert "more than 5 times" in answer.reason
        assert len(double.heard) == 6


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/iam/", "metadata"),
        ("http://[fd00:ec2::254]/", "metadata"),
        ("http://metadata.google.internal/", "metadata"),
        ("file:///etc/passwd", "expected a URL of http or https"),
        ("http://me:hush@127.0.0.1/", "without user and password"),
        ("http://[::1", "no URL"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_may_not_lead_where_a_request_may_not_go(method: str, location: str, reason: str) -> None:
    names = Names(metadata_google_internal=["169.254.169.254"])
    with http_double(redirecting((307, location))) as double:
        answer = exchange(OutboundRequest(method, f"{double.url}/0"), resolver=names)

        assert isinstance(answer, NotSent)
        assert answer.permanent
        assert reason in answer.reason
        assert "hush" not in answer.reason


def test_a_public_server_may_not_lead_to_a_private_one(double: HttpDouble) -> None:
    request = OutboundRequest("GET", double.url, nearest=Zone.PUBLIC)

    answer = exchange(request)

    assert isinstance(answer, NotSent)
    assert "nearer than the server that led there" in answer.reason
    assert double.heard == []


def test_a_redirect_may_not_lead_nearer() -> None:
    with http_double(lambda _, reply: reply.send(200), host="127.0.0.2") as near:
        # By two steps: the first leads nowhere near, and the second is judged by where it began.
        with http_double(redirecting((307, "/1"), (307, near.url))) as far:
            answer = get(f"{far.url}/0", policy=TwoZones(allow_loopback=True))

            assert isinstance(answer, NotSent)
            assert "nearer than the server that led there" in answer.reason
            assert isinstance(get(f"{far.url}/0"), Answered)
        assert len(near.heard) == 1


def test_what_may_act_is_only_sent_on_where_nothing_was_done() -> None:
    with http_double(redirecting((307, "/1"), (308, "/2"))) as double:
        answer = exchange(OutboundRequest("POST", f"{double.url}/0", body=b"x"))
        assert isinstance(answer, Answered)
        assert answer.status == 200
        assert [(heard.method, heard.body) for heard in double.heard] == [("POST", b"x")] * 3
    for status in (301, 302, 303):
        with http_double(redirecting((status, "/1"))) as double:
            answer = exchange(OutboundRequest("POST", f"{double.url}/0", body=b"x"))
            assert isinstance(answer, Answered)
            assert (answer.status, answer.headers["location"]) == (status, "/1")
            assert len(double.heard) == 1


def test_credentials_stay_with_their_origin(double: HttpDouble) -> None:
    for location in (f"http://127.0.0.1:{double.port}/x", f"http://other.example:{double.port}/x"):
        names = Names(other_example=["127.0.0.1"])
        with http_double(redirecting((307, location))) as first:
            request = OutboundRequest(
                "POST",
                f"{first.url}/0",
                headers={"Idempotency-Key": "1"},
                origin_headers={"Authorization": "hush", "X-Key": "hush"},
            )
            assert isinstance(exchange(request, resolver=names), Answered)
            assert first.heard[0].headers["Authorization"] == "hush"
    for heard in double.heard:
        assert heard.headers["Idempotency-Key"] == "1"
        assert "hush" not in heard.headers.values()


def test_a_server_that_never_answers_leaves_its_request_unanswered() -> None:
    gone = threading.Event()

    def silent(_heard: Heard, _reply: Reply) -> None:
        gone.wait(10)

    with http_double(silent) as double:
        begun = time.monotonic()
        answer = get(double.url)
        taken = time.monotonic() - begun
        gone.set()

        assert isinstance(answer, Unanswered)
        assert "longer than 1 s" in answer.reason
        assert taken < 2


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 2", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000]
)
def test_an_answer_that_is_none_leaves_its_request_unanswered(data: bytes) -> None:
    with http_double(lambda _, reply: reply.raw(data)) as double:
        answer = get(double.url)

        assert isinstance(answer, Unanswered)
        assert double.url in answer.reason


def drip(_: Heard, reply: Reply) -> None:
    reply.raw(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\nLocation: /runs/1\r\n\r\n")
    for _ in range(100):
        reply.raw(b"x")
        time.sleep(0.05)


def test_an_answer_that_drips_is_cut_in_time_and_its_status_stands() -> None:
    with http_double(drip) as double:
        begun = time.monotonic()
        answer = exchange(OutboundRequest("POST", double.url))

        assert time.monotonic() - begun < 2
        assert isinstance(answer, Answered)
        assert (answer.status, answer.headers["location"]) == (202, "/runs/1")
        assert answer.cut is not None
        assert set(answer.body) == {ord("x")}


def drip_head(_: Heard, reply: Reply) -> None:
    reply.raw(b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
        reply.raw(b"X-%d: y\r\n" % number)
        time.sleep(0.05)


def test_headers_that_drip_are_no_answer() -> None:
    with http_double(drip_head) as double:
        begun = time.monotonic()
        assert isinstance(get(double.url), Unanswered)
        assert time.monotonic() - begun < 2


def test_a_huge_answer_is_cut_at_its_bound() -> None:
    def endless(_: Heard, reply: Reply) -> None:
        reply.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            reply.raw(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    with http_double(endless) as double:
        answer = get(double.url)

        assert isinstance(answer, Answered)
        assert len(answer.body) == 1024 * 1024
        assert answer.cut == "the answer is longer than 1048576 bytes"


def test_a_packed_answer_is_not_unpacked() -> None:
    with http_double(lambda _, reply: reply.send(200, b"\x1f\x8b...", Content_Encoding="gzip")) as double:
        answer = get(double.url)

        assert isinstance(answer, Answered)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.cut is not None
        assert "packed as gzip" in answer.cut


def test_an_answer_that_breaks_off_is_told_as_such() -> None:
    with http_double(
        lambda _, reply: reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    ) as double:
        answer = get(double.url)

        assert isinstance(answer, Answered)
        assert answer.body == b"abc"
        assert answer.cut is not None
        assert "broke off" in answer.cut


def test_a_header_that_is_none_is_never_sent(double: HttpDouble) -> None:
    for value in ("a\r\nX-Injected: b", "a\nb", "\0"):
        answer = exchange(OutboundRequest("GET", double.url, headers={"X-A": value}))
        assert isinstance(answer, NotSent)
        assert answer.permanent
    assert double.heard == []


class Authority:
    """A certificate authority of the test's own, and a server with a certificate for a name."""

    def __init__(self, *names: str) -> None:
        authority = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self.server)
        self.client = ssl.create_default_context()
        authority.configure_trust(self.client)
        self.names: list[str | None] = []
        self.server.sni_callback = lambda _socket, name, _context: self.names.append(name)


def test_tls_is_checked_against_the_name_and_not_the_address() -> None:
    authority = Authority("engine.example")
    with http_double(lambda _, reply: reply.send(200), tls=authority.server) as double:
        names = Names(engine_example=["127.0.0.1"], other_example=["127.0.0.1"])

        assert isinstance(
            get(f"https://engine.example:{double.port}/", resolver=names, tls=authority.client), Answered
        )
        assert authority.names == ["engine.example"]
        assert double.heard[0].headers["Host"] == f"engine.example:{double.port}"
        for url in (f"https://other.example:{double.port}/", f"https://127.0.0.1:{double.port}/"):
            answer = get(url, resolver=names, tls=authority.client)
            assert isinstance(answer, NotSent)
            assert "CERTIFICATE_VERIFY_FAILED" in answer.reason
        # An authority that nobody here knows is no authority.
        answer = get(f"https://engine.example:{double.port}/", resolver=names)
        assert isinstance(answer, NotSent)


def test_https_never_becomes_http(double: HttpDouble) -> None:
    authority = Authority("127.0.0.1")
    with http_double(redirecting((302, f"{double.url}/x")), tls=authority.server) as secure:
        answer = get(f"{secure.url}/0", tls=authority.client)

        assert isinstance(answer, NotSent)
        assert "from https to http" in answer.reason
    assert double.heard == []


def test_a_proxy_is_asked_where_one_is_set_and_numbers_are_judged_all_the_same() -> None:
    with http_double(lambda _, reply: reply.send(200, b"by proxy")) as proxy:
        answer = get("http://engine.example/x", proxy=proxy.url, resolver=Names())
        assert isinstance(answer, Answered)
        assert answer.body == b"by proxy"
        assert proxy.heard[0].path == "http://engine.example/x"
        assert isinstance(get("http://169.254.169.254/", proxy=proxy.url), NotSent)
        assert len(proxy.heard) == 1


def test_nothing_stays_open(double: HttpDouble) -> None:
    async def many() -> None:
        client = OutboundClient(HERE)
        await asyncio.gather(*[client.send(OutboundRequest("GET", double.url), QUICK) for _ in range(20)])
        await client.aclose()

    before = len(list(Path("/proc/self/fd").iterdir()))
    asyncio.run(many())
    assert len(double.heard) == 20
    # The server's half of a connection closes when its thread has noticed.
    deadline = time.monotonic() + 5
    while len(list(Path("/proc/self/fd").iterdir())) > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
