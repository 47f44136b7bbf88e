"""The demo is the main job on real input: it ends well only if every expected run succeeded exactly once."""

import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from catalog.database import create_database_engine
from catalog.embedded import EmbeddedPostgreSQL
from catalog.openlineage.shape import Shape
from graph.model import EdgeKind
from graph.postgresql.store import PostgresqlGraph
from graph.steps import transformations_of
from tests.support.spine import connect

PROJECT = Path(__file__).parent.parent.parent
DEMO = PROJECT / "examples" / "flights" / "demo.py"

#: A column as it is made: dataset and field of the source, dataset and field that is made, and how.
Derived = tuple[str, str, str, str, tuple[tuple[str, str, str, bool], ...]]


@dataclass(frozen=True)
class Demo:
    """A demo that has ended, and the folder that it leaves."""

    folder: Path
    exit_code: int
    output: str
    errors: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The one run of the demo."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
    folder = tmp_path_factory.mktemp("year") / "demo"
    done = subprocess.run(
        [sys.executable, str(DEMO), "--once", "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env=environment,
    )
    return Demo(folder, done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def demo_url(demo: Demo) -> Iterator[str]:
    """The URL of the database that the demo leaves."""
    database = EmbeddedPostgreSQL(demo.folder / "headwater", progress=lambda _: None)
    try:
        yield database.start()
    finally:
        database.stop()


@pytest.mark.timeout(420)
def test_a_year_of_flights_goes_through(demo: Demo) -> None:
    assert demo.exit_code == 0, demo.output[-4000:] + demo.errors[-4000:]
    # What it says it does is what it does.
    assert f"$ headwater up --data-dir {demo.folder / 'headwater'} --allow-commands " in demo.output
    assert "336,776 flights of 12 months" in demo.output
    assert "each started once and succeeded" in demo.output


def reported(connection: psycopg.Connection[Any]) -> dict[str, set[Derived]]:
    """Return what the last completed run of each job told of columns, read from the events as they came."""
    latest: dict[str, tuple[str, dict[str, Any]]] = {}
    rows = connection.execute("SELECT body FROM fact WHERE kind = 'openlineage.run' ORDER BY position")
    for (compressed,) in rows:
        event = orjson.loads(zlib.decompress(compressed))
        name = event["job"]["name"]
        if event["eventType"] == "COMPLETE" and latest.get(name, ("",))[0] <= event["eventTime"]:
            latest[name] = (event["eventTime"], event)
    return {
        name: {
            (source["name"], source["field"], output["name"], field, how_of(source))
            for output in event["outputs"]
            for field, made in output.get("facets", {}).get("columnLineage", {}).get("fields", {}).items()
            for source in made["inputFields"]
        }
        for name, (_, event) in latest.items()
    }


def how_of(source: dict[str, Any]) -> tuple[tuple[str, str, str, bool], ...]:
    return tuple(
        sorted(
            (how["type"], how.get("subtype") or "", how.get("description") or "", how.get("masking") is True)
            for how in source.get("transformations", [])
        )
    )


@pytest.mark.timeout(420)
def test_the_catalog_knows_every_column_as_dbt_reported_it(demo_url: str) -> None:
    with connect(demo_url) as connection:
        told = reported(connection)
        shapes = {
            name: Shape.from_json(orjson.loads(body))
            for name, body in connection.execute(
                "SELECT j.name, s.body FROM job j JOIN shape s ON s.hash = j.shape_hash"
            )
        }
    known = {
        name: {
            (source.dataset.name, source.field, key.name, field, tuple(map(tuple, source.transformations)))
            for key, lineage in shape.columns
            for field, sources in lineage.fields
            for source in sources
        }
        for name, shape in shapes.items()
    }
    assert {name: columns for name, columns in known.items() if columns} == {
        name: columns for name, columns in told.items() if columns
    }
    models = [columns for columns in told.values() if columns]
    assert len(models) >= 5
    assert sum(map(len, models)) > 50


@pytest.mark.timeout(420)
def test_the_graph_derives_every_column_as_dbt_reported_it(demo_url: str) -> None:
    with connect(demo_url) as connection:
        told = reported(connection)
    engine = create_database_engine(demo_url, pool_size=1, application_name="headwater-test")
    try:
        edges = list(PostgresqlGraph(engine).edges())
    finally:
        engine.dispose()
    derived = {
        (
            edge.origin.node.name,
            edge.origin.node.field,
            edge.destination.node.name,
            edge.destination.node.field,
            tuple(map(tuple, transformations_of(edge.type))),
        )
        for edge in edges
        if edge.kind is EdgeKind.DERIVES and edge.span.end is None
    }
    assert derived == set().union(*told.values())
