"""Law 2: repeating, reordering or re-chunking events yields the same observations, versions and runs."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.observations import (
    AliasObserved,
    DatasetObserved,
    JobObserved,
    ParentObserved,
    RenameObserved,
    ShapeObserved,
    decode_observed,
)
from tests.support.spine import T0, append, apply_fact, connect, fact_of_event, parked, state_follower

RUNS = [uuid.UUID(int=number) for number in range(1, 6)]
NAMES = ["a", "b", "c"]
TYPES = ["START", "RUNNING", "COMPLETE", "COMPLETE", "FAIL", "ABORT", "OTHER"]
TABLES = (
    "fact, fact_digest, observation, dataset, job, job_parent, shape, job_shape, dataset_alias, dataset_class, run,"
    " dataset_schema, dataset_version, version_maker, version_event, parked, document, command_result, column_lineage,"
    " facet_body, dataset_facet, job_facet, dataset_rename"
)


@st.composite
def datasets(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)):
        facets: dict[str, Any] = {}
        if draw(st.integers(0, 4)) == 0:
            other = draw(st.sampled_from([*NAMES, "t"]))
            facets["symlinks"] = {"identifiers": [{"namespace": "ns", "name": other, "type": "TABLE"}]}
        if draw(st.integers(0, 5)) == 0:
            facets["lifecycleStateChange"] = {
                "lifecycleStateChange": draw(st.sampled_from(["DROP", "CREATE", "RENAME"])),
                "previousIdentifier": {"namespace": "ns", "name": draw(st.sampled_from([*NAMES, "former"]))},
            }
        if draw(st.integers(0, 3)) == 0:
            facets["schema"] = {"fields": [{"name": draw(st.sampled_from(NAMES)), "type": "int"}]}
        if draw(st.integers(0, 5)) == 0:
            facets["version"] = {"datasetVersion": draw(st.sampled_from(["1", "2"]))}
        facets |= draw(described())
        found.append({"namespace": "ns", "name": name, "facets": facets})
    return found


@st.composite
def described(draw: st.DrawFn) -> dict[str, Any]:
    """Facets that say of what columns and datasets are made, and others; some are deleted."""
    facets: dict[str, Any] = {}
    field = {
        "namespace": "ns",
        "name": draw(st.sampled_from([*NAMES, "u"])),
        "field": draw(st.sampled_from("fg")),
    }
    if draw(st.integers(0, 3)) == 0:
        facets["columnLineage"] = {"fields": {draw(st.sampled_from("xy")): {"inputFields": [field]}}}
    if draw(st.integers(0, 5)) == 0:
        facets["lineage"] = {"inputs": [], "fields": {draw(st.sampled_from("xy")): {"inputs": [field]}}}
    if draw(st.integers(0, 3)) == 0:
        facets["tags"] = {"tags": [{"key": draw(st.sampled_from(["gold", "raw"]))}]}
    for name in list(facets):
        if draw(st.integers(0, 4)) == 0:
            facets[name] = {"_deleted": True}
    return facets


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["run"] * 8 + ["job", "dataset"]))
    time = (T0 + dt.timedelta(seconds=draw(st.integers(0, 5)))).isoformat()
    event: dict[str, Any] = {"eventTime": time, "producer": "https://example.com/test"}
    job = {"namespace": "ns", "name": draw(st.sampled_from(["j", "k"]))}
    if kind == "dataset":
        found = draw(datasets())
        return event | {"dataset": found[0] if found else {"namespace": "ns", "name": "a"}}
    if draw(st.integers(0, 3)) == 0:
        job["facets"] = {"sql": {"query": draw(st.sampled_from(["SELECT 1", "SELECT 2"]))}}
    event |= {"job": job, "inputs": draw(datasets()), "outputs": draw(datasets())}
    if kind == "job":
        return event
    run = draw(st.integers(0, 4))
    facets: dict[str, Any] = {}
    if run > 0 and draw(st.booleans()):
        # Parents have smaller numbers, so that no chain closes on itself.
        parent = RUNS[draw(st.integers(0, run - 1))]
        facets["parent"] = {"run": {"runId": str(parent)}, "job": {"namespace": "ns", "name": "parent"}}
    if draw(st.integers(0, 6)) == 0:
        facets["extractionError"] = {"totalTasks": 2, "failedTasks": 1, "errors": []}
    # A run's job is the same in each of its events.
    event["job"] = job | {"namespace": "ns", "name": "jk"[run % 2]}
    return event | {
        "eventType": draw(st.sampled_from(TYPES)),
        "run": {"runId": str(RUNS[run]), "facets": facets},
    }


def facets_of(owner: str) -> str:
    """Return the query for every facet of datasets or jobs with its row and what it says."""
    return (
        f"SELECT f.{owner}_id, f.orders::text, f.facets::text, e.key, b.body FROM {owner}_facet f"  # noqa: S608 - a name
        " CROSS JOIN jsonb_each(f.facets) e LEFT JOIN facet_body b ON b.digest = e.value->>1"
    )


def catalog_of(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Return everything that must be equal."""
    queries = {
        "datasets": "SELECT id, namespace, name FROM dataset",
        "jobs": "SELECT id, namespace, name, shape_at, shape_tiebreak, shape_hash FROM job",
        "parents": "SELECT * FROM job_parent",
        "points": "SELECT * FROM job_shape",
        "aliases": "SELECT dataset_id, alias_id, since FROM dataset_alias",
        "classes": "SELECT * FROM dataset_class",
        "renames": "SELECT * FROM dataset_rename",
        "runs": "SELECT id, job_id, state, started_at, ended_at, parent_run_id, root_run_id FROM run",
        "versions": "SELECT id, dataset_id, state, origin, time, event_time, run_id, lifecycle, schema_hash,"
        " row_count FROM dataset_version WHERE state <> 'withdrawn'",
        "facets of datasets": facets_of("dataset"),
        "facets of jobs": facets_of("job"),
    }
    found: dict[str, Any] = {
        name: set(connection.execute(query).fetchall()) for name, query in queries.items()
    }
    latest: dict[Any, Any] = {}
    for kind, body in connection.execute("SELECT kind, body FROM observation ORDER BY sequence"):
        observed = decode_observed(kind, body)
        match observed:
            case DatasetObserved(key) | JobObserved(key):
                latest[kind, key] = True
            case ShapeObserved(job, at, tiebreak, shape):
                latest[kind, job, at, tiebreak] = shape
            case ParentObserved(job, parent, since):
                latest[kind, job, parent] = since
            case AliasObserved(dataset, alias, _, since):
                latest[kind, dataset, alias] = since
            case RenameObserved(dataset, previous, since):
                latest[kind, dataset, previous] = since
    found["observations"] = {identity: value for identity, value in latest.items() if value is not None}
    return found


