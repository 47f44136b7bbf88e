"""From data to work: POST sent → first instruction of a `command`; one event to 50 pipelines; bursts."""

import json
import random
import statistics
import subprocess
import time
import uuid
from collections import Counter
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks.events import complete_event
from benchmarks.load import post_all, request
from benchmarks.machine import machine, summary_ms
from benchmarks.server import Server, pipeline, running_server, temporary_folder
from catalog.embedded import EmbeddedPostgreSQL

NAMESPACE = "benchmark"
CLOCK = ["date", "+%s%N"]


def _dataset(name: str) -> dict[str, str]:
    return {"namespace": NAMESPACE, "name": name}


def _outputs(server: Server) -> dict[str, float]:
    """Return for each pipeline run the instant in seconds that its command wrote as its first act."""
    found = {}
    for path in sorted((server.data_dir / "runs").glob("*/head")):
        text = path.read_text("ascii").strip()
        if text:
            found[path.parent.name.split(".")[0]] = int(text.split()[0]) / 1e9
    return found


RUNS = """
query($after: String) { pipelineRuns(first: 200, after: $after) {
  nodes { id pipelineName state consumedVersions(first: 300) { nodes { id runId } } }
  pageInfo { hasNextPage endCursor } } }
"""


def _runs(server: Server) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    after = None
    while True:
        page = server.graphql(RUNS, after=after)["pipelineRuns"]
        nodes += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return nodes
        after = page["pageInfo"]["endCursor"]


