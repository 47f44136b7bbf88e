"""Marquez's routes that ask: lineage, events, search and counts; and who may ask."""

import datetime as dt
import itertools
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from tests.support.graphql import completed, heard
from tests.support.marquez import Reading, check_shape, path, read
from tests.support.openlineage_events import dataset, dataset_event, job_event
from tests.support.spine import T0, append, connect, fact_of_event, follow, run_event
from tests.support.web import ALL_ADDRESSES, bearer, database_away, problem_of
from web.access.permissions import Role
from web.access.tokens import TokenStore
from web.marquez import shapes

MINUTE = dt.timedelta(minutes=1)
GRAPHQL = """
query($node: ID!, $depth: Int!) {
  lineage(nodeId: $node, depth: $depth) {
    nodeIds edges { origin destination } completeness { complete reason frontier } } }
"""


def chain(database_url: str) -> None:
    """raw -> load -> orders -> model -> mart; two readers of raw, so that one is the other's sibling."""
    facts = completed("load", inputs=["raw"], outputs=["orders"])
    facts += completed("model", inputs=["orders"], outputs=["mart"], at=T0 + MINUTE)
    facts += completed("sibling", inputs=["raw"], outputs=["other"], at=T0 + MINUTE)
    heard(database_url, facts)


def by_id(graph: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in graph["graph"]}


def test_lineage_has_every_node_with_its_data_and_edges(database_url: str, tmp_path: Path) -> None:
    chain(database_url)

    async def story(reading: Reading) -> None:
        found = await reading.get("lineage", nodeId="dataset:ns:orders")
        check_shape(found, shapes.LineageGraph)
        nodes = by_id(found)
        assert next(iter(nodes)) == "dataset:ns:orders"
        # Upstream and downstream, and never what only shares a source.
        assert set(nodes) == {
            "dataset:ns:raw",
            "job:ns:load",
            "dataset:ns:orders",
            "job:ns:model",
            "dataset:ns:mart",
        }
        into = {"origin": "job:ns:load", "destination": "dataset:ns:orders"}
        out = {"origin": "dataset:ns:orders", "destination": "job:ns:model"}
        assert (nodes["dataset:ns:orders"]["inEdges"], nodes["dataset:ns:orders"]["outEdges"]) == (
            [into],
            [out],
        )
        assert nodes["job:ns:load"]["outEdges"] == [into]
        assert found["completeness"] == {"complete": True, "reason": None, "frontier": []}
        orders = await reading.get("namespaces", "ns", "datasets", "orders")
        told = {name: value for name, value in orders.items() if name not in {"facets", "columnLineage"}}
        assert nodes["dataset:ns:orders"]["data"] == told
        load = await reading.get("namespaces", "ns", "jobs", "load")
        shown = nodes["job:ns:load"]["data"]
        assert (nodes["job:ns:load"]["type"], shown["inputs"], shown["outputs"]) == (
            "JOB",
            load["inputs"],
            load["outputs"],
        )
        assert shown["currentVersion"] == load["currentVersion"]
        lean = {name: value for name, value in load["latestRun"].items() if name in shown["latestRun"]}
        assert shown["latestRun"] == lean

    read(database_url, tmp_path, story)


def test_lineage_is_that_of_graphql_and_says_where_it_stopped(database_url: str, tmp_path: Path) -> None:
    chain(database_url)

    async def story(reading: Reading) -> None:
        for node in ("dataset:ns:orders", "job:ns:model", "dataset:ns:raw"):
            for depth in (0, 1, 2, 20):
                found = await reading.get("lineage", nodeId=node, depth=depth)
                body = {"query": GRAPHQL, "variables": {"node": node, "depth": depth}}
                asked = (await reading.web.client.post("/graphql", json=body)).json()["data"]["lineage"]
                assert [each["id"] for each in found["graph"]] == asked["nodeIds"]
                edges = [edge for each in found["graph"] for edge in each["outEdges"]]
                assert sorted(map(str, edges)) == sorted(map(str, asked["edges"]))
                assert found["completeness"] == asked["completeness"]
        cut = await reading.get("lineage", nodeId="dataset:ns:raw", maxNodes=2)
        assert (len(cut["graph"]), cut["completeness"]["reason"]) == (2, "NODE_LIMIT")

    read(database_url, tmp_path, story)


