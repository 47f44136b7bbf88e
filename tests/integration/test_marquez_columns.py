"""Marquez's column lineage: what columns come from and go to, how far, how, and in its own form."""

import uuid
from pathlib import Path
from typing import Any

from tests.support.graphql import heard
from tests.support.marquez import Reading, check_shape, read
from tests.support.openlineage_events import dataset_event
from tests.support.spine import fact_of_event, run_event
from web.marquez import shapes

DIRECT = {"type": "DIRECT", "subtype": "IDENTITY", "description": "as it is", "masking": False}


def source(dataset: str, column: str, *how: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"namespace": "ns", "name": dataset, "field": column}
    return {**found, "transformations": list(how)} if how else found


def writes(
    job: str,
    output: str,
    columns: dict[str, list[dict[str, Any]]],
    *,
    inputs: list[str],
    every: list[dict[str, Any]] | None = None,
    **facets: Any,
) -> Any:
    """Return the fact of a job that writes columns of one dataset."""
    told = {"fields": {name: {"inputFields": found} for name, found in columns.items()}}
    lineage = {**told, "dataset": every} if every else told
    event = run_event(
        uuid.uuid4(),
        job=job,
        inputs=inputs,
        outputs=[output],
        output_facets={"columnLineage": lineage, **facets},
    )
    return fact_of_event(event)


def chain(database_url: str) -> None:
    """raw.{a, b} -> orders.{id, total} -> mart.sum, where every column of orders also depends on raw.day."""
    schema = {"schema": {"fields": [{"name": "id", "type": "int"}, {"name": "total", "type": "decimal"}]}}
    heard(
        database_url,
        [
            writes(
                "load",
                "orders",
                {"id": [source("raw", "a", DIRECT)], "total": [source("raw", "b")]},
                inputs=["raw"],
                every=[source("raw", "day", {"type": "INDIRECT", "subtype": "FILTER"})],
                **schema,
            ),
            writes("model", "mart", {"sum": [source("orders", "total")]}, inputs=["orders"]),
            # Shares a source with orders, and is no part of what it comes from or goes to.
            writes("sibling", "other", {"x": [source("raw", "a")]}, inputs=["raw"]),
        ],
    )


def names(graph: dict[str, Any]) -> set[str]:
    return {node["id"].removeprefix("datasetField:ns:") for node in graph["graph"]}


