"""Realistic events: START and COMPLETE pairs of 1,000 jobs in a layered graph, about 3 KB each."""

import datetime as dt
import random
import uuid
from typing import Any

JOBS = 1_000
LAYERS = 10
FIELDS = 10
NAMESPACE = "warehouse"
PRODUCER = "https://example.com/benchmark"
SPEC = "https://openlineage.io/spec"


def _facet(name: str, **values: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/facets/1-0-0/{name}.json", **values}


def _fields(dataset: int) -> list[dict[str, str]]:
    return [{"name": f"column_{dataset % 7}_{index}", "type": "VARCHAR"} for index in range(FIELDS)]


def dataset_name(number: int) -> str:
    """Return the name of the dataset that a job of this number writes."""
    return f"layer_{number // (JOBS // LAYERS)}.table_{number}"


def _inputs(job: int) -> list[int]:
    layer = job // (JOBS // LAYERS)
    if layer == 0:
        return []
    width = JOBS // LAYERS
    chooser = random.Random(job)
    return sorted({(layer - 1) * width + chooser.randrange(width) for _ in range(2)})


def pair(number: int, at: dt.datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the START and the COMPLETE of one run of job `number % JOBS`."""
    job = number % JOBS
    run = str(uuid.uuid4())
    parent = {
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"dag/{number // JOBS}"))},
        "job": {"namespace": NAMESPACE, "name": "nightly"},
    }
    base = {
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run, "facets": {"parent": _facet("ParentRunFacet", **parent)}},
        "job": {"namespace": NAMESPACE, "name": f"nightly.job_{job}"},
    }
    inputs = [
        {
            "namespace": NAMESPACE,
            "name": dataset_name(found),
            "facets": {"schema": _facet("SchemaDatasetFacet", fields=_fields(found))},
        }
        for found in _inputs(job)
    ]
    lineage = {
        field["name"]: {
            "inputFields": [
                {"namespace": NAMESPACE, "name": dataset_name(found), "field": _fields(found)[index]["name"]}
                for found in _inputs(job)[:1]
            ]
        }
        for index, field in enumerate(_fields(job))
    }
    output = {
        "namespace": NAMESPACE,
        "name": dataset_name(job),
        "facets": {
            "schema": _facet("SchemaDatasetFacet", fields=_fields(job)),
            "columnLineage": _facet("ColumnLineageDatasetFacet", fields=lineage),
        },
        "outputFacets": {
            "outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", rowCount=number, size=1)
        },
    }
    start = {"eventType": "START", "eventTime": at.isoformat(), **base, "inputs": inputs, "outputs": []}
    complete = {
        "eventType": "COMPLETE",
        "eventTime": (at + dt.timedelta(seconds=1)).isoformat(),
        **base,
        "inputs": inputs,
        "outputs": [output],
    }
    return start, complete


def complete_event(dataset: str, *, namespace: str = "benchmark") -> dict[str, Any]:
    """Return a small COMPLETE that writes one dataset."""
    return {
        "eventType": "COMPLETE",
        "eventTime": dt.datetime.now(dt.UTC).isoformat(),
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(uuid.uuid4())},
        "job": {"namespace": namespace, "name": f"write_{dataset}"},
        "inputs": [],
        "outputs": [{"namespace": namespace, "name": dataset}],
    }