def test_a_graph_that_is_away_or_behind_is_never_an_empty_one(
    database_url: str, tmp_path: Path, cluster_url: str
) -> None:
    chain(database_url)
    with connect(database_url) as connection:
        append(connection, completed("new", outputs=["unseen"], at=T0 + 2 * MINUTE))
        follow(connection)

    async def story(reading: Reading) -> None:
        assert await reading.refused("lineage", nodeId="dataset:ns:unseen") == (503, "position-not-reached")
        assert await reading.refused("lineage", nodeId="job:ns:new") == (503, "position-not-reached")
        assert await reading.refused("lineage", nodeId="dataset:ns:none") == (404, "not-found")
        assert await reading.refused("lineage", nodeId="run:" + str(uuid.uuid4())) == (400, "invalid-input")
        assert await reading.refused("lineage", nodeId="nothing") == (400, "invalid-node-id")
        assert await reading.refused("lineage") == (400, "invalid-input")
        assert await reading.refused("lineage", nodeId="dataset:ns:raw", depth=-1) == (400, "invalid-input")
        with database_away(database_url, cluster_url):
            for parts in (("lineage",), ("namespaces",), ("jobs",), ("search",), ("events", "lineage")):
                response = await reading.response(*parts, nodeId="dataset:ns:raw", q="raw")
                assert (response.status_code, problem_of(response)["code"]) == (503, "database-unavailable")
                assert response.headers["retry-after"]

    read(database_url, tmp_path, story)


def test_events_come_by_time_as_they_were_received(database_url: str, tmp_path: Path) -> None:
    runs = [uuid.UUID(int=number) for number in range(6)]
    events = [
        run_event(run, at=T0 + minute * MINUTE) for run, minute in zip(runs, (0, 1, 1, 1, 2, 3), strict=True)
    ]
    others = [dataset_event(eventTime="2026-01-01T00:01:30Z"), job_event(eventTime="2026-01-01T00:01:30Z")]
    heard(database_url, map(fact_of_event, [*reversed(events), *others]))

    async def story(reading: Reading) -> None:
        async def ids(**query: Any) -> list[int]:
            found = await reading.get("events", "lineage", **query)
            check_shape(found, shapes.LineageEventList)
            return [uuid.UUID(event["run"]["runId"]).int for event in found["events"]]

        everything = await reading.get("events", "lineage", sortDirection="asc")
        assert (everything["events"][0], everything["totalCount"]) == (events[0], 6)
        # Those of one instant come in the order in which they were received.
        assert await ids(sortDirection="asc") == [0, 3, 2, 1, 4, 5]
        assert await ids() == await ids(sortDirection="DESC") == [5, 4, 1, 2, 3, 0]
        paged = [await ids(sortDirection="asc", limit=2, offset=offset) for offset in (0, 2, 4, 6)]
        assert paged == [[0, 3], [2, 1], [4, 5], []]
        # `after` holds its instant, `before` does not.
        assert await ids(sortDirection="asc", after="2026-01-01T00:01:00Z") == [3, 2, 1, 4, 5]
        assert await ids(sortDirection="asc", before="2026-01-01T01:01:00+01:00") == [0]
        one = {"after": "2026-01-01T00:01:00Z", "before": "2026-01-01T00:02:00Z"}
        assert (await reading.get("events", "lineage", **one))["totalCount"] == 3
        every = await reading.get("events", "lineage", kind=["run", "dataset", "job"], totalCount=False)
        assert len(every["events"]) == 8
        assert "totalCount" not in every
        assert others[1] in every["events"]
        assert await reading.refused("events", "lineage", after="yesterday") == (400, "invalid-input")
        assert await reading.refused("events", "lineage", sortDirection="up") == (400, "invalid-input")

    read(database_url, tmp_path, story)


def test_search_in_marquezs_form(database_url: str, tmp_path: Path) -> None:
    chain(database_url)

    async def story(reading: Reading) -> None:
        found = await reading.get("search", q="ord%")
        check_shape(found, shapes.SearchResultList)
        assert (found["totalCount"], found["complete"], found["reason"]) == (1, True, None)
        for order in ({}, {"sort": "name"}):
            cut = await reading.get("search", q="m", limit=1, **order)
            assert (cut["totalCount"], cut["complete"], cut["reason"]) == (1, False, "LIMIT")
        (hit,) = found["results"]
        orders = await reading.get("namespaces", "ns", "datasets", "orders")
        assert hit == {
            "type": "DATASET",
            "name": "orders",
            "updatedAt": orders["updatedAt"],
            "namespace": "ns",
            "nodeId": "dataset:ns:orders",
            "match": "PREFIX",
        }

        async def names(**query: Any) -> list[str]:
            return [each["name"] for each in (await reading.get("search", **query))["results"]]

        assert await names(q="mo") == ["model"]
        assert await names(q="m", limit=1) == ["mart"]
        assert await names(q="m", sort="name") == ["mart", "model"]
        assert await names(q="m", filter="JOB") == ["model"]
        assert await names(q="m", namespace="other") == []
        assert await names(q="m", after="2026-01-02", sort="updated_at") == ["model", "mart"]
        # Marquez's specification writes it so, its server so.
        assert await names(q="m", sort="UPDATE_AT") == await names(q="m", sort="updated_at")
        assert await names(q="m", before="2026-01-01") == []
        for wrong in (
            {},
            {"q": ""},
            {"q": "m", "filter": "run"},
            {"q": "m", "sort": "size"},
            {"q": "m", "after": "x"},
        ):
            assert await reading.refused("search", **wrong) == (400, "invalid-input")

    read(database_url, tmp_path, story)


