"""Lineage over a layered graph, in the adapter, with raw recursive SQL beside it in the same run.

    python -m benchmarks.lineage [--url URL]

Without a URL it starts an embedded PostgreSQL in a temporary folder. Times are in milliseconds.
"""

import argparse
import itertools
import json
import math
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from benchmarks.layered_graph import SEED, LayeredGraph
from catalog.database import create_database_engine
from catalog.embedded import EmbeddedPostgreSQL
from catalog.keys import NodeId
from catalog.migrations import migrate
from catalog.observations import Observation
from graph.model import Direction, Lineage, Want
from graph.postgresql.store import PostgresqlGraph

BATCH = 1_000
#: What a walk in plain SQL costs: no distances, no limits, no names.
RAW = """
WITH RECURSIVE reached (vertex) AS (
    SELECT CAST(:start AS bigint)
    UNION
    SELECT e.destination FROM reached r JOIN graph_edge e ON e.origin = r.vertex AND e.valid_to IS NULL
)
SELECT count(*) FROM reached
"""
RAW_DEPTH_5 = """
WITH RECURSIVE reached (vertex, depth) AS (
    SELECT CAST(:start AS bigint), 0
    UNION
    SELECT e.destination, r.depth + 1
    FROM reached r JOIN graph_edge e ON e.origin = r.vertex AND e.valid_to IS NULL WHERE r.depth < 5
)
SELECT count(DISTINCT vertex) FROM reached
"""


def percentile(times: list[float], share: float) -> float:
    """The time that this share of all does not exceed, rounded."""
    ordered = sorted(times)
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 2)


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """How many milliseconds the act took, and what it gave."""
    begin = time.perf_counter()
    result = act()
    return (time.perf_counter() - begin) * 1000, result


def load(graph: PostgresqlGraph, layered: LayeredGraph) -> dict[str, Any]:
    """Write the graph in batches as the follower does."""
    observed = enumerate(layered.observed(), 1)
    times = []
    while batch := list(itertools.islice(observed, BATCH)):
        observations = [Observation(sequence, sequence, each) for sequence, each in batch]
        times.append(timed(lambda found=observations: graph.apply(found))[0])
    return {
        "batches": len(times),
        "batch_p50_ms": percentile(times, 0.5),
        "batch_p95_ms": percentile(times, 0.95),
        "observations_per_s": round(BATCH * len(times) / sum(times) * 1000),
    }


def measure(
    engine: Engine, layered: LayeredGraph, *, rounds: int = 200, large_rounds: int = 10
) -> dict[str, Any]:
    """Load the graph into a migrated, empty database and ask."""
    graph = PostgresqlGraph(engine)
    loaded = load(graph, layered)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) graph_node, graph_edge"))

    def lineage(node: str, depth: int, max_nodes: int, want: Want = Want.IDS) -> Lineage:
        return graph.lineage(
            NodeId.parse(node), Direction.DOWNSTREAM, depth=depth, max_nodes=max_nodes, seconds=60, want=want
        )

    chance = random.Random(SEED)
    starts = [
        layered.dataset(chance.randrange(layered.layers - 5), chance.randrange(layered.width)).node_id
        for _ in range(rounds)
    ]
    middle = layered.dataset(layered.layers // 5 - 2, 0).node_id
    everything = layered.nodes
    depth5 = [timed(lambda node=node: lineage(node, 5, 10_000)) for node in starts]
    closure = [timed(lambda: lineage(middle, 10**6, everything)) for _ in range(large_rounds)]
    whole = Want.NODES | Want.EDGES
    full = [
        timed(lambda: lineage(middle, 10**6, everything, whole)) for _ in range(max(3, large_rounds // 3))
    ]
    hub = [timed(lambda: lineage(layered.hub.node_id, 1, everything)) for _ in range(large_rounds)]
    limited = [timed(lambda: lineage(middle, 20, 10_000)) for _ in range(large_rounds)]
    return {
        "load": loaded,
        "depth5": {
            "nodes_max": max(len(answer.node_ids) for _, answer in depth5),
            "p50_ms": percentile([ms for ms, _ in depth5], 0.5),
            "p95_ms": percentile([ms for ms, _ in depth5], 0.95),
        },
        "closure": {
            "nodes": len(closure[0][1].node_ids),
            "complete": closure[0][1].completeness.complete,
            "p50_ms": percentile([ms for ms, _ in closure], 0.5),
            "with_nodes_and_edges_p50_ms": percentile([ms for ms, _ in full], 0.5),
            "edges": len(full[0][1].edges),
        },
        "default_limits": {
            "nodes": len(limited[0][1].node_ids),
            "p50_ms": percentile([ms for ms, _ in limited], 0.5),
        },
        "hub": {
            "nodes": len(hub[0][1].node_ids),
            "frontier": len(hub[0][1].completeness.frontier),
            "p50_ms": percentile([ms for ms, _ in hub], 0.5),
        },
        "raw_sql": raw(engine, starts, middle, large_rounds),
    }


def raw(engine: Engine, starts: list[str], middle: str, rounds: int) -> dict[str, Any]:
    """The same questions as plain recursive SQL that only counts."""
    with engine.connect() as connection:
        ids: dict[str, int] = {
            f"dataset:{namespace}:{name}": id_
            for id_, namespace, name in connection.execute(
                text("SELECT id, namespace, name FROM graph_node WHERE kind = 'dataset'")
            )
        }
        depth5 = [
            timed(lambda node=node: connection.execute(text(RAW_DEPTH_5), {"start": ids[node]}).scalar())
            for node in starts
        ]
        closure = [
            timed(lambda: connection.execute(text(RAW), {"start": ids[middle]}).scalar())
            for _ in range(rounds)
        ]
    return {
        "depth5_p50_ms": percentile([ms for ms, _ in depth5], 0.5),
        "depth5_p95_ms": percentile([ms for ms, _ in depth5], 0.95),
        "closure_nodes": closure[0][1],
        "closure_p50_ms": percentile([ms for ms, _ in closure], 0.5),
    }


def run(url: str, layered: LayeredGraph) -> dict[str, Any]:
    """Migrate the database, measure, and say on what."""
    engine = create_database_engine(url, pool_size=2, application_name="headwater-benchmark")
    try:
        migrate(engine)
        return {
            "benchmark": "lineage",
            "level": "adapter",
            "n": {"nodes": layered.nodes, "edges": layered.edges, "hub_readers": layered.hub_readers},
            "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
            **measure(engine, layered),
        }
    finally:
        engine.dispose()


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="an empty PostgreSQL database to use instead of an embedded one")
    arguments = parser.parse_args()
    layered = LayeredGraph()
    if arguments.url:
        result = run(arguments.url, layered)
    else:
        folder = Path(tempfile.mkdtemp(prefix="headwater-benchmark-"))
        database = EmbeddedPostgreSQL(folder, progress=lambda line: print(line, file=sys.stderr))
        try:
            result = run(database.start(), layered)
        finally:
            database.stop()
            shutil.rmtree(folder)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
