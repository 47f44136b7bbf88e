"""Who follows is named at once, everywhere, whichever way it came to follow; and only one goes on following."""

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from catalog.follower import STILL_SECONDS, Follower, retry_parked, run_follower
from catalog.settings import Settings
from hooks.deciding.decider import Limits
from hooks.state_follower import STATE_FOLLOWER_LOCK, StateLog
from tests.support.openlineage_events import run_event
from tests.support.spine import append, connect, fact_of_event
from tests.support.web import running_web
from web.doctor import diagnose

POLL_SECONDS = 0.2
#: How long a takeover may take: who stands by looks every poll.
SOON_SECONDS = 2.0


class Standby:
    """A worker's state follower in a thread, which follows or stands by until it is ended."""

    def __init__(self, database_url: str, holder: str) -> None:
        self._url = database_url
        self._stop = threading.Event()
        follower = Follower(StateLog(Limits(50)), batch=100, holder=holder)
        self._thread = threading.Thread(
            target=run_follower,
            args=(follower, self._connect, self._stop),
            kwargs={"poll_seconds": POLL_SECONDS, "lock_key": STATE_FOLLOWER_LOCK},
        )
        self._thread.start()

    def _connect(self) -> "psycopg.Connection[Any]":
        return connect(self._url)

    def end(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def standby(database_url: str) -> Iterator[Callable[[str], Standby]]:
    """Start a follower under a name; all of them have ended afterwards."""
    started: list[Standby] = []

    def start(holder: str) -> Standby:
        started.append(Standby(database_url, holder))
        return started[-1]

    yield start
    for one in started:
        one.end()


def holder(connection: "psycopg.Connection[Any]") -> str | None:
    ((found,),) = connection.execute("SELECT holder FROM follower WHERE name = 'state'").fetchall()
    return None if found is None else str(found)


def wait_for_holder(database_url: str, name: str, seconds: float = SOON_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    with connect(database_url) as connection:
        while holder(connection) != name:
            assert time.monotonic() < deadline, holder(connection)
            time.sleep(0.02)


def wait_for_position(database_url: str, position: int, seconds: float = SOON_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    with connect(database_url) as connection:
        while connection.execute("SELECT position FROM follower WHERE name = 'state'").fetchone() != (
            position,
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def hear(database_url: str) -> int:
    """Append an event, as a sender does."""
    with connect(database_url) as connection:
        (place,) = append(connection, [fact_of_event(run_event(run={"runId": str(uuid.uuid4())}))])
    return place.position


def named(database_url: str, data_dir: Path) -> list[str]:
    """Return what readiness, GraphQL and the doctor say of who follows the ledger."""

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with running_web(database_url, data_dir) as web:
            query = {"query": "{ status { followers { name holder } } }"}
            return await web.client.get("/readyz"), await web.client.post(
                "/graphql", json=query, headers=web.local
            )

    ready, status = asyncio.run(ask())
    (answered,) = (
        found["holder"] for found in status.json()["data"]["status"]["followers"] if found["name"] == "state"
    )
    (finding,) = (
        found
        for found in diagnose(Settings(data_dir=data_dir), database_url)
        if found.check == "follower.state"
    )
    return [ready.json()["checks"]["follower.state"]["found"], answered, finding.found]


def test_who_takes_over_is_named_at_once_although_nothing_happens(
    database_url: str, tmp_path: Path, standby: Callable[[str], Standby]
) -> None:
    first = standby("harbour:1")
    wait_for_holder(database_url, "harbour:1")
    standby("bridge:2")
    time.sleep(POLL_SECONDS * 2)
    # Who stands by is not named.
    ready, answered, doctor = named(database_url, tmp_path)
    assert "held by harbour:1" in ready
    assert answered == "harbour:1"
    assert doctor.startswith("followed by harbour:1")
    first.end()
    wait_for_holder(database_url, "bridge:2")
    ready, answered, doctor = named(database_url, tmp_path)
    assert "held by bridge:2" in ready
    assert answered == "bridge:2"
    assert doctor.startswith("followed by bridge:2")


def test_a_retry_by_hand_is_not_named_for_long(database_url: str, standby: Callable[[str], Standby]) -> None:
    standby("harbour:1")
    position = hear(database_url)
    wait_for_position(database_url, position)
    with connect(database_url) as connection:
        connection.execute(
            "INSERT INTO parked (follower, position, error_code, error) VALUES ('state', %s, 'internal', 'x')",
            (position,),
        )
        retry_parked(connection, Follower(StateLog(Limits(50)), batch=1, holder="operator"), position)
    wait_for_holder(database_url, "harbour:1")


def test_who_goes_on_for_a_holder_that_is_cut_off_has_the_lock_next(
    database_url: str, tmp_path: Path, standby: Callable[[str], Standby]
) -> None:
    with contextlib.ExitStack() as stack:
        # The server still believes in this connection, whose client is gone.
        cut_off = stack.enter_context(connect(database_url))
        cut_off.execute("SELECT pg_advisory_lock(%s)", (STATE_FOLLOWER_LOCK,))
        cut_off.execute("UPDATE follower SET holder = 'harbour:1', updated_at = now() - interval '1 minute'")
        position = hear(database_url)
        standby("bridge:2")
        wait_for_holder(database_url, "bridge:2", STILL_SECONDS + SOON_SECONDS)
        wait_for_position(database_url, position)
        # The server gives the connection up: the lock goes to who follows, before another worker can have it.
        stack.close()
        time.sleep(POLL_SECONDS * 3)
        standby("lighthouse:3")
        time.sleep(POLL_SECONDS * 3)
        position = hear(database_url)
        wait_for_position(database_url, position)
        ready, answered, doctor = named(database_url, tmp_path)
        assert "held by bridge:2" in ready
        assert answered == "bridge:2"
        assert doctor.startswith("followed by bridge:2")


def test_a_holder_that_is_back_goes_on_alone(database_url: str, standby: Callable[[str], Standby]) -> None:
    with connect(database_url) as harbour:
        harbour.execute("SELECT pg_advisory_lock(%s)", (STATE_FOLLOWER_LOCK,))
        harbour.execute("UPDATE follower SET updated_at = now() - interval '1 minute'")
        hear(database_url)
        standby("bridge:2")
        wait_for_holder(database_url, "bridge:2", STILL_SECONDS + SOON_SECONDS)
        # The network is mended; who holds the lock goes on where the other one stands.
        back = Follower(StateLog(Limits(50)), batch=100, holder="harbour:1")
        position = hear(database_url)
        wait_for_position(database_url, position)
        back.step(harbour)
        deadline = time.monotonic() + 3 * POLL_SECONDS + SOON_SECONDS
        while time.monotonic() < deadline:
            back.step(harbour)
            time.sleep(POLL_SECONDS / 4)
        assert holder(harbour) == "harbour:1"
        # Only the one with the lock takes what comes now.
        position = hear(database_url)
        time.sleep(POLL_SECONDS * 3)
        assert harbour.execute("SELECT position FROM follower WHERE name = 'state'").fetchone() != (position,)
        back.step(harbour)
        assert harbour.execute("SELECT position FROM follower WHERE name = 'state'").fetchone() == (position,)