def test_counts_by_hour_and_by_day(database_url: str, tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    ago = now - dt.timedelta(days=2)
    facts = completed("now", outputs=["a"], at=now - dt.timedelta(seconds=2))
    facts += completed("then", outputs=["b"], at=ago)
    facts.append(fact_of_event(run_event(uuid.uuid4(), "FAIL", job="then", at=ago)))
    heard(database_url, facts)

    async def story(reading: Reading) -> None:
        for what, count in (("datasets", 2), ("jobs", 2), ("sources", 1)):
            day = await reading.get("stats", what, period="DAY")
            assert len(day) == 24
            check_shape(day[-1], shapes.IntervalMetric)
            # They were heard of just now, whenever their events were.
            assert [each["count"] for each in day] == [0] * 23 + [count]
            assert len(await reading.get("stats", what, period="week", timezone="Asia/Kolkata")) == 7
        day = await reading.get("stats", "lineage-events", period="DAY")
        check_shape(day[0], shapes.LineageMetric)
        assert sum(each["start"] + each["complete"] for each in day) == 2
        week = await reading.get("stats", "lineage-events", period="WEEK", timezone="UTC")
        totals = {name: sum(each[name] for each in week) for name in ("start", "complete", "fail", "abort")}
        assert totals == {"start": 2, "complete": 2, "fail": 1, "abort": 0}
        assert all(one["endInterval"] == other["startInterval"] for one, other in itertools.pairwise(week))
        for wrong in ({}, {"period": "YEAR"}, {"period": "WEEK", "timezone": "Nowhere/Land"}):
            assert await reading.refused("stats", "jobs", **wrong) == (400, "invalid-input")

    read(database_url, tmp_path, story)


def test_facets_of_datasets_alone_are_told_too(database_url: str, tmp_path: Path) -> None:
    tags = {"_producer": "https://x", "_schemaURL": "https://x", "tags": [{"key": "gold"}]}
    event = dataset_event(dataset=dataset("topic", "kafka://broker:9092", facets={"tags": tags}))
    heard(database_url, [fact_of_event(event)])

    async def story(reading: Reading) -> None:
        found = await reading.get("namespaces", "kafka://broker:9092", "datasets", "topic")
        assert (found["type"], found["tags"]) == ("STREAM", ["gold"])
        assert (await reading.get("sources", "kafka://broker:9092"))["type"] == "KAFKA"

    read(database_url, tmp_path, story)


def test_who_may_ask(database_url: str, engine: Engine, tmp_path: Path) -> None:
    chain(database_url)
    tokens = TokenStore(engine)
    viewer = bearer(tokens.create("viewer", Role.VIEWER, None))
    producer = bearer(tokens.create("producer", Role.PRODUCER, None))
    routes = [
        path("namespaces"),
        path("jobs"),
        path("lineage") + "?nodeId=dataset:ns:raw",
        path("events", "lineage"),
        path("search") + "?q=raw",
        path("tags"),
        path("sources"),
        path("stats", "jobs") + "?period=DAY",
        path("namespaces", "ns", "datasets", "raw"),
        path("namespaces", "ns", "jobs", "load", "runs"),
    ]

    async def story(reading: Reading) -> None:
        async with reading.web.client_at(
            client="203.0.113.7", server="192.0.2.1", base_url="http://192.0.2.1"
        ) as far:
            for route in routes:
                assert (await far.get(route)).status_code == 401, route
                assert (await far.get(route, headers=producer)).status_code == 403, route
                assert (await far.get(route, headers=viewer)).status_code == 200, route
                wrong_host = await far.get(route, headers={**viewer, "Host": "evil.example"})
                assert wrong_host.status_code == 421, route

    read(database_url, tmp_path, story, host=ALL_ADDRESSES)