def _wait_for_runs(server: Server, count: int, seconds: float = 180.0) -> list[dict[str, Any]]:
    """Return the runs once so many have ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        runs = _runs(server)
        if sum(1 for run in runs if run["state"] == "SUCCEEDED") >= count:
            return runs
        time.sleep(0.5)
    states = Counter(run["state"] for run in _runs(server))
    raise TimeoutError(f"expected {count} runs to succeed in {seconds} s, found {dict(states)}")


def _post(server: Server, event: dict[str, Any]) -> float:
    sent = time.time()
    answers, _ = post_all(server.port, [request("/api/v1/lineage", json.dumps(event).encode())], 1)
    answers.check()
    return sent


def bare_trigger_seconds(count: int = 50) -> list[float]:
    """Return what is unavoidable: a commit with NOTIFY, a listener that wakes, a process whose clock speaks."""
    with temporary_folder() as folder:
        database = EmbeddedPostgreSQL(folder, progress=lambda _: None)
        url = make_url(database.start()).set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            with (
                psycopg.connect(url, autocommit=True) as writer,
                psycopg.connect(url, autocommit=True) as listener,
            ):
                writer.execute("CREATE TABLE bare (id uuid PRIMARY KEY, body bytea)")
                listener.execute("LISTEN bare")
                found = []
                for _ in range(count):
                    sent = time.time()
                    with writer.transaction():
                        writer.execute("INSERT INTO bare VALUES (%s, %s)", (uuid.uuid4(), b"x" * 500))
                        writer.execute("NOTIFY bare")
                    for _notice in listener.notifies(timeout=5, stop_after=1):
                        break
                    output = subprocess.run(CLOCK, capture_output=True, check=True).stdout
                    found.append(int(output) / 1e9 - sent)
                return found
        finally:
            database.stop()


def measure_trigger(count: int = 200) -> dict[str, Any]:
    """Return latencies of single events at random gaps of 0.1 to 1 s, with default settings."""
    chooser = random.Random(20130101)
    with temporary_folder() as folder, running_server(folder) as server:
        server.apply(pipeline("react", _dataset("input"), CLOCK, concurrency=10))
        _post(server, complete_event("input"))
        _wait_for_runs(server, 1)
        sent: dict[str, float] = {}
        for _ in range(count):
            event = complete_event("input")
            sent[event["run"]["runId"]] = _post(server, event)
            time.sleep(chooser.uniform(0.1, 1.0))
        runs = _wait_for_runs(server, count + 1)
        started = _outputs(server)
    seconds = []
    for run in runs:
        for consumed in run["consumedVersions"]["nodes"]:
            producer = consumed["runId"]
            if producer in sent:
                seconds.append(started[run["id"]] - sent[producer])
    assert len(seconds) == count, f"expected {count} starts, found {len(seconds)}"
    return {
        "n": count,
        **summary_ms(seconds),
        "reference": {
            "what": "commit, NOTIFY, listen, spawn: nothing else",
            **summary_ms(bare_trigger_seconds()),
        },
        "machine": machine(),
    }


def measure_fanout(rounds: int = 10, width: int = 50) -> dict[str, Any]:
    """Return how long one event takes until all of 50 pipelines have started."""
    with temporary_folder() as folder, running_server(folder) as server:
        documents = [pipeline(f"fan_{number}", _dataset("hub"), CLOCK) for number in range(width)]
        server.apply(*documents)
        seconds = []
        total = 0
        for _ in range(rounds):
            event = complete_event("hub")
            sent = _post(server, event)
            total += width
            runs = _wait_for_runs(server, total)
            ours = [
                run["id"]
                for run in runs
                if run["consumedVersions"]["nodes"][0]["runId"] == event["run"]["runId"]
            ]
            assert len(ours) == width, f"expected {width} runs of one event, found {len(ours)}"
            started = _outputs(server)
            seconds.append(max(started[run] for run in ours) - sent)
    bare = bare_trigger_seconds(20)
    return {
        "n": rounds,
        "pipelines": width,
        "p50_ms": round(statistics.median(seconds) * 1000, 2),
        "max_ms": round(max(seconds) * 1000, 2),
        "reference": {
            "what": f"{width} bare triggers one after another",
            "p50_ms": round(sum(bare) / 20 * width * 1000, 2),
        },
        "machine": machine(),
    }


def measure_burst(rounds: int = 10, size: int = 200) -> dict[str, Any]:
    """Send bursts at full speed over 8 connections; count runs and versions that nothing consumed."""
    each: list[int] = []
    stranded: list[int] = []
    doubled: list[int] = []
    batches: list[int] = []
    for _ in range(rounds):
        with temporary_folder() as folder, running_server(folder) as server:
            server.apply(
                pipeline("each", _dataset("input"), ["true"], batching="each", concurrency=50),
                pipeline("latest", _dataset("input"), ["true"], batching="latest"),
            )
            events = [complete_event("input") for _ in range(size)]
            answers, _ = post_all(
                server.port, [request("/api/v1/lineage", json.dumps(event).encode()) for event in events], 8
            )
            answers.check()
            server.wait_until_followed()
            runs = _quiet_runs(server)
            consumed: dict[str, Counter[str]] = {"each": Counter(), "latest": Counter()}
            for run in runs:
                consumed[run["pipelineName"]].update(c["id"] for c in run["consumedVersions"]["nodes"])
            each.append(sum(1 for run in runs if run["pipelineName"] == "each"))
            batches.append(sum(1 for run in runs if run["pipelineName"] == "latest"))
            stranded.append(size - len(consumed["latest"]))
            doubled.append(sum(1 for times in consumed["latest"].values() if times > 1))
    return {
        "n": rounds,
        "events": size,
        "each": {"runs_min": min(each), "runs_max": max(each)},
        "latest": {
            "stranded_max": max(stranded),
            "consumed_twice_max": max(doubled),
            "runs_min": min(batches),
            "runs_max": max(batches),
        },
        "reference": {"what": "the number of events, which `each` must equal", "events": size},
        "machine": machine(),
    }


def _quiet_runs(server: Server, seconds: float = 180.0) -> list[dict[str, Any]]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        runs = _runs(server)
        if runs and all(run["state"] == "SUCCEEDED" for run in runs):
            return runs
        time.sleep(0.5)
    raise TimeoutError(f"runs were still going on after {seconds} s")
