"""An installation to be fuzzed, how much and from which seed, and what must be true of it afterwards."""

import datetime as dt
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from catalog.database import create_database_engine
from catalog.settings import Settings
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from tests.support.command_line import CommandLine, Installation, installation
from tests.support.hostile import HOSTILE
from tests.support.spine import T0, connect, parked, pipeline_body, run_event
from web.access.local_token import read_local_token
from web.bootstrap import conninfo
from web.verification import verify

ROOT = Path(__file__).parents[2]
#: The same number gives the same requests; any other gives others.
SEED = int(os.environ.get("HEADWATER_FUZZ_SEED", "20260101"))
#: How many times as much is tried as in `make test`.
TIMES = int(os.environ.get("HEADWATER_FUZZ_TIMES", "1"))
#: A namespace in which all names of `HOSTILE` stand.
NAMESPACE = "arn:aws:glue:eu-west-1:1::db"
#: The job that reads and writes them all.
HUB = "hub"
FOLLOWED_SECONDS = 60.0
#: What a process writes into its log where something happened that nobody expected.
UNEXPECTED = ("unexpected_error", "Traceback", '"level":"critical"')


@dataclass(frozen=True)
class Fuzzed:
    """A server and a worker, and clients of each role."""

    installed: Installation
    local_token: str

    @property
    def url(self) -> str:
        return self.installed.url

    @property
    def headwater(self) -> CommandLine:
        """The command line of whoever started the server, from this very tree."""
        return self.installed.headwater.with_environment(PYTHONPATH=str(ROOT))

    def client(self, token: str | None) -> httpx.Client:
        """Return a client that shows the token."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60.0, trust_env=False)

    def administrator(self) -> httpx.Client:
        """Return a client that may do everything."""
        return self.client(self.local_token)

    def token(self, role: str) -> str:
        """Return a new token of the role."""
        with self.administrator() as client:
            made = client.post("/api/v1/tokens", json={"name": f"{role}-{uuid.uuid4().hex}", "role": role})
            assert made.status_code == 201, made.text
            return str(made.json()["token"])

    def ledger(self) -> list[tuple[int, str, str]]:
        """Return position, kind and actor of every fact."""
        with connect(self.installed.database_url) as connection:
            return connection.execute("SELECT position, kind, actor FROM fact ORDER BY position").fetchall()


@contextmanager
def fuzzed(database_url: str, folder: Path) -> Iterator[Fuzzed]:
    """Yield an installation on a migrated database; at its end nothing is half stored, and no log tells of a fault."""
    print(f"HEADWATER_FUZZ_SEED={SEED} HEADWATER_FUZZ_TIMES={TIMES}")
    with installation(database_url, folder, PYTHONPATH=str(ROOT)) as installed:
        token = read_local_token(Settings(data_dir=folder / "data"))
        assert token is not None
        yield Fuzzed(installed, token)
        check_followed(database_url)
    check_whole(database_url)
    for log in (folder / "serve.log", folder / "worker.log"):
        told = [line for line in log.read_text().splitlines() if any(mark in line for mark in UNEXPECTED)]
        assert told == []


def check_followed(database_url: str) -> None:
    """Wait until both followers know the whole ledger."""
    deadline = time.monotonic() + FOLLOWED_SECONDS
    with connect(database_url) as connection:
        while (behind := _behind(connection)) != [] and time.monotonic() < deadline:
            time.sleep(0.05)
    assert behind == []


def _behind(connection: "psycopg.Connection[Any]") -> list[Any]:
    return connection.execute(
        "SELECT name, position FROM follower, LATERAL ("
        " SELECT CASE name WHEN 'state' THEN (SELECT max(position) FROM fact)"
        " ELSE (SELECT max(sequence) FROM observation) END AS last) AS log"
        " WHERE name IN ('state', 'graph') AND position < last"
    ).fetchall()


def check_whole(database_url: str) -> None:
    """Assert that nothing is parked, and that every law holds on what is stored."""
    with connect(database_url) as connection:
        assert parked(connection) == []
    engine = create_database_engine(database_url, pool_size=2, application_name="headwater-test")
    try:
        found = verify(conninfo(database_url), PostgresqlGraphMaintenance(engine))
    finally:
        engine.dispose()
    assert {each.check: each.told for each in found.findings if each.wrong} == {}


def hostile_events(at: dt.datetime = T0) -> list[dict[str, Any]]:
    """Return events of all three kinds in which everything has each hostile name in turn."""
    events = []
    for index, name in enumerate(HOSTILE.values()):
        run = uuid.UUID(int=index + 1, version=4)
        facets = {
            "schema": {"fields": [{"name": name, "type": name, "description": name}]},
            "tags": {"tags": [{"key": name, "value": name, "source": name}]},
            "documentation": {"description": name},
            "ownership": {"owners": [{"name": name, "type": name}]},
        }
        for number, kind in enumerate(("START", "COMPLETE")):
            event = run_event(
                run,
                kind,
                job=name,
                at=at + dt.timedelta(minutes=index, seconds=number),
                inputs=[name, "source"],
                outputs=[f"{name}.made"],
                namespace=NAMESPACE,
                output_facets=facets,
            )
            event["run"]["facets"]["errorMessage"] = {"message": name, "programmingLanguage": name}
            events.append(event)
        named = {"namespace": name, "name": name, "facets": facets}
        told = {"eventTime": at.isoformat(), "producer": name, "schemaURL": name}
        events.append({**told, "dataset": named})
        events.append(
            {
                **told,
                "job": {"namespace": name, "name": name, "facets": {"documentation": {"description": name}}},
                "inputs": [named],
                "outputs": [{"namespace": name, "name": f"{name}.out"}],
            }
        )
    names = list(HOSTILE.values())
    hub = {
        "eventTime": at.isoformat(),
        "job": {"namespace": NAMESPACE, "name": HUB},
        "producer": "",
        "schemaURL": "",
    }
    hub["inputs"] = [{"namespace": name, "name": name} for name in names]
    hub["outputs"] = [{"namespace": NAMESPACE, "name": f"{name} of hub"[-8192:]} for name in names]
    return [*events, hub]


def reports() -> list[dict[str, Any]]:
    """Return a version report of every hostile name."""
    return [
        {
            "dataset": {"namespace": name, "name": name},
            "idempotencyKey": name[:250] or "key",
            "partition": name[:250],
            "digest": name[:250],
            "rows": 2**63 - 1,
        }
        for name in HOSTILE.values()
    ]


def pipelines() -> list[dict[str, Any]]:
    """Return pipelines that wait for datasets with hostile names; starting one harms nobody."""
    found = []
    for index, name in enumerate(HOSTILE.values()):
        when = {"dataset": {"namespace": name, "name": name}}
        body = pipeline_body(f"p{index}", when, produces=[{"namespace": NAMESPACE, "name": name}])
        body["metadata"] |= {"owner": name[:2000], "description": name}
        found.append(body)
    return found


def seeded(fuzzed: Fuzzed) -> int:
    """Send the events in a batch, the pipelines and the reports; return the position up to which all is followed."""
    with fuzzed.administrator() as client:
        answer = client.post("/api/v1/lineage/batch", json=hostile_events())
        assert answer.json()["failed_events"] == []
        query = "mutation($documents: [JSON!]!) { applyDocuments(documents: $documents) { position } }"
        applied = client.post("/graphql", json={"query": query, "variables": {"documents": pipelines()}})
        assert "errors" not in applied.json(), applied.text[:2000]
        position = 0
        for report in reports():
            reported = client.post("/api/v1/versions", json=report)
            assert reported.status_code == 201, (reported.text, json.dumps(report)[:500])
            position = int(reported.headers["Headwater-Position"])
    check_followed(fuzzed.installed.database_url)
    return position
