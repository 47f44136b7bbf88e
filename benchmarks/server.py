"""The real command on a data folder of the measurement's own, as a user starts it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import make_url

from catalog.embedded.running import running_url

HEADWATER = Path(sys.executable).with_name("headwater")
START_SECONDS = 60.0
WORKER = "headwater-worke"  # as far as the kernel keeps a name


@dataclass(frozen=True)
class Server:
    """A running Headwater."""

    url: str
    data_dir: Path
    process: subprocess.Popen[str]
    ready_seconds: float

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def token(self) -> str:
        """The local token."""
        return (self.data_dir / "local-token").read_text("ascii").strip()

    @property
    def database_url(self) -> str:
        """The database as the driver takes it."""
        url = running_url(self.data_dir)
        assert url is not None
        return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    def graphql(self, query: str, **variables: Any) -> Any:
        """Return the data of the answer; raise on errors."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - loopback
            answer = json.loads(response.read())
        if answer.get("errors"):
            raise RuntimeError(json.dumps(answer["errors"])[:2000])
        return answer["data"]

    def apply(self, *documents: dict[str, Any]) -> None:
        """Register documents."""
        self.graphql(
            "mutation($d: [JSON!]!) { applyDocuments(documents: $d) { documents { change } } }",
            d=list(documents),
        )

    def wait_until_followed(self, seconds: float = 120.0) -> float:
        """Return how many seconds it took until the followers had nothing left."""
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            status = self.graphql("{ status { position ledgerPosition graphPosition } }")["status"]
            if min(status["position"], status["graphPosition"]) >= status["ledgerPosition"]:
                return time.perf_counter() - started
            time.sleep(0.02)
        raise TimeoutError(f"the followers had work left after {seconds} s")

    def wait_until_found(self, seconds: float = 600.0) -> float:
        """Return how many seconds it took until everything that was followed could be searched for."""
        started = time.perf_counter()
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            while time.perf_counter() - started < seconds:
                if connection.execute("SELECT FROM search_change LIMIT 1").fetchone() is None:
                    return time.perf_counter() - started
                time.sleep(0.02)
        raise TimeoutError(f"the index of the search had work left after {seconds} s")

    def worker_seconds(self) -> float:
        """Return the processor time that the worker has used, in seconds."""
        worker = next(process for process in self.processes() if process.name() == WORKER)
        times = worker.cpu_times()
        return times.user + times.system

    def processes(self) -> list[psutil.Process]:
        """Return every process of this Headwater."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]


def pipeline(name: str, dataset: dict[str, str], argv: list[str], **spec: Any) -> dict[str, Any]:
    """Return a Pipeline document that runs a command when the dataset has a new version."""
    return {
        "apiVersion": "headwater/v1",
        "kind": "Pipeline",
        "metadata": {"name": name, "owner": "benchmark"},
        "spec": {"when": {"dataset": dataset}, "launch": {"command": {"argv": argv}}, **spec},
    }


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is gone afterwards, with the database that it leads to."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-benchmark-"))
    try:
        yield folder
    finally:
        link = folder / "postgresql"
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_server(folder: Path, **environment: str) -> Iterator[Server]:
    """Yield a server that has said that it is ready; it is stopped afterwards."""
    server = start_server(folder, **environment)
    try:
        yield server
    finally:
        stop_server(server)


def start_server(folder: Path, *, port: int = 0, **environment: str) -> Server:
    """Start `headwater up` and return once it has said that it is ready."""
    started = time.perf_counter()
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [
                str(HEADWATER),
                "up",
                "--data-dir",
                str(folder),
                "--port",
                str(port),
                "--allow-commands",
                str(folder),
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **environment},
        )
    assert process.stdout is not None
    while line := process.stdout.readline():
        if line.startswith("ready "):
            return Server(line.split()[1], folder, process, time.perf_counter() - started)
        if time.perf_counter() - started > START_SECONDS:
            break
    process.kill()
    process.wait()
    raise RuntimeError((folder / "server.log").read_text("utf-8", "replace")[-4000:])


def stop_server(server: Server) -> float:
    """Ask the server to end; return how many seconds it took."""
    started = time.perf_counter()
    server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(15)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    assert server.process.stdout is not None
    server.process.stdout.close()
    return time.perf_counter() - started
