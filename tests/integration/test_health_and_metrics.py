"""What operators and machines ask: liveness, readiness, metrics, the start page."""

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.services.postgresql import drop_database, fresh_database
from tests.support.openlineage_events import run_event
from tests.support.spine import connect, follow
from tests.support.web import Web, database_away, running_web

INSERT_FACT = "INSERT INTO fact (position, kind, received_at, actor, digest, body) VALUES"


def execute(database_url: str, statement: str, *values: Any) -> None:
    with contextlib.closing(connect(database_url)) as connection:
        connection.execute(statement, values)


async def checks(web: Web) -> tuple[int, dict[str, Any]]:
    response = await web.client.get("/readyz")
    return response.status_code, response.json()["checks"]


async def samples(web: Web) -> dict[tuple[str, tuple[str, ...]], float]:
    response = await web.client.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_liveness_says_what_lives(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            answer = (await web.client.get("/healthz")).json()
            assert answer["status"] == "alive"
            assert answer["service"] == "headwater"
            # Monitors ask for the head alone.
            for path in ("/healthz", "/readyz"):
                response = await web.client.head(path)
                assert response.status_code == 200

    asyncio.run(scenario())


def test_a_whole_catalog_is_ready_and_names_each_check(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            status, found = await checks(web)
            assert status == 200
            assert set(found) == {
                "database",
                "migrations",
                "ledger",
                "follower.state",
                "follower.graph",
                "follower.webhooks",
                "parked.state",
                "parked.graph",
                "parked.webhooks",
                "webhooks",
                "left.state",
                "left.graph",
                "left.webhooks",
                "left.jobs",
                "pause",
                "disk",
            }
            assert all(check["ok"] and check["found"] for check in found.values())

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("statement", "failing"),
    [
        ("UPDATE alembic_version SET version_num = '0000'", "migrations"),
        ("DROP TABLE alembic_version", "migrations"),
        (
            "INSERT INTO parked (follower, position, error_code, error) VALUES ('state', 5, 'internal', 'no')",
            "parked.state",
        ),
        (
            "INSERT INTO parked (follower, position, error_code, error) VALUES ('graph', 5, 'internal', 'no')",
            "parked.graph",
        ),
        (
            f"{INSERT_FACT} (7, 'openlineage.run', now() - interval '2 minutes', 'test', 'd', 'b')",
            "follower.state",
        ),
        (
            f"{INSERT_FACT} (600000, 'openlineage.run', now(), 'test', 'd', 'b')",
            "follower.state",
        ),
    ],
)
def test_what_is_not_well_is_named_and_the_rest_stays_well(
    database_url: str, tmp_path: Path, statement: str, failing: str
) -> None:
    execute(database_url, statement)

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            status, found = await checks(web)
            assert status == (200 if failing.startswith(("parked", "follower")) else 503)
            assert [name for name, check in found.items() if not check["ok"]] == [failing]

    asyncio.run(scenario())


def test_a_graph_that_is_behind_degrades(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            await web.post_event(run_event(outputs=[{"namespace": "n", "name": "t"}]))
            with contextlib.closing(connect(database_url)) as connection:
                follow(connection)
                connection.execute("UPDATE fact SET received_at = now() - interval '2 minutes'")
            status, found = await checks(web)
            assert status == 200
            assert [name for name, check in found.items() if not check["ok"]] == ["follower.graph"]
            assert (await web.client.get("/readyz")).json()["status"] == "degraded"

    asyncio.run(scenario())


def test_a_database_that_was_never_migrated_is_not_ready(cluster_url: str, tmp_path: Path) -> None:
    url = fresh_database(cluster_url)

    async def scenario() -> None:
        async with running_web(url, tmp_path) as web:
            status, found = await checks(web)
            assert status == 503
            assert found["migrations"]["ok"] is False
            assert (await web.client.get("/")).status_code == 200
            assert (await samples(web))[("headwater_database_up", ())] == 0

    asyncio.run(scenario())
    drop_database(url)


def test_metrics_count_what_came_in(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            event = run_event()
            await web.post_event(event)
            await web.post_event(event)
            await web.post_event({})
            batch = [run_event(job={"namespace": "n", "name": "j"}), event, {}, {}]
            await web.client.post("/api/v1/lineage/batch", json=batch)
            await web.client.post("/api/v1/lineage/batch", json={})
            found = await samples(web)
            assert found[("headwater_ingest_facts_total", ("openlineage.run", "stored"))] == 2
            assert found[("headwater_ingest_facts_total", ("openlineage.run", "duplicate"))] == 2
            assert found[("headwater_ingest_refused_total", ("invalid-event",))] == 3
            assert found[("headwater_ingest_refused_total", ("invalid-input",))] == 1
            assert found[("headwater_ingest_seconds_count", ("lineage",))] == 2
            assert found[("headwater_ingest_seconds_count", ("batch",))] == 1
            assert found[("headwater_ingest_group_facts_count", ())] == 3
            assert found[("headwater_ingest_group_facts_sum", ())] == 4
            assert found[("headwater_ingest_queue_bytes", ())] == 0
            assert (
                found[("headwater_database_connections_limit", ())]
                >= found[("headwater_database_connections_used", ())]
            )
            assert found[("process_resident_memory_bytes", ())] > 0

    asyncio.run(scenario())


def test_metrics_show_how_the_catalog_stands(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            await web.post_event(run_event(outputs=[{"namespace": "n", "name": "t"}]))
            execute(database_url, "UPDATE fact SET received_at = now() - interval '90 seconds'")
            execute(
                database_url,
                "INSERT INTO parked (follower, position, error_code, error) VALUES ('state', 5, 'x', 'y')",
            )
            found = await samples(web)
            assert found[("headwater_database_up", ())] == 1
            assert found[("headwater_follower_lag_positions", ("state",))] == 1
            assert 90 <= found[("headwater_follower_oldest_unprocessed_seconds", ("state",))] < 120
            assert found[("headwater_follower_lag_positions", ("graph",))] == 0
            assert found[("headwater_parked_facts", ("state",))] == 1
            assert found[("headwater_parked_facts", ("graph",))] == 0
        with contextlib.closing(connect(database_url)) as connection:
            follow(connection)
        async with running_web(database_url, tmp_path) as web:
            found = await samples(web)
            assert found[("headwater_follower_lag_positions", ("state",))] == 0
            assert found[("headwater_follower_oldest_unprocessed_seconds", ("state",))] == 0
            assert found[("headwater_follower_processed_total", ("state",))] == 1
            assert found[("headwater_follower_lag_positions", ("graph",))] > 0

    asyncio.run(scenario())


def test_metrics_are_there_although_the_database_is_not(
    database_url: str, cluster_url: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            with database_away(database_url, cluster_url):
                found = await samples(web)
            assert found[("headwater_database_up", ())] == 0
            assert not any(name.startswith("headwater_follower") for name, _ in found)

    asyncio.run(scenario())


def test_many_probes_are_one_connection(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            started = asyncio.get_running_loop().time()
            responses = await asyncio.gather(*(web.client.get("/readyz") for _ in range(50)))
            assert {response.status_code for response in responses} == {200}
            # No pooled connection was taken, and fifty new ones would have cost seconds.
            assert asyncio.get_running_loop().time() - started < 2
            assert web.services.engine.pool.checkedin() == 0  # type: ignore[attr-defined]  # it is a QueuePool

    asyncio.run(scenario())


def test_the_start_page_counts_what_is_there_and_loads_nothing(
    database_url: str, cluster_url: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            await web.post_event(run_event(outputs=[{"namespace": "n", "name": "t"}]))
            with contextlib.closing(connect(database_url)) as connection:
                follow(connection)
            response = await web.client.get("/")
            page = response.text
            assert response.headers["content-type"] == "text/html; charset=utf-8"
            assert "<dt>Datasets</dt><dd>1</dd>" in page
            assert "<dt>Runs of jobs</dt><dd>1</dd>" in page
            assert not re.search(r"<script|<link|<img|src=|@import|url\(", page)
            links = re.findall(r'href="([^"]+)"', page)
            assert {"/graphql", "/metrics", "/readyz"} <= set(links)
            for link in links:
                assert (await web.client.get(link)).status_code in {200, 503}, link
            assert 'lang="en"' in page
            assert "prefers-color-scheme: dark" in page
            assert "width=device-width" in page
        async with running_web(database_url, tmp_path) as web:
            with database_away(database_url, cluster_url):
                response = await web.client.get("/")
                assert response.status_code == 200
                assert "does not answer" in response.text

    asyncio.run(scenario())


def test_the_interface_is_described_without_pages_from_elsewhere(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            description = (await web.client.get("/openapi.json")).json()
            assert {"/api/v1/lineage", "/api/v1/lineage/batch", "/api/v1/versions"} <= description[
                "paths"
            ].keys()
            body = description["paths"]["/api/v1/versions"]["post"]["requestBody"]["content"][
                "application/json"
            ]
            assert "idempotencyKey" in body["schema"]["properties"]
            for path in ("/docs", "/redoc"):
                assert (await web.client.get(path)).status_code == 404

    asyncio.run(scenario())
