"""Hosts that fall silent: who counts, from when, and what becomes of their attempts."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

import hooks.hosts
from catalog.facts import attempt_claimed, attempt_started, version_report
from catalog.keys import DatasetKey
from hooks.hosts import HostWatch
from tests.support.spine import T0, append, apply_fact, connect, follow, parked, pipeline_body

LOST_SECONDS = 60.0


class Clock:
    """What this process counts seconds by."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(hooks.hosts, "time", clock)
    return clock


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url) as found:
        yield found


@pytest.fixture
def run(connection: psycopg.Connection[Any]) -> uuid.UUID:
    """A run whose first attempt runs on the host `other`."""
    retries = {"count": 1, "outcomes": ["lost"], "backoff": {"initial": "10s", "maximum": "10s"}}
    append(connection, [apply_fact(pipeline_body("p", "a", retries=retries))])
    append(connection, [version_report(DatasetKey("ns", "a"), actor="test", time=T0, key="1")])
    follow(connection)
    row = connection.execute("SELECT id FROM pipeline_run").fetchone()
    assert row is not None
    run: uuid.UUID = row[0]
    claim(connection, run, 1)
    return run


def claim(connection: psycopg.Connection[Any], run: uuid.UUID, attempt: int) -> None:
    connection.execute(
        "INSERT INTO attempt_claim (run_id, attempt, host) VALUES (%s, %s, 'other')", (run, attempt)
    )
    claimed = attempt_claimed(run, attempt, host="other")
    append(connection, [claimed, attempt_started(run, attempt, host="other", pid=1, at=T0)])
    follow(connection)


def watch(engine: Engine, host: str) -> HostWatch:
    return HostWatch(engine, host=host, name=host, takes_launches=True, lost_seconds=LOST_SECONDS)


def now() -> dt.datetime:
    return T0 + dt.timedelta(hours=1)


def state(connection: psycopg.Connection[Any]) -> tuple[str, int]:
    follow(connection)
    assert parked(connection) == []
    row = connection.execute("SELECT state, attempt FROM pipeline_run").fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_silent_host_loses_its_attempt_and_the_policy_decides(
    connection: psycopg.Connection[Any], engine: Engine, clock: Clock, run: uuid.UUID
) -> None:
    watch(engine, "other").beat()
    here = watch(engine, "here")
    here.beat()
    assert here.declare_lost(now) == 0
    clock.seconds += LOST_SECONDS
    # Not longer than allowed.
    assert here.declare_lost(now) == 0
    assert state(connection) == ("running", 1)
    clock.seconds += 1
    assert here.declare_lost(now) == 1
    # The document retries what was lost, once and after a wait.
    assert state(connection) == ("retrying", 2)
    job = connection.execute(
        "SELECT task_name, scheduled_at > now() - interval '1 minute' FROM procrastinate_jobs ORDER BY id DESC"
    ).fetchone()
    assert job == ("headwater.launch", True)
    # It is said once.
    assert here.declare_lost(now) == 0
    # The second attempt is lost too: nothing is left.
    claim(connection, run, 2)
    assert here.declare_lost(now) == 1
    assert state(connection) == ("lost", 2)
    reasons = connection.execute("SELECT reason, exit_code FROM pipeline_run").fetchone()
    assert reasons == ("host other has been silent for more than 60 s", None)


@pytest.mark.usefixtures("run")
def test_a_host_that_beats_keeps_its_attempt_however_long(
    connection: psycopg.Connection[Any], engine: Engine, clock: Clock
) -> None:
    other, here = watch(engine, "other"), watch(engine, "here")
    for _ in range(5):
        other.beat()
        assert here.declare_lost(now) == 0
        clock.seconds += LOST_SECONDS - 1
    assert here.declare_lost(now) == 0
    assert state(connection) == ("running", 1)


@pytest.mark.usefixtures("run")
def test_the_first_host_that_is_back_after_an_outage_buries_nobody(
    connection: psycopg.Connection[Any], engine: Engine, clock: Clock
) -> None:
    other = watch(engine, "other")
    other.beat()
    # Nobody reached the database for a day; by the database's clock the other has been silent all the time.
    connection.execute("UPDATE host SET heartbeat_at = heartbeat_at - interval '1 day'")
    here = watch(engine, "here")
    here.beat()
    assert here.declare_lost(now) == 0
    # A little later the other is back as well.
    clock.seconds += LOST_SECONDS - 1
    other.beat()
    clock.seconds += LOST_SECONDS - 1
    assert here.declare_lost(now) == 0
    assert state(connection) == ("running", 1)


@pytest.mark.usefixtures("run")
def test_a_host_never_declares_itself_lost(
    connection: psycopg.Connection[Any], engine: Engine, clock: Clock
) -> None:
    other = watch(engine, "other")
    other.beat()
    assert other.declare_lost(now) == 0
    clock.seconds += 10 * LOST_SECONDS
    assert other.declare_lost(now) == 0
    assert state(connection) == ("running", 1)
