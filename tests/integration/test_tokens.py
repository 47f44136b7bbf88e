"""Tokens: shown once, kept as digests, remembered for seconds, revoked for good."""

import asyncio
import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine, event, text

from catalog.errors import Conflict, InvalidInput, NotFound
from tests.support.openlineage_events import run_event
from tests.support.web import bearer, database_away, problem_of, running_web
from web.access import Role
from web.access.tokens import TokenStore

NOW = dt.datetime.now(dt.UTC)


class Statements:
    """Counts the queries about tokens on an engine."""

    def __init__(self, engine: Engine) -> None:
        self.count = 0
        event.listen(engine, "before_cursor_execute", self._on_statement)

    def _on_statement(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self.count += "token" in statement


def test_a_secret_is_shown_once_and_kept_nowhere(engine: Engine) -> None:
    tokens = TokenStore(engine)
    secret = tokens.create("loader", Role.PRODUCER)
    assert secret.startswith("hwt_")
    assert len(secret) >= 4 + 43
    principal = tokens.authenticate(secret)
    assert principal is not None
    assert (principal.name, principal.role) == ("token:loader", Role.PRODUCER)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT token::text FROM token")).scalars().all()
    assert len(rows) == 1
    assert secret not in rows[0]
    [known] = tokens.list()
    assert (known.name, known.role, known.valid, known.expires_at) == ("loader", Role.PRODUCER, True, None)
    assert tokens.create("other", Role.PRODUCER) != secret


def test_a_token_ends_at_an_instant_that_can_be_read_back(engine: Engine) -> None:
    tokens = TokenStore(engine)
    beyond = dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-14)))
    with pytest.raises(InvalidInput, match="before the year 10000"):
        tokens.create("beyond", Role.VIEWER, beyond)
    last = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    tokens.create("last", Role.VIEWER, last.astimezone(dt.timezone(dt.timedelta(hours=-14))))
    [known] = tokens.list()
    assert (known.name, known.expires_at, known.valid) == ("last", last, True)


@pytest.mark.parametrize("name", ["", "a b", "\0", "a\0", "\ud800", "x" * 65])
def test_a_name_that_no_token_can_have_is_not_found(engine: Engine, name: str) -> None:
    with pytest.raises(NotFound):
        TokenStore(engine).revoke(name)


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "a:b", "a/b", "ü", "a\n"])
def test_a_name_fits_an_actor(engine: Engine, name: str) -> None:
    with pytest.raises(InvalidInput):
        TokenStore(engine).create(name, Role.VIEWER)


def test_a_name_is_used_once_so_that_actors_stay_apart(engine: Engine) -> None:
    tokens = TokenStore(engine)
    tokens.create("loader", Role.PRODUCER)
    tokens.revoke("loader")
    with pytest.raises(Conflict, match="loader-2"):
        tokens.create("loader", Role.ADMIN)


def test_an_expired_token_is_none(engine: Engine) -> None:
    tokens = TokenStore(engine)
    with pytest.raises(InvalidInput):
        tokens.create("past", Role.VIEWER, NOW - dt.timedelta(seconds=1))
    with pytest.raises(InvalidInput):
        tokens.create("zoneless", Role.VIEWER, dt.datetime(2999, 1, 1))  # noqa: DTZ001 - what is refused
    secret = tokens.create("brief", Role.VIEWER, dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.8))
    assert tokens.authenticate(secret) is not None
    time.sleep(0.9)
    # Remembered, and yet over.
    assert tokens.recall(secret) is None
    assert tokens.authenticate(secret) is None
    assert [token.valid for token in tokens.list()] == [False]
    assert tokens.any_valid() is False


def test_a_revoked_token_is_none_at_once_here_and_soon_elsewhere(engine: Engine) -> None:
    here, elsewhere = TokenStore(engine), TokenStore(engine)
    secret = here.create("loader", Role.PRODUCER)
    assert here.authenticate(secret) is not None
    assert elsewhere.authenticate(secret) is not None
    here.revoke("loader")
    here.revoke("loader")
    revoked_at = time.monotonic()
    assert here.authenticate(secret) is None
    assert elsewhere.recall(secret) is not None
    while elsewhere.recall(secret) or elsewhere.authenticate(secret):
        assert time.monotonic() - revoked_at < 5
        time.sleep(0.05)
    with pytest.raises(NotFound):
        here.revoke("nobody")