def hear(
    connection: psycopg.Connection[Any], told: list[dict[str, Any]], chunks: list[int], batch: int, scope: str
) -> dict[str, Any]:
    connection.execute(f"TRUNCATE {TABLES}")
    connection.execute("UPDATE follower SET position = 0")
    follower = state_follower(batch=batch)
    document = {
        "apiVersion": "headwater/v1",
        "kind": "VersionScope",
        "metadata": {"name": "scope", "owner": "team"},
        "spec": {"namespace": "ns", "scope": scope},
    }
    append(connection, [apply_fact(document)])
    rest = [fact_of_event(event) for event in told]
    for size in [*chunks, len(rest)]:
        if rest:
            append(connection, rest[: size or 1])
            rest = rest[size or 1 :]
        while follower.step(connection).taken:
            pass
    assert parked(connection) == []
    return catalog_of(connection)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with connect(database_url) as found:
        yield found


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    data=st.data(), told=st.lists(events(), min_size=1, max_size=8), scope=st.sampled_from(["run", "rootRun"])
)
def test_order_repetition_and_chunks_do_not_matter(
    connection: psycopg.Connection[Any], data: st.DataObject, told: list[dict[str, Any]], scope: str
) -> None:
    first = hear(connection, told, [], 1000, scope)
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=4))
    other = data.draw(st.permutations([*told, *repeated]))
    chunks = data.draw(st.lists(st.integers(1, 3), max_size=6))
    second = hear(connection, other, chunks, data.draw(st.integers(1, 4)), scope)
    for name, rows in first.items():
        assert rows == second[name], name
