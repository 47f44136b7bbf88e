"""What it costs to hear of a dataset for the first time: without columns, with 20 of them, with a description of each.

An event each tells of the dataset and of nothing else, so that what is measured is what a new dataset costs the
followers and the index of the search.
"""

import datetime as dt
import random
import statistics
import time
from collections import defaultdict
from typing import Any, Literal

from benchmarks.load import events_body, post_all, request
from benchmarks.search import SPEC, WORDS
from benchmarks.server import Server, running_server, temporary_folder

DATASETS = 2_000
COLUMNS = 20
SEED = 20
AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

#: What is told of a dataset: nothing, its columns, or its columns with a description of each.
Told = Literal["bare", "named", "described"]
TOLD: tuple[Told, ...] = ("bare", "named", "described")


def _events(told: Told) -> list[dict[str, Any]]:
    chance = random.Random(SEED)
    events = []
    for number in range(DATASETS):
        noun = chance.choice(WORDS)
        fields = []
        for _ in range(COLUMNS):
            name = f"{chance.choice(WORDS)}_{chance.choice(WORDS)}"
            description = f"The {name} of the {noun}, as {chance.choice(WORDS)} has it."
            fields.append(
                {"name": name, "type": "VARCHAR"}
                | ({"description": description} if told == "described" else {})
            )
        schema = {
            "_producer": "https://example.com/benchmark",
            "_schemaURL": f"{SPEC}/facets/1-0-0/SchemaDatasetFacet.json",
            "fields": fields,
        }
        events.append(
            {
                "eventTime": (AT + dt.timedelta(seconds=number)).isoformat(),
                "producer": "https://example.com/benchmark",
                "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
                "dataset": {
                    "namespace": "warehouse",
                    "name": f"{noun}.{chance.choice(WORDS)}_{number}",
                    "facets": {} if told == "bare" else {"schema": schema},
                },
            }
        )
    return events


def _measured(server: Server, told: Told) -> tuple[float, float, float]:
    """Return the worker's time per event in microseconds, and events per second until followed, and until found."""
    events = _events(told)
    bodies = [
        request("/api/v1/lineage/batch", events_body(events[index : index + 100]))
        for index in range(0, len(events), 100)
    ]
    before = server.worker_seconds()
    started = time.perf_counter()
    answers, _ = post_all(server.port, bodies, 4)
    answers.check()
    server.wait_until_followed()
    followed = time.perf_counter() - started
    server.wait_until_found()
    found = time.perf_counter() - started
    spent = server.worker_seconds() - before
    return 1e6 * spent / DATASETS, DATASETS / followed, DATASETS / found


def measure_new_datasets(rounds: int) -> dict[str, dict[str, float]]:
    """Return, by what is told of new datasets, what they cost the worker, and how many a second are followed and found.

    The worker's time includes that for the index; followers go on while workers bring into it what is left to them.
    """
    figures: defaultdict[Told, list[tuple[float, float, float]]] = defaultdict(list)
    for _ in range(rounds):
        for told in TOLD:
            with temporary_folder() as folder, running_server(folder) as server:
                figures[told].append(_measured(server, told))
    return {
        told: {
            "us_per_event": round(min(spent for spent, _, _ in found), 1),
            "median_us_per_event": round(statistics.median(spent for spent, _, _ in found), 1),
            "followed_per_s": round(max(followed for _, followed, _ in found)),
            "found_per_s": round(max(indexed for _, _, indexed in found)),
        }
        for told, found in figures.items()
    }
