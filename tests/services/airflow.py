"""A real Airflow 3, standalone, in the environment that HEADWATER_TEST_AIRFLOW names; and a gateway before its API."""

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.http_double import Heard, HttpDouble, Reply, http_double
from tests.support.processes import free_port

EXAMPLE = Path(__file__).parents[2] / "examples" / "airflow"
TRIALS = Path(__file__).with_name("airflow_dags")
READY_SECONDS = 180.0
END_SECONDS = 20.0
#: Tokens expire while the tests run.
TOKEN_SECONDS = 8


def environment_folder() -> Path:
    """Return the environment in which Airflow is installed."""
    return Path(os.environ["HEADWATER_TEST_AIRFLOW"]).resolve()


@dataclass
class Airflow:
    """A running Airflow, asked as its user `headwater`."""

    url: str
    folder: Path
    password: str
    starts_file: Path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the content of the answer; a token is asked for each time."""
        login = {"username": "headwater", "password": self.password}
        with httpx.Client(base_url=self.url, timeout=30) as client:
            token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
            answer = client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
            return answer.raise_for_status().json()

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Return the DAG runs of a DAG."""
        found: list[dict[str, Any]] = self.ask("GET", f"/api/v2/dags/{dag}/dagRuns")["dag_runs"]
        return found

    def starts(self, run: str) -> list[int]:
        """Return the ids of the processes in which a task of the DAG run was started."""
        if not self.starts_file.exists():
            return []
        lines = [line.split() for line in self.starts_file.read_text("utf-8").splitlines()]
        return [int(pid) for name, pid in lines if name == run]

    def wait_until_ready(self, dags: list[str], process: "subprocess.Popen[bytes]") -> None:
        """Return once its parts are healthy and it knows the DAGs."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            log = self.folder / "airflow.log"
            said = f"{log}: {log.read_text('utf-8', 'replace')[-3000:]}"
            assert process.poll() is None, said
            with contextlib.suppress(httpx.HTTPError):
                health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
                parts = ("scheduler", "dag_processor", "metadatabase")
                if all(health[part]["status"] == "healthy" for part in parts):
                    known = {dag["dag_id"] for dag in self.ask("GET", "/api/v2/dags")["dags"]}
                    if known >= set(dags):
                        return
            assert time.monotonic() < deadline, said
            time.sleep(0.5)


@contextmanager
def running_airflow(folder: Path, headwater_url: str) -> Iterator[Airflow]:
    """Run Airflow with the settings and DAGs of the example, and those of the trials, in a copy of the example."""
    example = folder / "example"
    shutil.copytree(EXAMPLE, example, ignore=shutil.ignore_patterns(".venv", ".airflow", "secrets"))
    for dag in TRIALS.glob("*.py"):
        shutil.copy(dag, example / "dags")
    orders = folder / "orders"
    orders.mkdir()
    url = f"http://127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "PATH": f"{environment_folder() / 'bin'}:{os.environ['PATH']}",
        "HEADWATER_URL": headwater_url,
        "ORDERS_FOLDER": str(orders),
        "TRIALS_STARTS": str(folder / "starts"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": url.rsplit(":", 1)[1],
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME": str(TOKEN_SECONDS),
        "AIRFLOW__API_AUTH__JWT_LEEWAY": "0",
    }
    with (folder / "airflow.log").open("wb") as log:
        # In a session of its own: Airflow's parts have children that outlive their parents.
        process = subprocess.Popen(
            ["sh", "-c", ". ./settings.sh; exec airflow standalone"],
            cwd=example,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    password_file = example / "secrets" / "airflow-password"
    try:
        _wait_for(password_file)
        airflow = Airflow(url, folder, password_file.read_text("utf-8"), folder / "starts")
        dags = ["orders_report", "orders_page", "working", "failing", "resting"]
        airflow.wait_until_ready(dags, process)
        yield airflow
    finally:
        _end(process)


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not (file.exists() and file.stat().st_size):
        assert time.monotonic() < deadline, file
        time.sleep(0.05)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End Airflow and everything that it started."""
    found = [psutil.Process(process.pid)] if process.poll() is None else []
    found += [child for each in found for child in each.children(recursive=True)]
    process.terminate()
    _, living = psutil.wait_procs(found, timeout=END_SECONDS)
    for each in living:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


@dataclass
class Gateway:
    """Passes every request on to Airflow and keeps what was asked and answered; it may lose answers."""

    airflow: Airflow
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    loses: Callable[[Heard, int], bool] = lambda _heard, _status: False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, heard: Heard, reply: Reply) -> None:
        kept = ("Authorization", "Content-Type", "Accept")
        headers = {name: heard.headers[name] for name in kept if name in heard.headers}
        answer = httpx.request(
            heard.method, f"{self.airflow.url}{heard.path}", content=heard.body, headers=headers, timeout=30
        )
        with self._lock:
            self.asked.append((heard.method, heard.path, answer.status_code))
            if self.loses(heard, answer.status_code):
                return
        reply.send(answer.status_code, answer.content, Content_Type="application/json")

    def statuses(self, method: str, path: str) -> list[int]:
        """Return what was answered to all requests of the path."""
        return [status for asked, where, status in self.asked if (asked, where) == (method, path)]

    def lose_the_first_success(self, method: str, path: str) -> None:
        """Lose one answer: Airflow did what it was asked for, and nobody hears that."""
        lost: list[str] = []

        def once(heard: Heard, status: int) -> bool:
            if (heard.method, heard.path, status) != (method, path, 200) or lost:
                return False
            lost.append(path)
            return True

        self.loses = once


@contextmanager
def gateway_to(airflow: Airflow) -> Iterator[tuple[Gateway, HttpDouble]]:
    """Yield a gateway to Airflow and where it listens."""
    gateway = Gateway(airflow)
    with http_double(gateway) as double:
        yield gateway, double
