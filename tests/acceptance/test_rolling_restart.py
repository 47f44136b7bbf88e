"""Two webs and two workers are replaced one by one under load, and the schema grows meanwhile: nobody notices."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.crash import Posted, check, documents
from benchmarks.events import complete_event
from tests.support.newer_release import expand
from tests.support.processes import free_port, lines, part, wait_for_server
from tests.support.spine import append, apply_fact, connect

EVENTS = 300
CLIENTS = 3
#: What a client may hear and then asks again: nobody there, or come back later.
RETRYABLE = {0, 503}


class Clients:
    """Clients that know all webs, as behind a service name, and ask again where that may help."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.posted = Posted()
        self.heard: Counter[int] = Counter()
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _post(self, number: int) -> None:
        chooser = random.Random(number)
        for _ in range(number, EVENTS, CLIENTS):
            event = complete_event("input")
            while (status := self._once(chooser.choice(self.ports), event)) in RETRYABLE:
                time.sleep(0.05)
            if status != 201:
                return  # seen by the test in what was heard
            with self.posted.lock:
                self.posted.acknowledged.append(event["run"]["runId"])
            time.sleep(chooser.uniform(0, 0.15))

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


@pytest.mark.timeout(240)
def test_webs_and_workers_are_replaced_one_by_one(tmp_path: Path, database_url: str) -> None:
    with ExitStack() as everything:
        webs: list[tuple[int, ExitStack]] = []
        workers: list[ExitStack] = []

        def add_web(port: int) -> None:
            stack = everything.enter_context(ExitStack())
            stack.enter_context(part("serve", "--port", str(port), data_dir=tmp_path, url=database_url))
            wait_for_server(port)
            webs.append((port, stack))

        def add_worker() -> None:
            stack = everything.enter_context(ExitStack())
            arguments = ["--allow-commands", str(tmp_path)]
            stack.enter_context(part("worker", *arguments, data_dir=tmp_path, url=database_url))
            workers.append(stack)

        for _ in range(2):
            add_web(free_port())
            add_worker()
        with connect(database_url) as connection:
            append(connection, [apply_fact(*documents(tmp_path))])
        clients = Clients([port for port, _ in webs])
        clients.start()
        # The newer release migrates first, while the older one works.
        with connect(database_url) as connection:
            expand(connection)
        # Workers first: they must understand what newer webs take.
        for _ in range(2):
            add_worker()
            time.sleep(1)
            workers.pop(0).close()
        for _ in range(2):
            port, web = webs.pop(0)
            web.close()
            add_web(port)
        clients.join()
        assert set(clients.heard) <= {201, *RETRYABLE}
        assert len(clients.posted.acknowledged) == EVENTS
        wait_until_quiet(database_url)
        files = [tmp_path / "each.txt", tmp_path / "latest.txt"]
        found = check(database_url, clients.posted, files, expected=EVENTS)
        assert {name: value for name, value in found.items() if value and not name.endswith("_count")} == {}
        # Nothing was lost on the way: what ran while its worker was replaced was adopted.
        assert found["attempts_lost_count"] == 0
        assert len(lines(tmp_path / "each.txt")) == EVENTS


def wait_until_quiet(url: str, seconds: float = 90.0) -> None:
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
            if row == (EVENTS, 0, True):
                return
            time.sleep(0.1)
    raise AssertionError(f"expected {EVENTS} runs, none open and no lag, found {row}")
