"""Two webs and two workers: the death of any one is taken over within five seconds; a cut network loses nothing."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.crash import Posted, check, documents
from benchmarks.events import complete_event
from benchmarks.partition import DatabaseProxy
from tests.support.processes import (
    free_port,
    lines,
    part,
    post_somewhere,
    wait_for_lines,
    wait_for_server,
)
from tests.support.spine import append, apply_fact, connect

TAKEOVER_SECONDS = 5.0


class Cluster:
    """Webs and workers on one database; workers share a host, as processes of one machine do."""

    def __init__(self, stack: ExitStack, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self._stack = stack
        self.ports: list[int] = []
        self.webs: list[subprocess.Popen[str]] = []
        self.workers: list[subprocess.Popen[str]] = []
        self.posted = Posted()

    def add_web(self) -> None:
        """Start a web and wait for it."""
        port = free_port()
        web = part("serve", "--port", str(port), data_dir=self.folder, url=self.url)
        self.webs.append(self._stack.enter_context(web))
        wait_for_server(port)
        self.ports.append(port)

    def add_worker(self, url: str | None = None) -> None:
        """Start a worker, on a way to the database of its own if one is given."""
        worker = part(
            "worker", "--allow-commands", str(self.folder), data_dir=self.folder, url=url or self.url
        )
        self.workers.append(self._stack.enter_context(worker))

    def post(self) -> None:
        """Send one event to whoever takes it."""
        event = complete_event("input")
        post_somewhere(self.ports, "/api/v1/lineage", event)
        self.posted.acknowledged.append(event["run"]["runId"])

    def register(self) -> None:
        """Register the pipelines."""
        with connect(self.url) as connection:
            append(connection, [apply_fact(*documents(self.folder))])


@pytest.fixture
def cluster(tmp_path: Path, database_url: str) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack, tmp_path, database_url)


def wait_until_quiet(cluster: Cluster, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with connect(cluster.url) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM pipeline_run WHERE pipeline = 'each'),"
                " (SELECT count(*) FROM pipeline_run WHERE state <> 'succeeded'),"
                " (SELECT position FROM follower WHERE name = 'graph') ="
                " (SELECT coalesce(max(sequence), 0) FROM observation)"
            ).fetchone()
            if row == (len(cluster.posted.acknowledged), 0, True):
                return
            time.sleep(0.1)
    raise AssertionError(
        f"expected {len(cluster.posted.acknowledged)} runs, none open and no lag, found {row}"
    )


def assert_all_holds(cluster: Cluster) -> None:
    files = [cluster.folder / "each.txt", cluster.folder / "latest.txt"]
    found = check(cluster.url, cluster.posted, files, expected=len(cluster.posted.acknowledged))
    assert {name: value for name, value in found.items() if value and not name.endswith("_count")} == {}


@pytest.mark.timeout(240)
def test_the_death_of_any_one_is_taken_over_within_five_seconds(cluster: Cluster) -> None:
    for _ in range(2):
        cluster.add_web()
        cluster.add_worker()
    cluster.register()
    each = cluster.folder / "each.txt"
    cluster.post()
    wait_for_lines(each, 1, 30)
    for kind in ("workers", "webs"):
        for index in range(2):
            group = cluster.workers if kind == "workers" else cluster.webs
            # The newest one stays; the older one, whatever it holds, dies.
            group[0].send_signal(signal.SIGKILL)
            group[0].wait()
            group.pop(0)
            before = len(lines(each))
            cluster.post()
            took = wait_for_lines(each, before + 1, 30)
            assert took <= TAKEOVER_SECONDS, f"{kind} {index}: taken over after {took:.1f} s"
            if kind == "workers":
                cluster.add_worker()
            else:
                cluster.add_web()
    wait_until_quiet(cluster, 60)
    assert_all_holds(cluster)


@pytest.mark.timeout(300)
def test_a_minute_without_a_way_to_the_database_loses_nothing(cluster: Cluster) -> None:
    with DatabaseProxy(cluster.url) as network:
        cluster.add_web()
        cluster.add_worker(network.url)
        cluster.register()
        for _ in range(5):
            cluster.post()
        wait_for_lines(cluster.folder / "each.txt", 5, 30)
        network.cut()
        cut = time.monotonic()
        while time.monotonic() - cut < 60:
            # Events are taken in all the time.
            cluster.post()
            time.sleep(1)
        assert len(lines(cluster.folder / "each.txt")) <= 6
        network.mend()
        wait_until_quiet(cluster, 90)
        assert_all_holds(cluster)
        for worker in cluster.workers:
            worker.kill()
            worker.wait()


@pytest.mark.timeout(240)
def test_another_worker_goes_on_when_one_is_cut_off_with_its_locks(cluster: Cluster) -> None:
    with DatabaseProxy(cluster.url) as network:
        cluster.add_web()
        cluster.add_worker(network.url)
        cluster.register()
        cluster.post()
        each = cluster.folder / "each.txt"
        wait_for_lines(each, 1, 30)
        cluster.add_worker()
        time.sleep(2)
        network.cut()
        cluster.post()
        # The server still believes in the connection that holds the followers' locks.
        took = wait_for_lines(each, 2, 60)
        assert took < 30
        network.mend()
        wait_until_quiet(cluster, 90)
        assert_all_holds(cluster)
