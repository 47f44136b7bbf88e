"""Who may do what, over HTTP: on loopback, beyond it, by role, and what a web page cannot do."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from catalog.errors import ConfigurationError
from catalog.settings import Settings
from tests.support.openlineage_events import run_event
from tests.support.web import ALL_ADDRESSES, Web, bearer, ledger, problem_of, running_web
from web.access.permissions import Role
from web.access.tokens import TokenStore, refuse_to_start

REPORT = {"dataset": {"namespace": "n", "name": "t"}, "idempotencyKey": "k"}
REMOTE = "203.0.113.7"
ROUTES = [
    ("GET", "/"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/nowhere"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/lineage"),
    ("POST", "/api/v1/lineage/batch"),
    ("POST", "/api/v1/versions"),
    ("POST", "/api/v1/tokens"),
    ("POST", "/graphql"),
]


async def ask(web: Web, method: str, path: str, **options: Any) -> Any:
    body = {
        "/api/v1/lineage": run_event(),
        "/api/v1/lineage/batch": [run_event()],
        "/api/v1/versions": REPORT,
    }
    json = body.get(path, {}) if method == "POST" else None
    return await web.client.request(method, path, json=json, **options)


def test_on_loopback_events_and_reading_are_open_and_other_writes_are_not(
    database_url: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for method, path in (
                ("POST", "/api/v1/lineage"),
                ("GET", "/readyz"),
                ("GET", "/metrics"),
                ("GET", "/"),
            ):
                assert (await ask(web, method, path)).status_code in {200, 201}
            for method, path in (("POST", "/api/v1/versions"), ("GET", "/api/v1/tokens")):
                response = await ask(web, method, path)
                assert response.status_code == 401
                assert response.headers["www-authenticate"].startswith("Bearer")
                assert "local-token" in problem_of(response)["detail"]
            assert (await ask(web, "POST", "/api/v1/versions", headers=web.local)).status_code == 201

    asyncio.run(scenario())
    assert [actor for _, _, actor in ledger(database_url)] == ["loopback", "local"]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.PRODUCER, {"/api/v1/lineage", "/api/v1/versions"}),
        (Role.VIEWER, {"/readyz", "/metrics", "/"}),
        (Role.OPERATOR, {"/readyz", "/metrics", "/"}),
        (Role.ADMIN, {"/api/v1/lineage", "/api/v1/versions", "/readyz", "/metrics", "/", "/api/v1/tokens"}),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", ALL_ADDRESSES])
def test_a_token_allows_what_its_role_allows(
    database_url: str, engine: Engine, tmp_path: Path, role: Role, allowed: set[str], host: str
) -> None:
    token = TokenStore(engine).create("robot", role)

    async def scenario() -> None:
        async with running_web(database_url, tmp_path, host=host) as web:
            for method, path in ROUTES:
                if path in {"/nowhere", "/openapi.json", "/graphql", "/api/v1/lineage/batch"} or (
                    (method, path) == ("POST", "/api/v1/tokens")
                ):
                    continue
                response = await ask(web, method, path, headers=bearer(token))
                assert response.status_code in ({200, 201} if path in allowed else {403}), path
                if path not in allowed:
                    assert str(role) in problem_of(response)["detail"]

    asyncio.run(scenario())
    assert {actor for _, _, actor in ledger(database_url)} <= {"token:robot"}


NO_TOKENS = ["Bearer wrong", f"Bearer hwt_{'x' * 43}", "Basic dXNlcjpwYXNz", "Bearer", "x"]


def test_a_token_that_is_shown_and_not_valid_is_always_refused(database_url: str, tmp_path: Path) -> None:
    async def refused(web: Web, authorization: str, method: str, path: str) -> None:
        response = await ask(web, method, path, headers={"Authorization": authorization})
        assert response.status_code == 401, (path, authorization)
        secret = authorization.partition(" ")[2]
        assert not secret or secret not in response.text

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            routes = (("POST", "/api/v1/lineage"), ("GET", "/readyz"), ("GET", "/healthz"))
            await asyncio.gather(*(refused(web, shown, *route) for shown in NO_TOKENS for route in routes))

    asyncio.run(scenario())
    assert ledger(database_url) == []


@pytest.mark.parametrize("client", ["127.0.0.1", REMOTE])
def test_beyond_loopback_every_route_but_liveness_needs_a_token(
    database_url: str, tmp_path: Path, client: str
) -> None:
    async def scenario() -> None:
        async with running_web(
            database_url, tmp_path, host=ALL_ADDRESSES, allowed_hosts=["catalog.example.com"]
        ) as web:
            for base_url in ("http://127.0.0.1:8642", "http://catalog.example.com"):
                async with web.client_at(client=client, server="198.51.100.1", base_url=base_url) as http:
                    for method, path in ROUTES:
                        response = await http.request(method, path, json={} if method == "POST" else None)
                        assert response.status_code == 401, path
                        assert problem_of(response)["code"] == "unauthenticated"
                    assert (await http.get("/healthz")).status_code == 200

    asyncio.run(scenario())
    assert ledger(database_url) == []


def test_the_local_token_works_on_this_machine_alone(database_url: str, tmp_path: Path) -> None:
    async def status(web: Web, client: str, **headers: str) -> int:
        async with web.client_at(
            client=client, server="198.51.100.1", base_url="http://198.51.100.1:8642"
        ) as http:
            return (await http.get("/api/v1/tokens", headers={**web.local, **headers})).status_code

    async def scenario() -> None:
        async with running_web(database_url, tmp_path, host=ALL_ADDRESSES) as web:
            assert await status(web, "127.0.0.1") == 200
            # By way of its own outer address.
            assert await status(web, "198.51.100.1") == 200
            assert await status(web, REMOTE) == 401
            # A proxy on this machine speaks for somebody else.
            assert await status(web, "127.0.0.1", **{"X-Forwarded-For": REMOTE}) == 401

    asyncio.run(scenario())


def test_a_server_that_others_reach_does_not_start_without_a_token(engine: Engine, tmp_path: Path) -> None:
    beyond = Settings(data_dir=tmp_path, host=ALL_ADDRESSES)
    tokens = TokenStore(engine)
    refuse_to_start(Settings(data_dir=tmp_path), tokens)
    with pytest.raises(ConfigurationError, match="headwater token create"):
        refuse_to_start(beyond, tokens)
    tokens.create("first", Role.ADMIN)
    refuse_to_start(beyond, tokens)
    tokens.revoke("first")
    with pytest.raises(ConfigurationError):
        refuse_to_start(beyond, tokens)


HOSTS = [
    ("127.0.0.1:8642", 200),
    ("localhost:8642", 200),
    ("LOCALHOST", 200),
    ("[::1]:8642", 200),
    ("localhost:9999", 200),  # a forwarded port
    ("attacker.example.com:8642", 421),
    ("localhost.attacker.example.com", 421),
    ("127.0.0.1.nip.io:8642", 421),
    ("192.0.2.1", 421),
    ("", 421),
]


def test_names_that_point_here_by_somebody_elses_will_are_refused(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for host, status in HOSTS:
                response = await web.client.get("/readyz", headers={"Host": host})
                assert response.status_code == status, host
                if status != 200:
                    assert problem_of(response)["code"] == "untrusted-host"
                    # Liveness says nothing that is worth an attack, and probes send any host.
                    assert (await web.client.get("/healthz", headers={"Host": host})).status_code == 200

    asyncio.run(scenario())


def test_a_name_that_settings_add_is_answered_and_not_trusted(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path, allowed_hosts=["Catalog.Example.com:443"]) as web:
            named = {"Host": "catalog.example.com"}
            assert (await web.client.get("/readyz", headers=named)).status_code == 401
            assert (await web.client.get("/readyz", headers={**named, **web.local})).status_code == 200

    asyncio.run(scenario())


PROXY_HEADERS = ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"]


def test_what_a_proxy_passes_on_is_not_from_this_machine(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for header in PROXY_HEADERS:
                response = await ask(web, "POST", "/api/v1/lineage", headers={header: "127.0.0.1"})
                assert response.status_code == 401, header

    asyncio.run(scenario())


PAGES: list[tuple[dict[str, str], int]] = [
    ({"Origin": "http://127.0.0.1:8642"}, 201),
    ({"Origin": "http://localhost:8642"}, 403),  # not the name that the page was served under
    ({"Origin": "http://127.0.0.1:3000"}, 403),
    ({"Origin": "https://attacker.example.com"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:8642.attacker.example.com"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8642"}, 201),
    ({"Sec-Fetch-Site": "none"}, 201),
]


def test_pages_of_other_sites_cannot_write(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for headers, status in PAGES:
                response = await ask(web, "POST", "/api/v1/lineage", headers=headers)
                assert response.status_code == status, headers
                # Not even with the token, which a page may have been told.
                response = await ask(web, "POST", "/api/v1/versions", headers={**headers, **web.local})
                assert response.status_code == status, headers
                # No answer of ours lets another origin read it.
                assert not [name for name in response.headers if name.startswith("access-control-")]
                # What a page was refused is not stored; what it was allowed is stored once.
                allowed = any(status == 201 for _, status in PAGES[: PAGES.index((headers, status)) + 1])
                assert len(ledger(database_url)) == (2 if allowed else 0)

    asyncio.run(scenario())


def test_writes_are_json_and_bounded(database_url: str, tmp_path: Path) -> None:
    async def endless() -> Any:
        yield b"{}"

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for headers in ({"Content-Type": "text/plain"}, {}):
                response = await web.client.post(
                    "/api/v1/tokens", content=b"{}", headers={**web.local, **headers}
                )
                assert response.status_code == 415
            assert (await web.client.post("/api/v1/tokens", headers=web.local)).status_code == 415
            json = {**web.local, "Content-Type": "application/json"}
            large = await web.client.post(
                "/api/v1/tokens", headers={**json, "Content-Length": "99999999"}, content=b""
            )
            assert large.status_code == 413
            unknown = await web.client.post("/api/v1/tokens", headers=json, content=endless())
            assert unknown.status_code == 411

    asyncio.run(scenario())


ANY_PATHS = ["/", "/healthz", "/nowhere", "/api/v1/tokens", "/metrics"]


def test_every_answer_carries_the_headers_that_guard_it(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for path in ANY_PATHS:
                headers = (await web.client.get(path)).headers
                assert headers["x-content-type-options"] == "nosniff", path
                assert headers["referrer-policy"] == "no-referrer", path
                assert headers["cross-origin-resource-policy"] == "same-origin", path
                policy = headers["content-security-policy"]
                assert policy.startswith("default-src 'none'"), path
                assert "frame-ancestors 'none'" in policy, path
                assert "unsafe" not in policy, path
                assert headers["cache-control"] == "no-store", path

    asyncio.run(scenario())
