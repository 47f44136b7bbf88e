"""Two webs and two workers of the release before are replaced one by one under load: nobody notices."""

import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from benchmarks.crash import Posted, check, documents
from benchmarks.events import complete_event
from catalog.schema import Standing, read_schema
from tests.services.former_release import FormerRelease
from tests.support.command_line import CommandLine
from tests.support.history import report
from tests.support.newer_release import expand, newer_fact, newer_follower
from tests.support.processes import free_port, lines, part, wait_for_lines, wait_for_server
from tests.support.spine import append, apply_fact, connect, follow, parked

CLIENTS = 3
#: What a client may hear and then asks again: nobody there, or come back later.
RETRYABLE = {0, 503}


class Clients:
    """Clients that know all webs, as behind a service name, and ask again where that may help."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.posted = Posted()
        self.heard: Counter[int] = Counter()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each client end what it has begun."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _post(self, number: int) -> None:
        chooser = random.Random(number)
        while not self._end.is_set():
            event = complete_event("input")
            while (status := self._once(chooser.choice(self.ports), event)) in RETRYABLE:
                time.sleep(0.05)
            if status != 201:
                return  # seen by the test in what was heard
            with self.posted.lock:
                self.posted.acknowledged.append(event["run"]["runId"])
            time.sleep(chooser.uniform(0, 0.6))

    def _once(self, port: int, event: dict[str, Any]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/api/v1/lineage", json.dumps(event), headers)
            response = connection.getresponse()
            status = response.status
            if status == 503:
                assert json.loads(response.read())["retryable"] is True
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        with self.posted.lock:
            self.heard[status] += 1
        return status


@dataclass
class Deployment:
    """Webs and workers on one database; what is started is ended with the stack."""

    folder: Path
    url: str
    everything: ExitStack
    webs: list[tuple[int, ExitStack]] = field(default_factory=list)
    workers: list[ExitStack] = field(default_factory=list)

    def add_web(self, port: int, **environment: str) -> None:
        self.webs.append((port, self._start("serve", "--port", str(port), **environment)))

    def add_worker(self, **environment: str) -> None:
        self.workers.append(self._start("worker", "--allow-commands", str(self.folder), **environment))

    def _start(self, *arguments: str, **environment: str) -> ExitStack:
        stack = self.everything.enter_context(ExitStack())
        stack.enter_context(part(*arguments, data_dir=self.folder, url=self.url, **environment))
        return stack

    def wait_for_webs(self) -> list[int]:
        """Return the ports of the webs once all of them answer."""
        for port, _ in self.webs:
            wait_for_server(port)
        return [port for port, _ in self.webs]


def replace_one_by_one(deployment: Deployment, older: dict[str, str], migrate: Callable[[], None]) -> None:
    """Replace two webs and two workers of the older release under load; nothing is lost, everything runs once."""
    folder, url = deployment.folder, deployment.url
    for _ in range(2):
        deployment.add_web(free_port(), **older)
        deployment.add_worker(**older)
    with connect(url) as connection:
        append(connection, [apply_fact(*documents(folder))])
    clients = Clients(deployment.wait_for_webs())
    clients.start()
    # The newer release migrates first. The older one goes on alone: it takes events, follows them, starts what is due.
    wait_for_lines(folder / "each.txt", 5, 30)
    migrate()
    wait_for_lines(folder / "each.txt", len(lines(folder / "each.txt")) + 15, 30)
    # Workers first: they must understand what newer webs take.
    for _ in range(2):
        deployment.add_worker()
        time.sleep(1)
        deployment.workers.pop(0).close()
    for _ in range(2):
        port, web = deployment.webs.pop(0)
        web.close()
        deployment.add_web(port)
        wait_for_server(port)
    clients.stop()
    acknowledged = len(clients.posted.acknowledged)
    assert set(clients.heard) <= {201, *RETRYABLE}
    assert clients.heard[201] == acknowledged > 30
    wait_until_quiet(url, acknowledged)
    files = [folder / "each.txt", folder / "latest.txt"]
    found = check(url, clients.posted, files, expected=acknowledged)
    assert {name: value for name, value in found.items() if value and not name.endswith("_count")} == {}
    # Nothing was lost on the way: what ran while its worker was replaced was adopted.
    assert found["attempts_lost_count"] == 0
    assert len(lines(folder / "each.txt")) == acknowledged


@pytest.mark.history
def test_the_release_before_is_replaced_one_by_one(
    tmp_path: Path, empty_database: str, former_release: FormerRelease
) -> None:
    headwater = CommandLine({**os.environ, "HEADWATER_DATABASE_URL": empty_database})
    headwater.with_environment(**former_release.environment).done("migrate")
    with connect(empty_database) as connection:
        assert read_schema(connection).revision == former_release.revision
    with ExitStack() as everything:
        deployment = Deployment(tmp_path, empty_database, everything)
        replace_one_by_one(deployment, former_release.environment, lambda: headwater.done("migrate"))
    with connect(empty_database) as connection:
        schema = read_schema(connection)
    assert schema.standing is Standing.CURRENT
    # This release promises the one before that it may run on the schema.
    assert schema.oldest is not None
    assert schema.oldest <= former_release.revision


@pytest.mark.history
def test_the_release_before_leaves_what_it_does_not_understand(
    tmp_path: Path, database_url: str, former_release: FormerRelease
) -> None:
    with ExitStack() as everything, connect(database_url) as connection:
        expand(connection)
        Deployment(tmp_path, database_url, everything).add_worker(**former_release.environment)
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('launch', 'headwater.comet')"
        )
        known, newer, last = append(connection, [report("a", 1), newer_fact(1), report("a", 2)])
        cursor = "SELECT position, left_position FROM follower WHERE name = 'state'"
        wait_for_row(connection, cursor, (known.position, newer.position))
        # The job was taken and put back.
        job = "SELECT status::text, attempts > 0 FROM procrastinate_jobs WHERE task_name = 'headwater.comet'"
        wait_for_row(connection, job, ("todo", True))
        # Beside it works somebody who understands.
        follow(connection, newer_follower())
        wait_for_row(connection, cursor, (last.position, None))
        # That wrote in a newer form: what comes from now on is left too, although the kind of fact is known.
        (after,) = append(connection, [report("a", 3)])
        wait_for_row(connection, cursor, (last.position, after.position))
        assert parked(connection) == []


def wait_for_row(
    connection: psycopg.Connection[Any],
    query: LiteralString,
    expected: tuple[Any, ...],
    seconds: float = 30.0,
) -> None:
    deadline = time.monotonic() + seconds
    while (row := connection.execute(query).fetchone()) != expected:
        assert time.monotonic() < deadline, f"expected {expected}, found {row}"
        time.sleep(0.05)


def wait_until_quiet(url: str, runs: int, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    row = None
    with connect(url) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM pipeline_run WHERE pipeline = 'each'),"
                " (SELECT count(*) FROM pipeline_run WHERE state <> 'succeeded'),"
                " (SELECT position FROM follower WHERE name = 'graph') ="
                " (SELECT coalesce(max(sequence), 0) FROM observation)"
            ).fetchone()
            if row == (runs, 0, True):
                return
            time.sleep(0.1)
    raise AssertionError(f"expected {runs} runs, none open and no lag, found {row}")
