"""The level of logs is changed while web and worker run, by administrators, and ends by itself."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.command_line import Installation, installation
from tests.support.web import bearer, database_away, problem_of, running_web
from web.access import Role
from web.log_level import LONGEST_SECONDS, LOOK_SECONDS, ROUTE, LogLevelStore, _Watch
from web.logging import set_level

#: Seconds after which a change counts everywhere; a busy machine is given more.
PATIENCE = LOOK_SECONDS + 10


def wait_for(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def has_changes(log: Path, count: int) -> Callable[[], bool]:
    return lambda: len(changes(log)) >= count


def changes(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "log_level.changed" in line]


def test_every_process_follows_and_returns_to_its_own_setting(database_url: str, tmp_path: Path) -> None:
    with installation(database_url, tmp_path) as there:
        logs = [tmp_path / "serve.log", tmp_path / "worker.log"]
        shown = there.headwater.done("log-level", "--json").json
        assert (shown["level"], shown["own"]) == ("info", True)

        changed = there.headwater.done("log-level", "debug", "--for", "10m")
        assert changed.out.startswith("debug until ")
        assert changed.out.endswith("set by local\n")
        for log in logs:
            wait_for(has_changes(log, 1), f"{log} does not tell of the change")
            assert '"from_now_on":"debug"' in changes(log)[0]
            assert '"actor":"local"' in changes(log)[0]

        # A shorter period takes its place and ends by itself.
        there.headwater.done("log-level", "error", "--for", "5s")
        for log in logs:
            # The change to errors is itself a warning, which is not written any more.
            wait_for(has_changes(log, 2), f"{log} does not return")
            assert '"from_now_on":"info"' in changes(log)[-1]
            assert '"before":"error"' in changes(log)[-1]
        assert there.headwater.done("log-level", "--json").json["own"] is True


def test_a_reset_ends_it_at_once_and_what_fits_not_is_refused(database_url: str, tmp_path: Path) -> None:
    with installation(database_url, tmp_path) as there:
        there.headwater.done("log-level", "debug")
        assert there.headwater.done("log-level", "--json").json["level"] == "debug"
        assert there.headwater.done("log-level", "--reset", "--json").json["own"] is True
        refused(there, "log-level", "loud")
        refused(there, "log-level", "debug", "--for", "8d")  # refused by the server
        refused(there, "log-level", "debug", "--for", "never")
        refused(there, "log-level", "debug", "--reset")
        assert there.stranger(HEADWATER_TOKEN="hwt_nobody")("log-level", "debug").code == 3


def refused(there: Installation, *command: str) -> None:
    assert there.headwater(*command).code == 2, command


def test_seconds_are_a_number(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for seconds in (True, "60", 0, LONGEST_SECONDS + 1):
                wanted = {"level": "info", "seconds": seconds}
                refused = await web.client.put(ROUTE, json=wanted, headers=web.local)
                assert problem_of(refused)["pointer"] == "/seconds"
            taken = await web.client.put(ROUTE, json={"level": "info", "seconds": 60.0}, headers=web.local)
            assert taken.status_code == 200

    asyncio.run(scenario())


def test_administrators_alone_change_it(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            shown_by = {role: bearer(web.services.tokens.create(role.value, role)) for role in Role}
            for role, shown in shown_by.items():
                allowed = role is Role.ADMIN
                for method, body in (("GET", None), ("PUT", {"level": "info"}), ("DELETE", None)):
                    answer = await web.client.request(method, ROUTE, json=body, headers=shown)
                    assert answer.status_code == (200 if allowed else 403), (role, method)
            for wrong in (
                {"level": "loud"},
                {"level": "INFO"},
                {"level": "info", "seconds": 0},
                {"level": "info", "seconds": LONGEST_SECONDS + 1},
                {"level": "info", "for": "1h"},
                {},
            ):
                refused = await web.client.put(ROUTE, json=wrong, headers=web.local)
                assert refused.status_code == 400, wrong
                problem_of(refused)

    asyncio.run(scenario())


@pytest.mark.usefixtures("own_level")
def test_it_ends_in_time_although_the_database_is_away(
    engine: Engine, database_url: str, cluster_url: str
) -> None:
    store = LogLevelStore(engine)
    watch = _Watch(store, "info")
    watch.look()
    assert logging.getLogger().level == logging.INFO
    store.set("error", actor="test", seconds=2)
    watch.look()
    assert logging.getLogger().level == logging.ERROR
    with database_away(database_url, cluster_url):
        watch.look()
        assert logging.getLogger().level == logging.ERROR
        time.sleep(2)
        watch.look()
        assert logging.getLogger().level == logging.INFO
    watch.look()
    assert logging.getLogger().level == logging.INFO


@pytest.fixture
def own_level() -> Iterator[None]:
    """Leave the level of this process as it was."""
    before = logging.getLogger().level
    set_level(logging.INFO)
    yield
    set_level(before)
