"""A steady stream for many minutes: memory that does not grow, a bounded lag, and disk as predicted.

Realistic pairs of events go in at a constant rate, open loop: one that is late is sent late and counted, never left
out. Every tenth second, what each process holds, how far the followers are behind, and what the database weighs are
noted.
"""

import datetime as dt
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
from psycopg.rows import scalar_row
from sqlalchemy import make_url

from benchmarks.events import NAMESPACE, dataset_name, pair
from benchmarks.load import post_all, request
from benchmarks.machine import machine, percentile
from benchmarks.server import Server, pipeline, running_server, temporary_folder
from catalog.embedded.running import running_url

#: Events in a second: a tenth of what one machine takes in.
EVENTS_PER_S = 100
SAMPLE_SECONDS = 10.0
#: What is left out at the start: caches fill, and every job and dataset is new.
WARM_UP_SHARE = 0.25
#: The dataset whose every version starts a command; each job, and so each dataset, comes by once in 2,000 events.
TRIGGERING = tuple(dataset_name(number) for number in range(0, 1_000, 100))


@dataclass(frozen=True, slots=True)
class Sample:
    """The state at one instant; seconds since the start, memory in MiB by process name, sizes in bytes."""

    seconds: float
    events: int
    memory_mib: dict[str, float]
    lag: int
    database_bytes: int


def _memory_mib(server: Server) -> dict[str, float]:
    """Return what each of Headwater's own processes has to itself, and all of PostgreSQL's with what they share.

    The pages that PostgreSQL's processes share are counted once, and grow up to `shared_buffers`.
    """
    found: dict[str, float] = {}
    for process in server.processes():
        try:
            name = process.name()
            size = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        if name.startswith("headwater"):
            found[name] = round(size.uss / 2**20, 1)
        elif name == "postgres":
            found[name] = round(found.get(name, 0.0) + size.pss / 2**20, 1)
    return found


def _sample(server: Server, connection: psycopg.Connection[int], started: float, events: int) -> Sample:
    status = server.graphql("{ status { position ledgerPosition graphPosition } }")["status"]
    size = connection.execute("SELECT pg_database_size(current_database())")
    return Sample(
        seconds=time.monotonic() - started,
        events=events,
        memory_mib=_memory_mib(server),
        lag=status["ledgerPosition"] - min(status["position"], status["graphPosition"]),
        database_bytes=size.fetchone() or 0,
    )


def _second(number: int) -> list[bytes]:
    """Return the requests of one second: pairs, START and COMPLETE."""
    return [
        request("/api/v1/lineage", json.dumps(event).encode())
        for pair_number in range(number * EVENTS_PER_S // 2, (number + 1) * EVENTS_PER_S // 2)
        for event in pair(pair_number, dt.datetime.now(dt.UTC))
    ]


def _stream(server: Server, minutes: float) -> Iterator[tuple[Sample, float]]:
    """Send, and yield samples, each with the greatest delay of a second's events since the one before it."""
    database = running_url(server.data_dir)
    if database is None:
        raise RuntimeError("expected the database of a running server, found none")
    url = make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True, row_factory=scalar_row) as connection:
        started = time.monotonic()
        late = 0.0
        due = SAMPLE_SECONDS
        for number in range(round(60 * minutes)):
            requests = _second(number)
            time.sleep(max(0.0, started + number - time.monotonic()))
            late = max(late, time.monotonic() - started - number)
            answers, _ = post_all(server.port, requests, 4)
            answers.check()
            if number + 1 >= due:
                yield _sample(server, connection, started, (number + 1) * EVENTS_PER_S), late
                due += SAMPLE_SECONDS
                late = 0.0
        server.wait_until_followed()
        yield _sample(server, connection, started, round(60 * minutes) * EVENTS_PER_S), late


def _growth_percent(samples: Sequence[Sample], name: str) -> float:
    """Return by how much the last quarter's median is above that of the first quarter after the warm-up, in percent."""
    quarter = max(1, len(samples) // 4)
    first = statistics.median(sample.memory_mib.get(name, 0.0) for sample in samples[:quarter])
    last = statistics.median(sample.memory_mib.get(name, 0.0) for sample in samples[-quarter:])
    return round(100 * (last - first) / first, 1)


def _bytes_per_event(samples: Sequence[Sample]) -> float:
    first, last = samples[0], samples[-1]
    return (last.database_bytes - first.database_bytes) / (last.events - first.events)


def measure_soak(minutes: float = 20.0) -> dict[str, Any]:
    """Return growth of memory, lag and disk over the minutes; every event is acknowledged, or it raises."""
    with temporary_folder() as folder, running_server(folder) as server:
        server.apply(
            *(
                pipeline(f"soak_{index}", {"namespace": NAMESPACE, "name": name}, ["true"], concurrency=8)
                for index, name in enumerate(TRIGGERING)
            )
        )
        found = list(_stream(server, minutes))
        runs = server.graphql("{ pipelineRuns(first: 1) { totalCount } }")["pipelineRuns"]["totalCount"]
    samples = [sample for sample, _ in found]
    kept = samples[int(WARM_UP_SHARE * len(samples)) :]
    half = len(kept) // 2
    growth = {name: _growth_percent(kept, name) for name in sorted(kept[-1].memory_mib)}
    predicted = kept[half].database_bytes + _bytes_per_event(kept[: half + 1]) * (
        kept[-1].events - kept[half].events
    )
    lags = [sample.lag for sample in samples]
    return {
        "n": samples[-1].events,
        "minutes": minutes,
        "events_per_s": EVENTS_PER_S,
        "pipeline_runs": runs,
        "late_max_s": round(max(late for _, late in found), 3),
        "memory": {
            "growth_percent": max(value for name, value in growth.items() if name.startswith("headwater")),
            "growth_percent_by_process": growth,
            "end_mib_by_process": samples[-1].memory_mib,
        },
        "lag": {
            "p95_positions": percentile(lags, 0.95),
            "max_positions": max(lags),
            "end_positions": lags[-1],
        },
        "disk": {
            "bytes_per_event": round(_bytes_per_event(kept)),
            "end_mib": round(samples[-1].database_bytes / 2**20, 1),
            "end_over_predicted_percent": round(100 * abs(kept[-1].database_bytes / predicted - 1), 2),
        },
        "reference": {
            "what": "the size of what was sent; the prediction is the growth of the first half, carried on",
            "bytes_per_event": round(
                statistics.mean(len(body) for second in range(20) for body in _second(second))
            ),
        },
        "machine": machine(),
    }
