"""A double of Airflow's REST API, for what a real Airflow cannot be made to do when a test likes it."""

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database

from hooks.launchers.airflow import AirflowLauncher
from hooks.outbound import OutboundClient, OutboundPolicy
from tests.support.engine_work import EngineStory
from tests.support.http_double import Heard, HttpDouble, Reply, http_double
from tests.support.spine import connect

USER, PASSWORD = "headwater", "s3cr3t-of-airflow"
DAG = "orders"
RUNS = f"/api/v2/dags/{DAG}/dagRuns"


class Airflow:
    """What Airflow keeps: the tokens that it gave, the DAG, its runs. `faults` may answer in its place."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.valid: set[str] = set()
        self.runs: dict[str, dict[str, Any]] = {}
        self.starts: list[str] = []
        self.paused = False
        self.refuses_tokens_by = 401
        #: Returns whether it has dealt with the request.
        self.faults: Callable[[Heard, Reply], bool] = lambda _heard, _reply: False

    def __call__(self, heard: Heard, reply: Reply) -> None:
        if self.faults(heard, reply):
            return
        if heard.path == "/auth/token":
            self.log_in(heard, reply)
        elif heard.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            reply.send(self.refuses_tokens_by, {"detail": "Token Expired"})
        elif heard.path == f"/api/v2/dags/{DAG}":
            reply.send(200, {"dag_id": DAG, "is_paused": self.paused})
        elif heard.path == RUNS:
            self.start(heard, reply)
        else:
            self.about_run(heard, reply)

    def log_in(self, heard: Heard, reply: Reply) -> None:
        if heard.json != {"username": USER, "password": PASSWORD}:
            reply.send(401, {"detail": f"Invalid credentials {heard.json}"})
            return
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        self.valid = {self.tokens[-1]}
        reply.send(201, {"access_token": self.tokens[-1]})

    def accept(self, heard: Heard) -> bool:
        """Take the DAG run that is posted; return whether it is a new one."""
        body = heard.json
        known = body["dag_run_id"] in self.runs
        if not known:
            self.starts.append(body["dag_run_id"])
            self.runs[body["dag_run_id"]] = {**body, "dag_id": DAG, "state": "running"}
        return not known

    def start(self, heard: Heard, reply: Reply) -> None:
        if self.accept(heard):
            reply.send(200, self.runs[heard.json["dag_run_id"]])
        else:
            reply.send(409, {"detail": {"reason": "Unique constraint violation", "statement": "hidden"}})

    def about_run(self, heard: Heard, reply: Reply) -> None:
        run, _, part = heard.path.removeprefix(f"{RUNS}/").partition("/")
        if run not in self.runs:
            reply.send(404, {"detail": "The DagRun was not found"})
        elif part:
            reply.send(200, {"task_instances": [{"task_id": "extract"}, {"task_id": "load"}]})
        else:
            if heard.method == "PATCH":
                self.runs[run]["state"] = heard.json["state"]
            reply.send(200, self.runs[run])

    def end(self, state: str) -> None:
        """End the newest run."""
        self.runs[self.starts[-1]]["state"] = state


def calls(double: HttpDouble) -> list[str]:
    """Return what was asked, with the ids of DAG runs left out."""
    return [f"{heard.method} {heard.path.partition('/dagRuns/')[0]}" for heard in double.heard]


def posted(double: HttpDouble) -> list[Any]:
    """Return the DAG runs that were posted."""
    return [json.loads(heard.body) for heard in double.heard if heard.path == RUNS]


Tell = Callable[..., EngineStory]


@contextmanager
def airflow_double(airflow: Airflow) -> Iterator[HttpDouble]:
    with http_double(airflow) as double:
        yield double


@contextmanager
def telling_of_airflow(database_url: str, database: Database, secrets_folder: Path) -> Iterator[Tell]:
    """Yield what tells a story of the `airflow` launcher; the password is a file in the secrets folder."""
    (secrets_folder / "airflow").write_text(PASSWORD)
    clients: list[OutboundClient] = []
    with connect(database_url) as connection:

        def tell(double: HttpDouble, **airflow: Any) -> EngineStory:
            client = OutboundClient(OutboundPolicy(allow_loopback=True))
            clients.append(client)
            launcher = AirflowLauncher(
                client, secrets_folder=secrets_folder, now=lambda: dt.datetime.now(dt.UTC)
            )
            spec = {
                "url": double.url,
                "dag": DAG,
                "credentials": {"username": USER, "password": {"secret": "file:airflow"}},
                "timeouts": {"answer": "1s", "unreachable": "5m"},
                **airflow,
            }
            return EngineStory(connection, database, launcher, "airflow", spec)

        yield tell
    for client in clients:
        asyncio.run(client.aclose())
