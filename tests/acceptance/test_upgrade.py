"""`headwater up` on a data folder of an older release: it migrates, keeps what was told, goes on with what ran."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.events import complete_event
from benchmarks.server import Server, pipeline, running_server, temporary_folder
from catalog.database import create_database_engine
from catalog.embedded import EmbeddedPostgreSQL
from catalog.embedded.running import running_url
from catalog.migrations import HEAD, migrate_within
from tests.services.former_release import FormerRelease
from tests.services.postgresql import connect
from tests.support.command_line import CommandLine
from tests.support.history import report
from tests.support.processes import lines, post, wait_for_lines
from tests.support.spine import append, fact_of_event, run_event

INPUT = {"namespace": "benchmark", "name": "input"}
#: How many commands of the first pipeline may run at once.
AT_ONCE = 2
#: Says that it began, waits for the gate (and not for ever), says that it ended.
WAITING = """
echo "$HEADWATER_RUN_ID $HEADWATER_ATTEMPT" >> "$0/began"
until [ -e "$0/gate" ] || [ ! -d "$0" ]; do sleep 0.05; done
echo "$HEADWATER_RUN_ID $HEADWATER_ATTEMPT" >> "$0/ended"
"""
#: Fails at the first attempt of each run.
FAILING = 'echo "$HEADWATER_RUN_ID $HEADWATER_ATTEMPT" >> "$0/tried"; [ "$HEADWATER_ATTEMPT" -gt 1 ]'


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as found:
        yield found


@contextmanager
def database_of(folder: Path) -> Iterator[str]:
    """Run the database of the folder alone."""
    database = EmbeddedPostgreSQL(folder, progress=lambda _: None)
    url = database.start()
    try:
        yield url
    finally:
        database.stop()


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the database that runs on the folder."""
    url = running_url(folder)
    assert url is not None
    with connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


FACTS = "SELECT position, kind, actor, run_id, event_time, received_at, body FROM fact ORDER BY position"
RUNS = "SELECT id, pipeline, number, due_position FROM pipeline_run ORDER BY id"
REVISION = "SELECT version_num FROM alembic_version"


def apply_pipelines(server: Server) -> None:
    folder = str(server.data_dir)
    retries = {"count": 1, "backoff": {"initial": "1s", "maximum": "1s"}}
    server.apply(
        pipeline("waiting", INPUT, ["sh", "-c", WAITING, folder], concurrency=AT_ONCE),
        pipeline("failing", INPUT, ["sh", "-c", FAILING, folder], concurrency=4, retries=retries),
    )


def wait_until_succeeded(folder: Path, runs: int, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    states: list[tuple[Any, ...]] = []
    while time.monotonic() < deadline:
        states = rows(folder, "SELECT state, count(*) FROM pipeline_run GROUP BY state")
        if states == [("succeeded", runs)]:
            return
        time.sleep(0.1)
    raise AssertionError(f"expected {runs} runs, all succeeded, found {states}")


@pytest.mark.history
def test_up_goes_on_with_what_the_release_before_had_under_way(
    folder: Path, former_release: FormerRelease
) -> None:
    with running_server(folder, **former_release.environment) as server:
        assert rows(folder, REVISION) == [(former_release.revision,)]
        apply_pipelines(server)
        for _ in range(4):
            assert post(server.port, "/api/v1/lineage", complete_event("input")) == 201
        # Two commands run, two runs wait for a slot, others wait for their second attempt.
        wait_for_lines(folder / "began", AT_ONCE, 20)
        wait_for_lines(folder / "tried", 1, 20)
        due = rows(folder, RUNS)
    with database_of(folder) as url, connect(url) as connection:
        # Told, and not followed before the end.
        append(connection, [fact_of_event(complete_event("input")) for _ in range(4)])
        told = rows(folder, FACTS)

    with running_server(folder):
        assert "migrated the database" in (folder / "server.log").read_text("utf-8")
        assert rows(folder, REVISION) == [(HEAD,)]
        assert rows(folder, FACTS)[: len(told)] == told
        (folder / "gate").touch()
        wait_until_succeeded(folder, 16)
        assert set(due) <= set(rows(folder, RUNS))
        # What ran was adopted: nothing began twice.
        runs = {str(run): name for run, name, *_ in rows(folder, RUNS)}
        first = sorted(f"{run} 1" for run, name in runs.items() if name == "waiting")
        assert sorted(lines(folder / "began")) == sorted(lines(folder / "ended")) == first
        both = sorted(
            f"{run} {number}" for run, name in runs.items() if name == "failing" for number in (1, 2)
        )
        assert sorted(lines(folder / "tried")) == both
        assert rows(folder, "SELECT count(*) FROM parked") == [(0,)]
        CommandLine(dict(os.environ)).done("verify", "--data-dir", str(folder))


def test_up_follows_what_lay_in_the_ledger_of_the_first_schema(folder: Path) -> None:
    with database_of(folder) as url:
        engine = create_database_engine(url, pool_size=1, application_name="headwater-test")
        with engine.connect() as connection:
            migrate_within(connection, "0001")
            connection.commit()
        engine.dispose()
        with connect(url) as raw:
            event = run_event(uuid.uuid4(), "COMPLETE", job="j", outputs=["a"])
            append(raw, [fact_of_event(event), report("b", 1)])
    with running_server(folder) as server:
        assert rows(folder, REVISION) == [(HEAD,)]
        server.wait_until_followed(30)
        found = rows(folder, "SELECT d.name FROM dataset d JOIN dataset_version v ON v.dataset_id = d.id")
        assert sorted(found) == [("a",), ("b",)]
        assert rows(folder, "SELECT count(*) FROM parked") == [(0,)]
