"""`headwater import marquez`: 20,000 events of another server, the command killed twice, equal catalogs at the end."""

import datetime as dt
import json
import random
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from catalog.database import create_database_engine
from graph.postgresql.store import PostgresqlGraph
from tests.services.postgresql import drop_database, fresh_database
from tests.support.processes import HEADWATER, free_port, part, wait_for_server
from tests.support.spine import append, connect, fact_of_event, parked

EVENTS = 20_000
JOBS = 200
#: So many events tell one and the same instant: more than a page holds.
AT_ONCE = 1_500
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
#: What the catalogs hold that does not tell when or where something was received.
TABLES = {
    "dataset": "id, namespace, name",
    "job": "id, namespace, name, shape_at, shape_tiebreak, shape_hash",
    "job_parent": "job_id, parent_id, since",
    "job_shape": "job_id, at, tiebreak, hash",
    "run": "id, job_id, state, started_at, ended_at, parent_run_id, root_run_id",
    "dataset_version": "id, dataset_id, state, origin, event_time, run_id, schema_hash",
    "dataset_alias": "dataset_id, alias_id, type, since",
    "dataset_facet": "dataset_id, facets",
    "job_facet": "job_id, facets",
}


def _event(number: int, chance: random.Random) -> dict[str, Any]:
    """Return the START or the COMPLETE of a run, now and then an event of a dataset or of a job."""
    job = number // 2 % JOBS
    at = START + dt.timedelta(milliseconds=7 * max(number, AT_ONCE))
    base: dict[str, Any] = {
        "eventTime": at.isoformat(),
        "producer": "https://example.com/import",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }
    named = [{"namespace": "s3://büro:1", "name": f"table/{(job + step) % JOBS}"} for step in (1, 2, 0)]
    job_name = {"namespace": "arn:aws:jobs", "name": f"job % {job}"}
    if number % 500 == 0:
        return base | {
            "dataset": named[0],
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
        }
    if number % 500 == 1:
        return base | {"job": job_name, "inputs": named[:1], "outputs": named[2:]}
    return base | {
        "eventType": "COMPLETE" if number % 2 else chance.choice(["START", "RUNNING"]),
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"run/{number // 2}"))},
        "job": job_name,
        "inputs": named[: 1 + number % 2],
        "outputs": named[2:],
    }


@contextmanager
def another_database(cluster_url: str, template: str) -> Iterator[str]:
    url = fresh_database(cluster_url, template)
    try:
        yield url
    finally:
        drop_database(url)


def _count(url: str) -> int:
    with connect(url) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM fact").fetchall()
    return int(count)


def _wait_until_followed(url: str, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    with connect(url) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "SELECT s.position = (SELECT max(position) FROM fact)"
                " AND g.position = (SELECT max(sequence) FROM observation)"
                " FROM follower s, follower g WHERE s.name = 'state' AND g.name = 'graph'"
            ).fetchone()
            if row and row[0]:
                return
            time.sleep(0.1)
    raise TimeoutError(f"the followers had work left after {seconds} s")


def _catalog(url: str) -> dict[str, Any]:
    """Return what the catalog holds, as digests of its tables and of its graph."""
    found: dict[str, Any] = {}
    with connect(url) as connection:
        assert parked(connection) == []
        ((found["digests"], found["events"]),) = connection.execute(
            "SELECT md5(string_agg(encode(digest, 'hex'), '' ORDER BY digest)), count(*) FROM fact_digest"
        ).fetchall()
        for table, columns in TABLES.items():
            rows = connection.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608 - the constants above
            found[table] = sorted(map(repr, rows))
    engine: Engine = create_database_engine(url, pool_size=1, application_name="headwater-test")
    found["graph"] = PostgresqlGraph(engine).digest()
    engine.dispose()
    return found


class Import:
    """The command, run again and again with the same data folder."""

    def __init__(self, source: str, server: str, folder: Path) -> None:
        self.arguments = [
            str(HEADWATER),
            "import",
            "marquez",
            source,
            "--url",
            server,
            "--data-dir",
            str(folder),
            "--json",
            "--page",
            "400",
        ]

    def killed_when(self, url: str, count: int) -> None:
        """Begin, and end the process without warning once the server holds so many events."""
        process = subprocess.Popen(self.arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while _count(url) < count:
            assert process.poll() is None, process.returncode
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL

    def done(self) -> dict[str, Any]:
        """Run to the end; return what the command tells."""
        done = subprocess.run(self.arguments, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told


def test_an_import_that_is_killed_twice_leaves_an_equal_catalog(
    tmp_path: Path, cluster_url: str, template_database: str, database_url: str
) -> None:
    chance = random.Random(4)
    events = [_event(number, chance) for number in range(EVENTS)]
    facts = [fact_of_event(event) for event in events]
    assert len({fact.digest for fact in facts}) == EVENTS
    with ExitStack() as stack:
        here = stack.enter_context(another_database(cluster_url, template_database))
        there = database_url
        with connect(there) as connection:
            for first in range(0, EVENTS, 2_000):
                append(connection, facts[first : first + 2_000])
        ports = {url: free_port() for url in (there, here)}
        for url, port in ports.items():
            folder = tmp_path / f"{port}"
            folder.mkdir()
            stack.enter_context(part("serve", "--port", str(port), data_dir=folder, url=url))
            stack.enter_context(part("worker", data_dir=folder, url=url))
        for port in ports.values():
            wait_for_server(port)
        source, server = (f"http://127.0.0.1:{ports[url]}" for url in (there, here))
        command = Import(source, server, tmp_path / "import")

        # It is killed while it is under way, once early and once late.
        command.killed_when(here, 3_000)
        after_first = _count(here)
        command.killed_when(here, 12_000)
        assert 3_000 <= after_first < 12_000 <= _count(here) < EVENTS
        told = command.done()
        assert (told["resumed"], told["refused"]) == (True, 0)
        # It went on where it was, and did not begin anew.
        assert told["sent"] < EVENTS - after_first

        # Again: nothing is left, and nothing comes twice.
        assert command.done()["sent"] == 0
        for url in (there, here):
            _wait_until_followed(url)
        assert _count(here) == EVENTS
        assert _catalog(here) == _catalog(there)
