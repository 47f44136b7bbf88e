"""What columns cost the followers: the same events with and without them, in turns; and new datasets that have them."""

import copy
import datetime as dt
import statistics
from typing import Any

from benchmarks.events import pair
from benchmarks.load import events_body, post_all, request
from benchmarks.machine import machine
from benchmarks.new_datasets import DATASETS, measure_new_datasets
from benchmarks.server import Server, running_server, temporary_folder

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
#: Every job comes by once in so many pairs.
ROUND_OF_JOBS = 1_000


def _bodies(first: int, pairs: int, *, columns: bool) -> list[bytes]:
    """Return batches of 100; without columns the events have no columnLineage facet and are the same otherwise."""
    events = []
    for number in range(first, first + pairs):
        for event in pair(number, START + dt.timedelta(seconds=2 * number)):
            told = copy.deepcopy(event)
            if not columns:
                for output in told["outputs"]:
                    output["facets"].pop("columnLineage", None)
            events.append(told)
    return [
        request("/api/v1/lineage/batch", events_body(events[index : index + 100]))
        for index in range(0, len(events), 100)
    ]


def _worker_us_per_event(server: Server, first: int, pairs: int, *, columns: bool) -> float:
    bodies = _bodies(first, pairs, columns=columns)
    before = server.worker_seconds()
    answers, _ = post_all(server.port, bodies, 4)
    answers.check()
    server.wait_until_followed()
    return 1e6 * (server.worker_seconds() - before) / (2 * pairs)


def measure_columns(rounds: int = 5, pairs: int = 4_000) -> dict[str, Any]:
    """Return the worker's processor time per event, in microseconds, and by how much columns raise it, in percent.

    `first` is the time in which every job is told of for the first time, `steady` what comes after it; `datasets` are
    new ones, told of by an event each, see `new_datasets`.
    """
    found: dict[tuple[str, bool], list[float]] = {}
    for _ in range(rounds):
        for columns in (False, True):
            with temporary_folder() as folder, running_server(folder) as server:
                first = _worker_us_per_event(server, 0, ROUND_OF_JOBS, columns=columns)
                steady = _worker_us_per_event(server, ROUND_OF_JOBS, pairs, columns=columns)
            found.setdefault(("first", columns), []).append(first)
            found.setdefault(("steady", columns), []).append(steady)
    # The least of the rounds: whatever else the machine does only adds.
    least = {key: min(values) for key, values in found.items()}
    datasets = measure_new_datasets(rounds)
    bare = datasets.pop("bare")
    return {
        "n": rounds * 2 * (ROUND_OF_JOBS + pairs) + rounds * 3 * DATASETS,
        **{
            part: {
                "us_per_event": round(least[part, True], 1),
                "median_us_per_event": round(statistics.median(found[part, True]), 1),
                "cost_percent": round(100 * (least[part, True] / least[part, False] - 1), 1),
            }
            for part in ("first", "steady")
        },
        "datasets": datasets,
        "reference": {
            "what": "the same events without the columnLineage facet",
            "first_us_per_event": round(least["first", False], 1),
            "steady_us_per_event": round(least["steady", False], 1),
            "datasets_without_columns": bare,
        },
        "machine": machine(),
    }
