"""Connections: no process opens more than its budget, and a start that can never have them is refused."""

import contextlib
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg

from catalog.settings import Settings
from tests.support.command_line import (
    CommandLine,
    clean_environment,
    installation,
    pipeline_yaml,
    running_process,
)
from tests.support.openlineage_events import run_event
from tests.support.spine import connect
from web.bootstrap import conninfo, worker_parts
from web.connections import FOLLOWERS, Capacity, web_budget, worker_budget

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def name_of(database_url: str) -> str:
    return database_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]


@contextlib.contextmanager
def limited(database_url: str, cluster_url: str, limit: int) -> Iterator[None]:
    """Let nobody have more connections to the database than so many."""
    with contextlib.closing(connect(cluster_url)) as connection:
        connection.execute(f"ALTER DATABASE {name_of(database_url)} CONNECTION LIMIT {limit}")
        yield
        connection.execute(f"ALTER DATABASE {name_of(database_url)} CONNECTION LIMIT -1")


def test_busy_processes_stay_within_their_budgets(database_url: str, tmp_path: Path) -> None:
    most: Counter[str] = Counter()
    stop = threading.Event()

    def watch() -> None:
        with connect(database_url) as connection:
            while not stop.wait(0.005):
                rows = connection.execute(
                    "SELECT application_name, count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1"
                ).fetchall()
                for name, count in rows:
                    most[name] = max(most[name], count)

    with installation(database_url, tmp_path) as there:
        (tmp_path / "p.yaml").write_text(pipeline_yaml("p", "raw", "true", concurrency=50))
        there.headwater.done("apply", "-f", str(tmp_path / "p.yaml"))
        watcher = threading.Thread(target=watch)
        watcher.start()

        def load(number: int) -> None:
            with httpx.Client(base_url=there.url, timeout=60) as client:
                for step in range(8):
                    report = {
                        "dataset": {"namespace": "ns", "name": "raw"},
                        "idempotencyKey": f"{number}.{step}",
                    }
                    token = (tmp_path / "data" / "local-token").read_text().strip()
                    headers = {"Authorization": f"Bearer {token}"}
                    assert client.post("/api/v1/versions", json=report, headers=headers).status_code < 300
                    event = run_event(run={"runId": str(uuid.uuid4())})
                    assert client.post("/api/v1/lineage", json=event).status_code == 201
                    query = {"query": "{ pipelineRuns(first: 50) { nodes { number causes { complete } } } }"}
                    assert "errors" not in client.post("/graphql", json=query).json()
                    for path in ("/readyz", "/metrics", "/"):
                        client.get(path)

        try:
            with ThreadPoolExecutor(24) as pool:
                list(pool.map(load, range(24)))
        finally:
            stop.set()
            watcher.join()
    settings = Settings()
    web, worker = web_budget(settings), worker_budget(settings)
    assert 5 < most["headwater-web"] + most["headwater-probe"] <= web.pooled + web.direct, most
    assert 5 < most["headwater-worker"] <= worker.pooled + worker.direct, most
    assert set(most) <= {
        "headwater-web",
        "headwater-worker",
        "headwater-probe",
        "headwater-serve",
        "headwater-cli",
        "",
    }


def test_the_budget_of_a_worker_counts_its_followers(database_url: str, tmp_path: Path) -> None:
    parts = worker_parts(Settings(data_dir=tmp_path), database_url)
    parts.engine.dispose()
    assert len(parts.followers) == FOLLOWERS


def test_a_start_that_can_never_have_its_connections_is_refused(
    database_url: str, cluster_url: str, tmp_path: Path
) -> None:
    headwater = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=database_url))
    settings = Settings()
    need = {"serve": web_budget(settings), "worker": worker_budget(settings)}
    with limited(database_url, cluster_url, 10):
        for command, budget in need.items():
            said = headwater(command, *(["--port", "0"] if command == "serve" else []))
            assert said.code == 2, said
            count = budget.on_server(settings)
            assert f"a {budget.kind} may need {count} connections, but the database allows 10" in said.err
            assert "HEADWATER_WEB_POOL" in said.err
        findings = {found["check"]: found for found in headwater("doctor", "--json").json["findings"]}
        assert findings["connections"]["status"] == "problem"
        # A smaller pool fits.
        small = clean_environment(
            tmp_path, HEADWATER_DATABASE_URL=database_url, HEADWATER_WEB_POOL="4", HEADWATER_WORKER_POOL="3"
        )
        with running_process(["serve", "--port", "0"], small, tmp_path / "serve.log") as line:
            assert line.startswith("ready ")
    log = (tmp_path / "serve.log").read_text()
    assert "connections.scarce" not in log


def test_a_start_that_lacks_connections_now_warns(
    database_url: str, cluster_url: str, tmp_path: Path
) -> None:
    environment = clean_environment(tmp_path, HEADWATER_DATABASE_URL=database_url)
    with contextlib.ExitStack() as others, limited(database_url, cluster_url, 40):
        for _ in range(29):
            others.enter_context(psycopg.connect(conninfo(database_url)))
        with running_process(["serve", "--port", "0"], environment, tmp_path / "serve.log"):
            doctor = CommandLine(environment)("doctor", "--json")
        findings = {found["check"]: found for found in doctor.json["findings"]}
        assert findings["connections"]["status"] == "warning", findings["connections"]
    assert "connections.scarce" in (tmp_path / "serve.log").read_text()


def test_the_bound_that_leaves_the_least_counts(database_url: str, cluster_url: str) -> None:
    with connect(database_url) as connection:
        whole = Capacity.read(connection)
        assert whole.limit == 60 - 3
        assert 1 <= whole.used <= whole.limit
    with limited(database_url, cluster_url, 5), connect(database_url) as connection:
        assert Capacity.read(connection) == Capacity(limit=5, used=1)


def test_the_page_for_operators_tells_the_same() -> None:
    text = OPERATIONS.read_text("utf-8")
    settings = Settings()
    web, worker = web_budget(settings), worker_budget(settings)
    assert f"| web process | {web.pooled} | {web.direct} | {web.pooled + web.direct} |" in text
    assert f"| worker | {worker.pooled} | {worker.direct} | {worker.pooled + worker.direct} |" in text
