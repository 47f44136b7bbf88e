"""A real Airflow with its OpenLineage provider, as `examples/airflow` sets it up, and `headwater up` beside it.

`make test-airflow` installs Airflow and runs this; `make test` deselects it. The gateway before Airflow passes
everything on, so that it can be counted, and loses an answer where a test says so.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.server import HEADWATER, Server, start_server, stop_server
from tests.services.airflow import TOKEN_SECONDS, Airflow, Gateway, gateway_to, running_airflow
from tests.services.postgresql import temporary_data_folder
from tests.support.command_line import CommandLine
from tests.support.processes import free_port

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

ENDED = {"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "LOST"}
SECONDS = 90.0
RUN = """query ($id: ID!) { pipelineRun(id: $id) {
  state reason
  attempts { outcome reason }
  run { children { nodes {
    id state job { namespace name }
    events { nodes { kind actor } }
    children { nodes { state job { namespace name } inputs { dataset { name } } outputs { dataset { name } }
                       versions { dataset { name } } events { nodes { actor } } } }
  } } }
} }"""


@dataclass
class Place:
    """Headwater, Airflow, and what lies between them."""

    airflow: Airflow
    gateway: Gateway
    gateway_url: str
    headwater: CommandLine
    server: Server
    example: Path

    def apply(self, name: str, dag: str, **airflow: Any) -> None:
        """Register a pipeline of the DAG, due by versions of the dataset `trial` and its name."""
        launch = {
            "url": self.gateway_url,
            "dag": dag,
            "credentials": {
                "username": "headwater",
                "password": {"secret": "env:HEADWATER_SECRET_AIRFLOW_PASSWORD"},
            },
            "interval": "1s",
            **airflow,
        }
        when = {"dataset": {"namespace": "trial", "name": name}}
        document = {
            "apiVersion": "headwater/v1",
            "kind": "Pipeline",
            "metadata": {"name": name, "owner": "trials"},
            "spec": {"when": when, "launch": {"airflow": launch}, "timeout": "5m"},
        }
        self.server.apply(document)

    def emit(self, name: str) -> None:
        """Report a version, which makes the pipeline due."""
        self.headwater.done("emit", "version", "--dataset", "trial", name)

    def run(self, name: str) -> dict[str, Any]:
        """Return what `runs show` tells of the pipeline's first run."""
        found: dict[str, Any] = self.headwater.done("runs", "show", f"{name}/1", "--json").json
        return found

    def ended(self, name: str) -> dict[str, Any]:
        """Return the run once it has ended."""
        return self.wait_for(name, ENDED)

    def wait_for(self, name: str, states: set[str]) -> dict[str, Any]:
        """Return the run once it is in one of the states."""
        deadline = time.monotonic() + SECONDS
        while True:
            said = self.headwater("runs", "show", f"{name}/1", "--json")
            if said.code == 0 and said.json["state"] in states:
                found: dict[str, Any] = said.json
                return found
            assert time.monotonic() < deadline, said
            time.sleep(0.3)

    def told(self, name: str) -> str:
        """Return what `runs logs` tells of the pipeline's first run."""
        return self.headwater("runs", "logs", f"{name}/1").out

    def wait_until_told(self, name: str, text: str) -> None:
        """Return once `runs logs` says so."""
        deadline = time.monotonic() + SECONDS
        while text not in self.told(name):
            assert time.monotonic() < deadline, self.told(name)
            time.sleep(0.3)

    def dag_runs(self, dag: str, name: str) -> list[dict[str, Any]]:
        """Return the DAG runs that were started for the pipeline."""
        return [run for run in self.airflow.runs(dag) if run["note"].startswith(f"Headwater: {name}/")]

    def wait_for_start(self, dag: str, name: str) -> str:
        """Return the id of the DAG run that was started for the pipeline once its task works."""
        deadline = time.monotonic() + SECONDS
        while True:
            ids = [str(run["dag_run_id"]) for run in self.dag_runs(dag, name)]
            if ids and self.airflow.starts(ids[0]):
                return ids[0]
            assert time.monotonic() < deadline, ids
            time.sleep(0.3)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("airflow")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        running_airflow(folder, url) as airflow,
        gateway_to(airflow) as (gateway, double),
        temporary_data_folder() as data,
    ):
        environment = {**os.environ, "HEADWATER_DATA_DIR": str(data), "HEADWATER_URL": url}
        server = start_server(data, port=port, HEADWATER_SECRET_AIRFLOW_PASSWORD=airflow.password)
        found = Place(airflow, gateway, double.url, CommandLine(environment), server, folder / "example")
        try:
            yield found
        finally:
            # A test may have put another in its place.
            stop_server(found.server)


