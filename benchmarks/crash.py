"""Kill -9 at random instants while clients post events; then count what must hold (laws 1, 3 and 4).

Every acknowledged event is in the ledger once, every due run exists once, every attempt started at most once, and the
graph equals its rebuild.
"""

import contextlib
import http.client
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
from sqlalchemy import make_url

from benchmarks.events import complete_event
from benchmarks.machine import machine
from benchmarks.server import Server, pipeline, start_server, stop_server, temporary_folder
from catalog.database import create_database_engine
from catalog.embedded import EmbeddedPostgreSQL
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from web.verification import verify

NAMESPACE = "benchmark"
CLIENTS = 4
INPUT = {"namespace": NAMESPACE, "name": "input"}
#: How long a process that was killed may take to be there again.
COME_BACK_SECONDS = 30.0
#: What the kernel calls a process (at most 15 characters), and what it is to us.
KIND_BY_TITLE = {"headwater-web": "web", "headwater-worke": "worker", "postgres": "postgres"}
#: Everything that is killed.
KINDS = (*KIND_BY_TITLE.values(), "supervisor", "everything")
SHIM = 'echo "$HEADWATER_RUN_ID $HEADWATER_ATTEMPT" >> "$0"'


@dataclass
class Posted:
    """What clients sent: run ids of acknowledged events."""

    acknowledged: list[str] = field(default_factory=list)
    tries: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def post_until_acknowledged(port: int, event: dict[str, Any], posted: Posted, deadline: float) -> None:
    """Send one event again and again until the server says 201."""
    body = json.dumps(event)
    while time.monotonic() < deadline:
        posted.tries += 1
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", "/api/v1/lineage", body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        if status == 201:
            with posted.lock:
                posted.acknowledged.append(event["run"]["runId"])
            return
        if status not in (0, 503):
            raise RuntimeError(f"expected 201 or 503, found {status}")
        time.sleep(0.05)
    raise TimeoutError("an event was not acknowledged in time")


def post_many(port: int, count: int, posted: Posted, pause: float, deadline: float) -> list[threading.Thread]:
    """Start the clients; each posts its share with random pauses."""

    def client(number: int) -> None:
        chooser = random.Random(number)
        # The first clients take one more where the count does not divide.
        for _ in range(number, count, CLIENTS):
            post_until_acknowledged(port, complete_event("input"), posted, deadline)
            time.sleep(chooser.uniform(0, 2 * pause))

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    return threads


def documents(folder: Path) -> list[dict[str, Any]]:
    """Return an `each` and a `latest` pipeline whose commands say who they are, and a follow-up of the first."""
    retries = {"count": 5, "outcomes": ["failed", "lost"], "backoff": {"initial": "100ms", "maximum": "1s"}}
    argv = ["sh", "-c", SHIM]
    return [
        pipeline("each", INPUT, [*argv, str(folder / "each.txt")], concurrency=8, retries=retries),
        pipeline("latest", INPUT, [*argv, str(folder / "latest.txt")], batching="latest", retries=retries),
    ]


def kinds_to_kill(chooser: random.Random, kills: int) -> Iterator[str]:
    """Give so many kinds from a shuffled bag that is filled again when it is empty.

    Whatever the seed, each kind comes up once in every five.
    """
    bag: list[str] = []
    for _ in range(kills):
        if not bag:
            bag = list(KINDS)
            chooser.shuffle(bag)
        yield bag.pop()


def _title(process: psutil.Process) -> str:
    """Return what the kernel calls the process; psutil would guess a longer name from the command line."""
    return Path(f"/proc/{process.pid}/comm").read_text("utf-8").strip()


