"""Lineage over GraphQL on 101,000 nodes and 300,000 edges, with raw recursive SQL beside it in the same run."""

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks.events import complete_event
from benchmarks.layered_graph import SEED, LayeredGraph
from benchmarks.load import Answers, post_all, request
from benchmarks.machine import machine, percentile
from benchmarks.server import Server, running_server, temporary_folder
from catalog.embedded.running import running_url
from catalog.observations import encode_observed

BATCH = 5_000
QUERY = """
query($node: ID!, $depth: Int!, $nodes: Int!) {
  lineage(nodeId: $node, direction: DOWNSTREAM, depth: $depth, maxNodes: $nodes) {
    nodeIds completeness { complete reason } } }
"""
IMPACT = """
query($node: ID!, $depth: Int!, $nodes: Int!) {
  impact(nodeId: $node, depth: $depth, maxNodes: $nodes) {
    counts { datasets fields jobs } nodes { id distance level } completeness { complete reason } } }
"""
#: What a walk in plain SQL costs: no distances, no limits, no names.
RAW = """
WITH RECURSIVE reached (vertex) AS (
    SELECT %(start)s::bigint
    UNION
    SELECT e.destination FROM reached r JOIN graph_edge e ON e.origin = r.vertex AND e.valid_to IS NULL
)
SELECT count(*) FROM reached
"""
RAW_DEPTH_5 = """
WITH RECURSIVE reached (vertex, depth) AS (
    SELECT %(start)s::bigint, 0
    UNION
    SELECT e.destination, r.depth + 1
    FROM reached r JOIN graph_edge e ON e.origin = r.vertex AND e.valid_to IS NULL WHERE r.depth < 5
)
SELECT count(DISTINCT vertex) FROM reached
"""


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = act()
    return (time.perf_counter() - started) * 1000, result


def _connect(server: Server) -> "psycopg.Connection[Any]":
    url = running_url(server.data_dir)
    assert url is not None
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def _load(connection: "psycopg.Connection[Any]", layered: LayeredGraph) -> float:
    """Write the observation log; return the seconds until the graph follower had followed it."""
    started = time.perf_counter()
    observed = layered.observed()
    while batch := list(itertools.islice(observed, BATCH)):
        encoded = [encode_observed(each) for each in batch]
        with connection.transaction():
            connection.execute(
                "INSERT INTO observation (position, kind, body)"
                " SELECT 0, kind, body FROM unnest(%s::text[], %s::bytea[]) AS o (kind, body)",
                ([kind for kind, _ in encoded], [body for _, body in encoded]),
            )
            connection.execute("SELECT pg_notify('headwater_state', '')")
    while True:
        row = connection.execute(
            "SELECT position = (SELECT max(sequence) FROM observation) FROM follower WHERE name = 'graph'"
        ).fetchone()
        if row and row[0]:
            break
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    connection.execute("VACUUM (ANALYZE) graph_node, graph_edge")
    return seconds


