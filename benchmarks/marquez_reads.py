"""Marquez's `/api/v1/lineage` on 10,000 jobs, every node with its data, raw recursive SQL beside it in the same run."""

import datetime as dt
import http.client
import itertools
import json
import random
import time
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import psycopg
from sqlalchemy import make_url

from benchmarks.layered_graph import SEED, LayeredGraph
from benchmarks.load import events_body, post_all, request
from benchmarks.machine import machine, percentile
from benchmarks.server import Server, running_server, temporary_folder
from catalog.embedded.running import running_url
from catalog.keys import DatasetKey

LAYERED = LayeredGraph(layers=100, width=100, hub_readers=0)
#: Edges; 41 are as far as 20 of Marquez's own steps, which go from job to job.
DEPTHS = (5, 20, 41)
ASKED = 200
WARM = 20
BATCH = 500
AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SPEC = "https://openlineage.io/spec"
#: What the same walk costs in plain SQL: no distances between answers, no limits, no names, no data.
RAW = """
WITH RECURSIVE down (vertex, depth) AS (
    SELECT %(start)s::bigint, 0
    UNION
    SELECT e.destination, d.depth + 1
    FROM down d JOIN graph_edge e ON e.origin = d.vertex AND e.valid_to IS NULL WHERE d.depth < %(depth)s
), up (vertex, depth) AS (
    SELECT %(start)s::bigint, 0
    UNION
    SELECT e.origin, u.depth + 1
    FROM up u JOIN graph_edge e ON e.destination = u.vertex AND e.valid_to IS NULL WHERE u.depth < %(depth)s
)
SELECT count(DISTINCT vertex) FROM (SELECT vertex FROM down UNION ALL SELECT vertex FROM up) AS reached
"""


def _dataset(key: DatasetKey) -> dict[str, Any]:
    fields = [{"name": f"column_{number}", "type": "VARCHAR"} for number in range(10)]
    schema = {
        "_producer": "https://example.com",
        "_schemaURL": f"{SPEC}/facets/1-1-1/SchemaDatasetFacet.json",
    }
    return {"namespace": key.namespace, "name": key.name, "facets": {"schema": {**schema, "fields": fields}}}


def _events() -> Iterator[dict[str, Any]]:
    """Give the START and the COMPLETE of one run of each job, schemas of ten columns in both."""
    chance = random.Random(SEED)
    for layer in range(1, LAYERED.layers + 1):
        for number in range(LAYERED.width):
            read = [
                LAYERED.dataset(layer - 1, each)
                for each in chance.sample(range(LAYERED.width), LAYERED.fan_in)
            ]
            job, output = LAYERED.job(layer, number), LAYERED.dataset(layer, number)
            at = AT + dt.timedelta(seconds=2 * (layer * LAYERED.width + number))
            base = {
                "producer": "https://example.com/benchmark",
                "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
                "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, job.name))},
                "job": {"namespace": job.namespace, "name": job.name},
                "inputs": [_dataset(key) for key in read],
            }
            later = at + dt.timedelta(seconds=1)
            yield {"eventType": "START", "eventTime": at.isoformat(), **base, "outputs": []}
            yield {
                "eventType": "COMPLETE",
                "eventTime": later.isoformat(),
                **base,
                "outputs": [_dataset(output)],
            }


def _load(server: Server) -> float:
    """Send all events; return the seconds until they were followed."""
    started = time.perf_counter()
    events = _events()
    batches = iter(lambda: list(itertools.islice(events, BATCH)), [])
    answers, _ = post_all(
        server.port, [request("/api/v1/lineage/batch", events_body(batch)) for batch in batches], 2
    )
    answers.check()
    server.wait_until_followed()
    seconds = time.perf_counter() - started
    with psycopg.connect(_plain_url(server), autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return seconds


def _plain_url(server: Server) -> str:
    url = running_url(server.data_dir)
    assert url is not None
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _nodes() -> list[str]:
    """Return datasets and jobs from anywhere in the graph, in turns."""
    chance = random.Random(SEED)
    places = [
        (chance.randrange(1, LAYERED.layers + 1), chance.randrange(LAYERED.width))
        for _ in range(ASKED + WARM)
    ]
    return [
        (LAYERED.dataset(*place) if turn % 2 else LAYERED.job(*place)).node_id
        for turn, place in enumerate(places)
    ]


def _measured(connection: http.client.HTTPConnection, depth: int) -> dict[str, float]:
    milliseconds, counts, sizes = list[float](), list[int](), list[int]()
    first = 0.0
    for turn, node in enumerate(_nodes()):
        started = time.perf_counter()
        connection.request("GET", f"/api/v1/lineage?{urlencode({'nodeId': node, 'depth': depth})}")
        response = connection.getresponse()
        body = response.read()
        taken = (time.perf_counter() - started) * 1000
        graph = json.loads(body)
        if response.status != 200 or graph["completeness"]["reason"] not in (None, "DEPTH"):
            raise RuntimeError(body[:1000].decode())
        first = first or taken
        if turn >= WARM:
            milliseconds.append(taken)
            counts.append(len(graph["graph"]))
            sizes.append(len(body))
    return {
        "p50_ms": round(percentile(milliseconds, 0.5), 1),
        "p95_ms": round(percentile(milliseconds, 0.95), 1),
        "first_ms": round(first, 1),
        "nodes_p50": percentile(counts, 0.5),
        "nodes_max": max(counts),
        "mib_max": round(max(sizes) / 2**20, 1),
    }


def _raw(server: Server) -> dict[str, float]:
    found = {}
    with psycopg.connect(_plain_url(server), autocommit=True) as connection:
        ids = {
            f"{kind}:{namespace}:{name}": row
            for row, kind, namespace, name in connection.execute(
                "SELECT id, kind, namespace, name FROM graph_node WHERE kind IN ('dataset', 'job')"
            )
        }
        for depth in DEPTHS:
            taken = []
            for node in _nodes()[WARM : WARM + 50]:
                started = time.perf_counter()
                connection.execute(RAW, {"start": ids[node], "depth": depth}).fetchone()
                taken.append((time.perf_counter() - started) * 1000)
            found[f"depth{depth}_p50_ms"] = round(percentile(taken, 0.5), 2)
            found[f"depth{depth}_p95_ms"] = round(percentile(taken, 0.95), 2)
    return found


def measure_marquez_reads() -> dict[str, Any]:
    """Return what lineage in Marquez's form takes at depth 5 and 20, data of every node included."""
    with temporary_folder() as folder, running_server(folder) as server:
        seconds = _load(server)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        measured = {f"depth{depth}": _measured(connection, depth) for depth in DEPTHS}
        connection.close()
        reference = {
            "what": "the same walks both ways as plain recursive SQL that only counts",
            **_raw(server),
        }
    return {
        "n": ASKED,
        "jobs": LAYERED.layers * LAYERED.width,
        "layers": LAYERED.layers,
        "edges": LAYERED.edges,
        "load_s": round(seconds, 1),
        **measured,
        "reference": reference,
        "machine": machine(),
    }