def edges(graph: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the edges as data moves; each must stand at both of its columns, in Marquez's form."""
    out = {(edge["origin"], edge["destination"]) for node in graph["graph"] for edge in node["outEdges"]}
    for node in graph["graph"]:
        assert {edge["origin"] for edge in (*node["inEdges"], *node["outEdges"])} <= {node["id"]}
    assert out == {
        (edge["destination"], edge["origin"]) for node in graph["graph"] for edge in node["inEdges"]
    }
    short = "datasetField:ns:"
    return {(origin.removeprefix(short), destination.removeprefix(short)) for origin, destination in out}


def test_what_a_column_comes_from_and_how(database_url: str, tmp_path: Path) -> None:
    chain(database_url)

    async def story(reading: Reading) -> None:
        found = await reading.get("column-lineage", nodeId="datasetField:ns:orders:id")
        check_shape(found, shapes.ColumnLineageGraph)
        assert names(found) == {"orders:id", "raw:a", "raw:day"}
        assert edges(found) == {("raw:a", "orders:id"), ("raw:day", "orders:id")}
        node = found["graph"][0]
        assert (node["id"], node["type"]) == ("datasetField:ns:orders:id", "DATASET_FIELD")
        assert (node["data"]["fieldType"], node["data"]["transformationDescription"]) == ("int", "as it is")
        first, second = node["data"]["inputFields"]
        assert first == {
            "namespace": "ns",
            "dataset": "raw",
            "datasetVersion": None,
            "field": "a",
            "transformationDescription": "as it is",
            "transformationType": "IDENTITY",
            "transformations": [DIRECT],
        }
        assert (second["field"], second["transformationType"]) == ("day", "INDIRECT")
        assert found["completeness"] == {"complete": True, "reason": None, "frontier": []}

    read(database_url, tmp_path, story)


def test_how_a_column_is_made_is_told_in_marquez_words(database_url: str, tmp_path: Path) -> None:
    made_of = {
        "a": [source("raw", "x")],
        "b": [source("raw", "x", {"type": "DIRECT", "subtype": "AGGREGATION"})],
    }
    event = run_event(uuid.uuid4(), job="load", inputs=["raw"], outputs=["orders"])
    told = {name: {"inputFields": found} for name, found in made_of.items()}
    # The old form of the facet names one transformation for a column; a filter by another column is none.
    told["a"] |= {"transformationType": "MASKED", "transformationDescription": "hashed"}
    every = [source("raw", "day", {"type": "INDIRECT", "subtype": "FILTER", "description": "one day"})]
    event["outputs"][0]["facets"] = {"columnLineage": {"fields": told, "dataset": every}}
    heard(database_url, [fact_of_event(event)])

    async def story(reading: Reading) -> None:
        found = await reading.get("column-lineage", nodeId="dataset:ns:orders")
        columns = {node["data"]["field"]: node["data"] for node in found["graph"]}
        for name, kind, description in (("a", "MASKED", "hashed"), ("b", "DIRECT", None)):
            column = columns[name]
            assert (column["transformationType"], column["transformationDescription"]) == (kind, description)
            types = {each["field"]: each["transformationType"] for each in column["inputFields"]}
            assert types == {"x": kind, "day": "INDIRECT"}

    read(database_url, tmp_path, story)


def test_both_ways_never_siblings(database_url: str, tmp_path: Path) -> None:
    chain(database_url)

    async def story(reading: Reading) -> None:
        whole = {"raw:a", "raw:b", "raw:day", "orders:id", "orders:total"}
        up = await reading.get("column-lineage", nodeId="dataset:ns:orders")
        assert names(up) == whole
        both = await reading.get("column-lineage", nodeId="dataset:ns:orders", withDownstream=True)
        assert names(both) == {*whole, "mart:sum"}
        assert ("orders:total", "mart:sum") in edges(both)
        # Of a dataset that is only read: what comes from it; nothing without asking for that.
        assert names(await reading.get("column-lineage", nodeId="dataset:ns:raw")) == set()
        down = await reading.get("column-lineage", nodeId="dataset:ns:raw", withDownstream="true")
        assert names(down) == {*whole, "mart:sum", "other:x"}
        # Of a job: of the columns that it writes.
        assert names(await reading.get("column-lineage", nodeId="job:ns:model")) == {
            "mart:sum",
            "orders:total",
            "raw:b",
            "raw:day",
        }

    read(database_url, tmp_path, story)


def test_depth_and_number_of_columns_are_bounded_and_said(database_url: str, tmp_path: Path) -> None:
    chain(database_url)

    async def story(reading: Reading) -> None:
        ask = {"nodeId": "datasetField:ns:mart:sum"}
        near = await reading.get("column-lineage", **ask, depth=1)
        assert names(near) == {"mart:sum", "orders:total"}
        assert near["completeness"] == {
            "complete": False,
            "reason": "DEPTH",
            "frontier": ["datasetField:ns:orders:total"],
        }
        assert (await reading.get("column-lineage", **ask, depth=2))["completeness"]["complete"]
        few = await reading.get("column-lineage", **ask, maxNodes=3)
        assert names(few) == {"mart:sum", "orders:total", "raw:b"}
        assert few["completeness"]["reason"] == "NODE_LIMIT"
        assert few["completeness"]["frontier"] == ["datasetField:ns:orders:total"]

    read(database_url, tmp_path, story)


def test_a_cycle_ends(database_url: str, tmp_path: Path) -> None:
    heard(
        database_url,
        [
            writes("there", "b", {"y": [source("a", "x")]}, inputs=["a"]),
            writes("back", "a", {"x": [source("b", "y")]}, inputs=["b"]),
        ],
    )

    async def story(reading: Reading) -> None:
        found = await reading.get("column-lineage", nodeId="datasetField:ns:a:x", withDownstream=True)
        assert edges(found) == {("a:x", "b:y"), ("b:y", "a:x")}
        assert found["completeness"]["complete"]

    read(database_url, tmp_path, story)


def test_other_names_and_definitions_count(database_url: str, tmp_path: Path) -> None:
    link = {"identifiers": [{"namespace": "ns", "name": "table", "type": "TABLE"}]}
    view = dataset_event(
        dataset={
            "namespace": "ns",
            "name": "view",
            "facets": {"columnLineage": {"fields": {"v": {"inputFields": [source("table", "t")]}}}},
        }
    )
    heard(
        database_url,
        [
            writes("spark", "/path", {"t": [source("raw", "r")]}, inputs=["raw"], symlinks=link),
            fact_of_event(view),
        ],
    )

    async def story(reading: Reading) -> None:
        # What is written under its path is read by its name; a view is made by nobody's job.
        up = await reading.get("column-lineage", nodeId="datasetField:ns:view:v")
        assert edges(up) == {("table:t", "view:v"), ("raw:r", "table:t")}
        down = await reading.get("column-lineage", nodeId="datasetField:ns:raw:r", withDownstream=True)
        assert names(down) == {"raw:r", "/path:t", "view:v"}

    read(database_url, tmp_path, story)


def test_what_is_not_there_or_cannot_be_asked(database_url: str, tmp_path: Path) -> None:
    chain(database_url)

    async def story(reading: Reading) -> None:
        for node in ("dataset:ns:no", "datasetField:ns:orders:no", "datasetField:ns:no:id", "job:ns:no"):
            assert await reading.refused("column-lineage", nodeId=node) == (404, "not-found")
        version = f"dataset:ns:orders#{uuid.uuid4()}"
        assert await reading.refused("column-lineage", nodeId=version) == (404, "not-found")
        assert (await reading.refused("column-lineage", nodeId=f"run:{uuid.uuid4()}"))[0] == 400
        assert (await reading.refused("column-lineage", nodeId="orders"))[0] == 400
        assert (await reading.refused("column-lineage"))[0] == 400

    read(database_url, tmp_path, story)
