"""Retention by the workers: a round a day, by one of them, and never in the way of their end."""

import datetime as dt
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from structlog.testing import LogCapture

from catalog.settings import Settings
from hooks.retention import periodic
from hooks.retention.periodic import retain
from hooks.retention.standing import read_standing
from tests.support.graphql import completed, follow_all, heard, keeping_up
from tests.support.history import plain
from tests.support.retention import events, everything, retained
from tests.support.spine import append, connect
from web.connections import RETENTION, worker_budget
from web.doctor.diagnosis import diagnose
from web.doctor.finding import Finding, Status

DAYS = 3
#: Whether somebody follows the ledger into a copy.
REPLAYS = """
SELECT FROM pg_stat_activity WHERE application_name = 'headwater-replay' AND datname = current_database()
"""


def aged(database_url: str, days: int) -> None:
    """Let everything that is known be so many days older."""
    with connect(database_url) as connection:
        connection.execute("UPDATE fact SET received_at = received_at - make_interval(days => %s)", (days,))


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def checked(database_url: str, data_dir: Path, days: int | None) -> Finding:
    found = diagnose(Settings(data_dir=data_dir, event_days=days), database_url)
    (finding,) = [finding for finding in found if finding.check == "retention"]
    return finding


def test_a_worker_removes_what_is_old_once_a_day(database_url: str, tmp_path: Path) -> None:
    heard(database_url, [*completed("old"), *completed("older")])
    aged(database_url, DAYS + 3)
    heard(database_url, completed("young"))
    assert checked(database_url, tmp_path, None).status is Status.OK
    late = checked(database_url, tmp_path, DAYS)
    assert (late.status, "wait for more than 2 days" in late.found) == (Status.WARNING, True)
    stop = threading.Event()
    worker = threading.Thread(
        target=retain,
        args=(plain(database_url), DAYS, stop),
        kwargs={"first_seconds": 0.0, "look_seconds": 0.05},
    )
    with connect(database_url) as connection, keeping_up(database_url):
        worker.start()
        try:
            until(lambda: sum(events(connection).values()) == 2)
            # What is old from now on waits for tomorrow's round.
            aged(database_url, DAYS + 3)
            append(connection, completed("last"))
            follow_all(connection)
            time.sleep(0.3)
            assert sum(events(connection).values()) == 4
            connection.execute("UPDATE checkpoint SET made_at = made_at - interval '25 hours'")
            until(lambda: sum(events(connection).values()) == 2)
        finally:
            stop.set()
            worker.join()
        standing = read_standing(connection)
        assert standing.removed is not None
        assert standing.removed.actor == "headwater"
    found = checked(database_url, tmp_path, DAYS)
    assert (found.status, "those of 6 events were removed" in found.found) == (Status.OK, True)


def test_a_round_ends_with_its_worker_and_the_next_goes_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard(database_url, [fact for number in range(4) for fact in completed(f"j{number}")])
    aged(database_url, DAYS + 1)
    heard(database_url, completed("young"))
    # A batch took long, so it takes a long breath, in which its worker ends.
    monkeypatch.setattr(periodic.time, "monotonic", iter(range(0, 10_000, 100)).__next__)
    monkeypatch.setattr(periodic, "LONGEST_BREATH", 60.0)
    stop = threading.Event()
    worker = threading.Thread(
        target=retain, args=(plain(database_url), DAYS, stop), kwargs={"first_seconds": 0.0}
    )
    worker.start()
    with connect(database_url) as connection:
        until_there(connection, REPLAYS)
        stop.set()
        worker.join(10)
        assert not worker.is_alive()
        monkeypatch.undo()
        assert all(events(connection).values())
        before = everything(connection) - dt.timedelta(days=DAYS)
        assert retained(database_url, before).taken.events == 8


def until_there(connection: psycopg.Connection[Any], query: str) -> None:
    for _ in range(1_500):
        if connection.execute(query.encode()).fetchone() is not None:
            return
        time.sleep(0.02)
    raise AssertionError(query)


def test_what_fails_is_tried_again(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = LogCapture()
    # A logger of its own: where others write to depends on what was configured first.
    monkeypatch.setattr(periodic, "log", structlog.wrap_logger(None, processors=[told]))
    heard(database_url, completed("old"))
    aged(database_url, DAYS + 1)
    heard(database_url, completed("young"))
    with connect(database_url) as connection:
        connection.execute("UPDATE fact SET body = 'x' WHERE position = 1")
        (body,) = connection.execute("SELECT body FROM fact WHERE position = 2").fetchone() or (b"",)
        stop = threading.Event()
        worker = threading.Thread(
            target=retain,
            args=(plain(database_url), DAYS, stop),
            kwargs={"first_seconds": 0.0, "look_seconds": 0.05},
        )
        with keeping_up(database_url):
            worker.start()
            try:
                until(lambda: [entry for entry in told.entries if entry["event"] == "retention.failed"])
                connection.execute("UPDATE fact SET body = %s WHERE position = 1", (body,))
                until(lambda: sum(events(connection).values()) == 2)
            finally:
                stop.set()
                worker.join()


def test_a_worker_counts_the_connections_that_it_needs_for_it(tmp_path: Path) -> None:
    without, with_it = (worker_budget(Settings(data_dir=tmp_path, event_days=days)) for days in (None, 90))
    assert with_it.direct == without.direct + RETENTION