class Victim:
    """A Headwater whose processes are killed one by one, or all at once, and which is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = start_server(folder)
        self.kills: Counter[str] = Counter()
        # Clients know one address, as behind a service name.
        self.port = self.server.port

    def kill(self, kind: str) -> None:
        """Kill the process of the kind, or everything; start again what does not start again by itself."""
        for process in self._found(kind):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self.kills[kind] += 1
        if kind in ("supervisor", "everything"):
            self.restart()

    def _found(self, kind: str) -> list[psutil.Process]:
        """Return the processes of the kind once there are any: one that was killed just now is coming again."""
        deadline = time.monotonic() + COME_BACK_SECONDS
        while time.monotonic() < deadline:
            kinds = self._processes()
            if kind == "everything":
                return [process for group in kinds.values() for process in group]
            if kind in kinds:
                return kinds[kind]
            time.sleep(0.02)
        raise TimeoutError(f"there was no {kind} to kill for {COME_BACK_SECONDS:.0f} s")

    def _processes(self) -> dict[str, list[psutil.Process]]:
        supervisor = psutil.Process(self.server.process.pid)
        found: dict[str, list[psutil.Process]] = {"supervisor": [supervisor]}
        for child in supervisor.children():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                # The guard of the database, a shell, has tests of its own.
                kind = KIND_BY_TITLE.get(_title(child))
                if kind is not None:
                    found.setdefault(kind, []).append(child)
        return found

    def restart(self) -> None:
        """Start Headwater on the same folder and port."""
        self.server.process.wait()
        assert self.server.process.stdout is not None
        self.server.process.stdout.close()
        self.server = start_server(self.folder, port=self.port)


def check(url: str, posted: Posted, files: Sequence[Path], *, expected: int) -> dict[str, Any]:
    """Count what must hold; return what must be 0 or empty, and counts whose names end in `_count`.

    `headwater verify` finds what is wrong with what is stored; here it is held against what clients and commands know.
    """
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    lines = Counter(line for file in files if file.exists() for line in file.read_text("ascii").splitlines())
    with psycopg.connect(plain, autocommit=True) as connection:

        def count(query: LiteralString) -> int:
            row = connection.execute(query).fetchone()
            return int(row[0]) if row else 0

        known = Counter(
            str(run)
            for (run,) in connection.execute(
                "SELECT run_id FROM fact WHERE kind = 'openlineage.run'"
            ).fetchall()
        )
        started = {
            f"{run} {attempt}"
            for run, attempt in connection.execute("SELECT run_id, attempt FROM attempt_claim")
        }
        result: dict[str, Any] = {
            "acknowledged_count": len(posted.acknowledged),
            "acknowledged_missing": sum(1 for run in posted.acknowledged if known[run] == 0),
            "events_twice": sum(1 for times in known.values() if times > 1),
            "versions_missing": expected
            - count("SELECT count(*) FROM dataset_version WHERE state = 'published' AND origin = 'run'"),
            "each_runs_missing": expected
            - count("SELECT count(*) FROM pipeline_run WHERE pipeline = 'each'"),
            "latest_versions_unconsumed": expected
            - count("SELECT count(DISTINCT version_id) FROM consumption WHERE pipeline = 'latest'"),
            "runs_not_succeeded": count("SELECT count(*) FROM pipeline_run WHERE state <> 'succeeded'"),
            "attempts_started_twice": sum(1 for times in lines.values() if times > 1),
            "attempts_without_claim": len(lines.keys() - started),
            "runs_without_start": count("SELECT count(*) FROM pipeline_run")
            - len({line.split()[0] for line in lines}),
            "facts_parked": count("SELECT count(*) FROM parked"),
            "attempts_lost_count": count(
                "SELECT count(*) FROM pipeline_run_transition WHERE reason LIKE '%lost%' AND to_state = 'retrying'"
            ),
            "runs_count": count("SELECT count(*) FROM pipeline_run"),
        }
    engine = create_database_engine(url, pool_size=2, application_name="headwater-crash")
    try:
        verified = verify(plain, PostgresqlGraphMaintenance(engine))
    finally:
        engine.dispose()
    result["graph_differences"] = next(found.wrong for found in verified.findings if found.check == "graph")
    result["findings"] = [f"{found.check}: {told}" for found in verified.findings for told in found.told]
    return result


def wait_until_quiet(server: Server, expected: int, seconds: float = 180.0) -> None:
    """Return once the followers have caught up and every run has ended."""
    query = """{ pipelineRuns(first: 1, filter: {states: [PENDING, HELD, QUEUED, LAUNCHING, RUNNING, RETRYING]}) {
        nodes { id } } }"""
    total = '{ pipelineRuns(first: 1, filter: {pipeline: "each"}) { totalCount } }'
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            server.wait_until_followed(10)
            enough = server.graphql(total)["pipelineRuns"]["totalCount"] >= expected
            if enough and not server.graphql(query)["pipelineRuns"]["nodes"]:
                return
        time.sleep(0.2)
    raise TimeoutError(f"runs were still going on after {seconds} s")


def measure_crash(kills: int = 20, events: int = 500, seed: int = 20130101) -> dict[str, Any]:
    """Post events while processes are killed; raise unless everything holds that must."""
    chooser = random.Random(seed)
    seconds = max(30.0, kills * 1.5)
    with temporary_folder() as folder:
        victim = Victim(folder)
        try:
            victim.server.apply(*documents(folder))
            posted = Posted()
            started = time.monotonic()
            clients = post_many(
                victim.port, events, posted, CLIENTS * seconds / events, started + 10 * seconds + 120
            )
            for kind in kinds_to_kill(chooser, kills):
                time.sleep(chooser.uniform(0.2, 2 * seconds / kills))
                victim.kill(kind)
            for client in clients:
                client.join()
            wait_until_quiet(victim.server, events)
        finally:
            stop_server(victim.server)
        database = EmbeddedPostgreSQL(folder, progress=lambda _: None)
        try:
            found = check(
                database.start(), posted, [folder / "each.txt", folder / "latest.txt"], expected=events
            )
        finally:
            database.stop()
    wrong = {name: value for name, value in found.items() if value and not name.endswith("_count")}
    if wrong or len(posted.acknowledged) != events:
        raise AssertionError(f"after {dict(victim.kills)}: {wrong}, {len(posted.acknowledged)} acknowledged")
    return {
        "n": kills,
        "events": events,
        "kills": dict(victim.kills),
        "tries": posted.tries,
        **found,
        "reference": {"what": "events that clients sent", "events": events},
        "machine": machine(),
    }