def test_a_new_token_works_at_once_although_others_are_remembered(engine: Engine) -> None:
    server, administrator = TokenStore(engine), TokenStore(engine)
    first = administrator.create("first", Role.VIEWER)
    assert server.authenticate(first) is not None
    second = administrator.create("second", Role.VIEWER)
    time.sleep(0.3)
    assert server.authenticate(second) is not None


def test_many_requests_with_a_token_take_hardly_a_query(
    database_url: str, engine: Engine, tmp_path: Path
) -> None:
    secret = TokenStore(engine).create("loader", Role.PRODUCER)

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            statements = Statements(web.services.engine)
            for _ in range(5):
                responses = await asyncio.gather(
                    *(web.post_event(run_event(), headers=bearer(secret)) for _ in range(20))
                )
                assert {response.status_code for response in responses} == {201}
            assert 1 <= statements.count <= 3

    asyncio.run(scenario())


def test_a_flood_of_wrong_tokens_is_slow_for_them_and_cheap_for_us(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            statements = Statements(web.services.engine)
            started = time.monotonic()
            with structlog.testing.capture_logs() as logs:
                flood = [
                    asyncio.create_task(web.post_event(run_event(), headers=bearer(f"hwt_{number:043}")))
                    for number in range(60)
                ]
                # Whoever has no token is not held up.
                assert (await web.post_event(run_event())).status_code == 201
                responses = await asyncio.gather(*flood)
            assert {response.status_code for response in responses} == {401}
            assert time.monotonic() - started >= 0.25
            assert statements.count <= 1 + 4 * (time.monotonic() - started)
            refusals = [entry for entry in logs if entry["event"] == "access.refused"]
            assert 1 <= len(refusals) <= 1 + (time.monotonic() - started)
            assert "hwt_" not in str(logs)

    asyncio.run(scenario())


def test_tokens_that_cannot_be_looked_up_are_a_retryable_refusal(
    database_url: str, cluster_url: str, engine: Engine, tmp_path: Path
) -> None:
    secret = TokenStore(engine).create("loader", Role.PRODUCER)
    engine.dispose()

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            with database_away(database_url, cluster_url):
                response = await web.post_event(run_event(), headers=bearer(secret))
                assert response.status_code == 503
                assert problem_of(response)["code"] == "database-unavailable"
                # The local token needs no database.
                assert (await web.client.get("/healthz", headers=web.local)).status_code == 200
            assert (await web.post_event(run_event(), headers=bearer(secret))).status_code == 201

    asyncio.run(scenario())


def test_administrators_manage_tokens_over_http(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            made = await web.client.post(
                "/api/v1/tokens", json={"name": "ci", "role": "admin"}, headers=web.local
            )
            assert made.status_code == 201
            admin = bearer(made.json()["token"])
            viewer = {"name": "dash", "role": "viewer", "expires": "2999-01-01T00:00:00Z"}
            secret = (await web.client.post("/api/v1/tokens", json=viewer, headers=admin)).json()["token"]
            await asyncio.sleep(0.3)
            refused = await web.client.get("/api/v1/tokens", headers=bearer(secret))
            assert problem_of(refused)["code"] == "forbidden"
            listed = (await web.client.get("/api/v1/tokens", headers=admin)).json()["tokens"]
            assert {(token["name"], token["role"], token["valid"]) for token in listed} == {
                ("ci", "admin", True),
                ("dash", "viewer", True),
            }
            assert secret not in str(listed)
            again = await web.client.post("/api/v1/tokens", json=viewer, headers=admin)
            assert (again.status_code, problem_of(again)["code"]) == (409, "conflict")
            for wrong in (
                {"name": "x"},
                {"name": "x", "role": "king"},
                {"name": "a b", "role": "viewer"},
                # Numbers are no times, not as texts either, and no year has five digits.
                {"name": "x", "role": "viewer", "expires": 9_999_999_999},
                {"name": "x", "role": "viewer", "expires": "9999999999"},
                {"name": "x", "role": "viewer", "expires": "9999-12-31T23:59:59-14:00"},
                [],
            ):
                answer = await web.client.post("/api/v1/tokens", json=wrong, headers=admin)
                assert answer.status_code == 400
                assert "pointer" in problem_of(answer)
            assert (await web.client.delete("/api/v1/tokens/dash", headers=admin)).status_code == 204
            assert (await web.client.delete("/api/v1/tokens/nobody", headers=admin)).status_code == 404
            assert (await web.client.get("/readyz", headers=bearer(secret))).status_code == 401

    asyncio.run(scenario())