class _Client:
    """One kept connection that asks GraphQL."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)

    def lineage(self, node: str, depth: int, nodes: int) -> dict[str, Any]:
        return self._ask(QUERY, "lineage", {"node": node, "depth": depth, "nodes": nodes})

    def impact(self, node: str, depth: int, nodes: int) -> dict[str, Any]:
        return self._ask(IMPACT, "impact", {"node": node, "depth": depth, "nodes": nodes})

    def _ask(self, query: str, field: str, variables: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables})
        self._connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        answer = json.loads(self._connection.getresponse().read())
        if answer.get("errors"):
            raise RuntimeError(json.dumps(answer["errors"])[:1000])
        found: dict[str, Any] = answer["data"][field]
        return found

    def close(self) -> None:
        self._connection.close()


def _ingest_during_closure(server: Server, middle: str, nodes: int) -> tuple[Answers, int]:
    """Post events one by one while a client asks for closures without pause; return what the posts took."""
    stop = threading.Event()
    closures = 0

    def ask() -> None:
        nonlocal closures
        client = _Client(server)
        while not stop.is_set():
            client.lineage(middle, 10**6, nodes)
            closures += 1
        client.close()

    asker = threading.Thread(target=ask)
    asker.start()
    time.sleep(0.2)
    posts = [request("/api/v1/lineage", json.dumps(complete_event("during")).encode()) for _ in range(300)]
    answers, _ = post_all(server.port, posts, 1)
    stop.set()
    asker.join()
    answers.check()
    return answers, closures


def _raw(connection: "psycopg.Connection[Any]", layered: LayeredGraph, middle: str) -> dict[str, Any]:
    ids = {
        f"dataset:{namespace}:{name}": id_
        for id_, namespace, name in connection.execute(
            "SELECT id, namespace, name FROM graph_node WHERE kind = 'dataset'"
        )
    }
    starts = _starts(layered, 50)
    depth5 = [
        _timed(lambda node=node: connection.execute(RAW_DEPTH_5, {"start": ids[node]}).fetchone())
        for node in starts
    ]
    closure = [_timed(lambda: connection.execute(RAW, {"start": ids[middle]}).fetchone()) for _ in range(5)]
    return {
        "what": "the same walks as plain recursive SQL that only counts",
        "depth5_p50_ms": round(percentile([ms for ms, _ in depth5], 0.5), 2),
        "depth5_p95_ms": round(percentile([ms for ms, _ in depth5], 0.95), 2),
        "closure_p50_ms": round(percentile([ms for ms, _ in closure], 0.5), 2),
    }


def _starts(layered: LayeredGraph, count: int) -> list[str]:
    chance = random.Random(SEED)
    return [
        layered.dataset(chance.randrange(layered.layers - 5), chance.randrange(layered.width)).node_id
        for _ in range(count)
    ]


def measure_lineage(rounds: int = 200, large_rounds: int = 10) -> dict[str, Any]:
    """Return times of depth 5, a large closure and a hub over GraphQL, and of ingest during closures."""
    layered = LayeredGraph()
    with (
        temporary_folder() as folder,
        running_server(
            folder, HEADWATER_QUERY_TIMEOUT_SECONDS="60", HEADWATER_QUERY_MAX_COMPLEXITY="1000000"
        ) as server,
        _connect(server) as connection,
    ):
        load_seconds = _load(connection, layered)
        middle = layered.dataset(layered.layers // 5 - 2, 0).node_id
        client = _Client(server)
        client.lineage(middle, 10**6, layered.nodes)
        depth5 = [
            _timed(lambda node=node: client.lineage(node, 5, 10_000)) for node in _starts(layered, rounds)
        ]
        closure = [_timed(lambda: client.lineage(middle, 10**6, layered.nodes)) for _ in range(large_rounds)]
        hub = [
            _timed(lambda: client.lineage(layered.hub.node_id, 1, layered.nodes)) for _ in range(large_rounds)
        ]
        client.impact(middle, 10**6, layered.nodes)
        impact = [_timed(lambda: client.impact(middle, 10**6, layered.nodes)) for _ in range(large_rounds)]
        client.close()
        during, closures = _ingest_during_closure(server, middle, layered.nodes)
        reference = _raw(connection, layered, middle)
    return {
        "n": rounds,
        "nodes": layered.nodes,
        "edges": layered.edges,
        "load_s": round(load_seconds, 1),
        "depth5": {
            "nodes_max": max(len(answer["nodeIds"]) for _, answer in depth5),
            "p50_ms": round(percentile([ms for ms, _ in depth5], 0.5), 2),
            "p95_ms": round(percentile([ms for ms, _ in depth5], 0.95), 2),
        },
        "closure": {
            "nodes": len(closure[0][1]["nodeIds"]),
            "complete": closure[0][1]["completeness"]["complete"],
            "p50_ms": round(percentile([ms for ms, _ in closure], 0.5), 1),
        },
        "hub": {
            "nodes": len(hub[0][1]["nodeIds"]),
            "p50_ms": round(percentile([ms for ms, _ in hub], 0.5), 1),
        },
        "impact": {
            "nodes": len(impact[0][1]["nodes"]),
            "complete": impact[0][1]["completeness"]["complete"],
            "p50_ms": round(percentile([ms for ms, _ in impact], 0.5), 1),
        },
        "ingest": {
            "during_closures": closures,
            "p50_ms": round(percentile(during.seconds, 0.5) * 1000, 2),
            "p95_ms": round(percentile(during.seconds, 0.95) * 1000, 2),
        },
        "reference": reference,
        "machine": machine(),
    }