def readme_commands(place: Place) -> list[str]:
    """Return the shell lines of the page's third shell, with this test's places in them."""
    blocks = re.findall(r"```sh\n(.*?)```", (place.example / "README.md").read_text("utf-8"), re.DOTALL)
    orders = str(place.airflow.folder / "orders")
    pipelines = place.example / "pipelines.yaml"
    text = pipelines.read_text("utf-8")
    pipelines.write_text(
        text.replace("/tmp/orders", orders).replace("http://127.0.0.1:8080", place.gateway_url)
    )
    return [line.replace("/tmp/orders", orders) for block in blocks[-2:] for line in block.splitlines()]


def shell(place: Place, line: str) -> str:
    """Return what a line of shell prints; it must succeed."""
    environment = {**place.headwater.environment, "PATH": f"{HEADWATER.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", line], cwd=place.example, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (line, done)
    return done.stdout


def test_the_example_as_its_page_says(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    # A new version of the orders starts a DAG run; what that reports makes the next one due.
    lines = readme_commands(place)
    watch = lines.index("headwater runs watch")
    for line in lines[:watch]:
        shell(place, line)
    report, page = place.ended("orders_report"), place.ended("orders_page")
    said = [shell(place, line) for line in lines[watch + 1 :]]

    assert (report["state"], page["state"]) == ("SUCCEEDED", "SUCCEEDED"), (report, page)
    assert report["reason"] == "state success"
    # Each once, under the id that Headwater gave it, with the versions that made it due.
    [first], [second] = place.airflow.runs("orders_report"), place.airflow.runs("orders_page")
    assert first["dag_run_id"].startswith("headwater__")
    assert first["note"].startswith("Headwater: orders_report/1, attempt 1: ")
    assert len(first["conf"]["headwater"]["versions"]) == 1
    written = json.loads((place.airflow.folder / "orders" / "report.json").read_text("utf-8"))
    assert (written["orders"], written["sum"]) == (2, 115.5)
    assert written["versions"] == [first["conf"]["headwater"]["versions"][0]["version"]]
    # Its events came in with its key, as children: the DAG run of the pipeline run, the task of the DAG run.
    told = place.server.graphql(RUN, id=report["id"])["pipelineRun"]
    [dag_run] = told["run"]["children"]["nodes"]
    assert dag_run["job"] == {"namespace": "airflow", "name": "orders_report"}
    assert dag_run["state"] == "COMPLETE"
    [task] = dag_run["children"]["nodes"]
    assert task["job"] == {"namespace": "airflow", "name": "orders_report.add_up"}
    orders = place.airflow.folder / "orders"
    assert [found["dataset"]["name"] for found in task["inputs"]] == [f"{orders}/orders.csv"]
    assert [found["dataset"]["name"] for found in task["versions"]] == [f"{orders}/report.json"]
    actors = {event["actor"] for run in (dag_run, task) for event in run["events"]["nodes"]}
    assert actors == {"token:airflow"}, actors
    # The page of the second run says why it is: the version that the first one's task made.
    assert second["dag_run_id"] in place.told("orders_page")
    assert f"/dags/orders_report/runs/{first['dag_run_id']}" in said[1]
    assert "orders_report" in said[2]
    events = sum(len(run["events"]["nodes"]) for run in (dag_run, task))
    with capsys.disabled():
        print(
            f"\nDAG runs 2, started by Headwater 2, twice 0; events of orders_report {events}, with the key {events}"
        )


def test_a_lost_answer_starts_nothing_twice(place: Place) -> None:
    runs = "/api/v2/dags/working/dagRuns"
    place.gateway.lose_the_first_success("POST", runs)
    before = len(place.gateway.statuses("POST", runs))
    place.apply("lost_answer", "working", conf={"seconds": 1})
    place.emit("lost_answer")
    run = place.ended("lost_answer")

    assert run["state"] == "SUCCEEDED", run
    # Airflow took the first and refused the second, which had the same id: it exists. A token may have expired.
    assert [found for found in place.gateway.statuses("POST", runs)[before:] if found != 401] == [200, 409]
    [dag_run] = place.dag_runs("working", "lost_answer")
    assert len(place.airflow.starts(dag_run["dag_run_id"])) == 1


def test_a_cancel_ends_the_task(place: Place) -> None:
    place.apply("cancelled", "working", conf={"seconds": 300})
    place.emit("cancelled")
    dag_run = place.wait_for_start("working", "cancelled")
    [pid] = place.airflow.starts(dag_run)
    assert psutil.pid_exists(pid)
    place.headwater.done("runs", "cancel", "cancelled/1")
    run = place.ended("cancelled")

    assert run["state"] == "CANCELLED", run
    states = {found["dag_run_id"]: found["state"] for found in place.airflow.runs("working")}
    assert states[dag_run] == "failed"
    deadline = time.monotonic() + SECONDS
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline, "the task still runs"
        time.sleep(0.3)


def test_a_run_is_adopted_after_all_of_headwater_was_killed(place: Place) -> None:
    place.apply("adopted", "working", conf={"seconds": 10})
    place.emit("adopted")
    dag_run = place.wait_for_start("working", "adopted")
    processes = place.server.processes()
    for process in processes:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(processes, timeout=10)
    place.server.process.wait()
    assert place.server.process.stdout is not None
    place.server.process.stdout.close()
    place.server = start_server(
        place.server.data_dir,
        port=place.server.port,
        HEADWATER_SECRET_AIRFLOW_PASSWORD=place.airflow.password,
    )
    run = place.ended("adopted")

    assert run["state"] == "SUCCEEDED", run
    assert len(place.airflow.starts(dag_run)) == 1
    assert [found["dag_run_id"] for found in place.dag_runs("working", "adopted")] == [dag_run]


def test_a_token_that_expires_is_asked_for_anew(place: Place) -> None:
    before = len(place.gateway.asked)
    place.apply("patient", "working", conf={"seconds": TOKEN_SECONDS + 4})
    place.emit("patient")
    run = place.ended("patient")

    assert run["state"] == "SUCCEEDED", run
    asked = place.gateway.asked[before:]
    refused = [at for at, (_, path, status) in enumerate(asked) if status == 401 and path != "/auth/token"]
    assert refused
    # Airflow's word that it has expired is followed by a new one, and the same question.
    for at in refused:
        assert asked[at + 1] == ("POST", "/auth/token", 201)
        assert asked[at + 2][:2] == asked[at][:2]
        assert asked[at + 2][2] == 200


def test_a_paused_dag_is_waited_for(place: Place) -> None:
    place.apply("paused", "resting")
    place.emit("paused")
    place.wait_until_told(
        "paused", "the DAG resting is paused in Airflow: the run is started when it no longer is"
    )
    assert place.run("paused")["state"] == "LAUNCHING"
    assert place.airflow.runs("resting") == []
    place.airflow.ask("PATCH", "/api/v2/dags/resting", {"is_paused": False})
    assert place.ended("paused")["state"] == "SUCCEEDED"
    assert len(place.airflow.runs("resting")) == 1


def test_what_airflow_refuses_and_what_fails_there_is_told(place: Place) -> None:
    place.apply("unknown", "nowhere")
    place.apply("faulty", "failing")
    password = {"secret": "env:HEADWATER_SECRET_AIRFLOW_PASSWORD"}
    place.apply("stranger", "working", credentials={"username": "nobody", "password": password})
    for name in ("unknown", "faulty", "stranger"):
        place.emit(name)
    told = {name: place.ended(name) for name in ("unknown", "faulty", "stranger")}

    assert {run["state"] for run in told.values()} == {"FAILED"}
    assert told["unknown"]["reason"] == "Airflow has no DAG nowhere"
    assert told["faulty"]["reason"] == "state failed: task extract"
    assert told["stranger"]["reason"].startswith(
        "Airflow gave no token: /auth/token answered 401: Invalid credentials"
    )
    everything = json.dumps(told) + "".join(place.told(name) for name in told)
    assert place.airflow.password not in everything
