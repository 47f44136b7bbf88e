"""Real events of real producers: what the catalog makes of them equals what their scenarios and the events say."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from catalog.follower import Follower
from graph.following import GraphLog
from graph.model import EdgeKind
from graph.postgresql.store import PostgresqlGraph
from graph.steps import transformations_of
from tests.support.spine import append, apply_fact, connect, fact_of_event, follow, parked, pipeline_body
from tests.support.web import ledger, running_web

pytestmark = pytest.mark.interop

NamedEdge = tuple[EdgeKind, str, str]


@dataclass(frozen=True)
class Golden:
    """What the catalog makes of the events of one folder; names without their namespace where they are clear."""

    folder: str
    events: int
    jobs: set[tuple[str, str]]
    datasets: set[tuple[str, str]]
    #: Edges that hold at the end: kind, origin, destination.
    edges: set[NamedEdge]
    #: Dataset, life-cycle change, state and origin of each version, by dataset and time.
    versions: list[tuple[str, str | None, str, str]]
    #: The members of each class of datasets that are one.
    classes: list[list[tuple[str, str]]]
    #: Job and state of each run, and the job of its root run.
    runs: list[tuple[str, str, str]]


def reads(job: str, *datasets: str) -> set[NamedEdge]:
    return {(EdgeKind.CONSUMES, dataset, job) for dataset in datasets}


def writes(job: str, *datasets: str) -> set[NamedEdge]:
    return {(EdgeKind.PRODUCES, job, dataset) for dataset in datasets}


def within(parent: str, *jobs: str) -> set[NamedEdge]:
    return {(EdgeKind.PARENT, job, parent) for job in jobs}


def published(dataset: str, change: str | None = None) -> tuple[str, str | None, str, str]:
    return (dataset, change, "published", "run")


TASKS = {
    "BQ": ["BQ.copy", "BQ.download", "BQ.upload"],
    "dag": ["dag.task_0"],
    "gcs_hook": [
        "gcs_hook.compose_task",
        "gcs_hook.copy_task",
        "gcs_hook.delete",
        "gcs_hook.download_to_data",
        "gcs_hook.download_to_file",
        "gcs_hook.rewrite_task",
        "gcs_hook.upload_for_deletion",
        "gcs_hook.upload_from_data",
        "gcs_hook.upload_from_file",
    ],
}
BUCKET = "gs://mock-bucket"
UPLOAD, UPLOAD_COPY = "mock-project.test.upload", "mock-project.test.upload_cp"

AIRFLOW = Golden(
    folder="airflow",
    events=32,
    jobs={("airflow", job) for dag, tasks in TASKS.items() for job in (dag, *tasks)},
    datasets={
        ("bigquery", UPLOAD),
        ("bigquery", UPLOAD_COPY),
        (BUCKET, "copied.csv"),
        (BUCKET, "test.csv"),
        (BUCKET, "result.csv"),
        (BUCKET, "uploaded_file.txt"),
        (BUCKET, "copy_of_uploaded_file.txt"),
        (BUCKET, "uploaded_data.txt"),
        (BUCKET, "copy_of_uploaded_data.txt"),
        (BUCKET, "to_be_deleted.txt"),
        (BUCKET, "compose_result.txt"),
        ("file", "/files/temp/data.txt"),
        ("file", "/files/temp/downloaded_file.txt"),
    },
    edges={
        *(edge for dag, tasks in TASKS.items() for edge in within(dag, *tasks)),
        *reads("BQ.upload", "copied.csv", "test.csv"),
        *writes("BQ.upload", UPLOAD),
        *reads("BQ.copy", UPLOAD),
        *writes("BQ.copy", UPLOAD_COPY),
        *reads("BQ.download", UPLOAD_COPY),
        *writes("BQ.download", "result.csv"),
        *reads("gcs_hook.upload_from_file", "/files/temp/data.txt"),
        *writes("gcs_hook.upload_from_file", "uploaded_file.txt"),
        *writes("gcs_hook.upload_for_deletion", "to_be_deleted.txt"),
        *reads("gcs_hook.delete", "to_be_deleted.txt"),
        *writes("gcs_hook.upload_from_data", "uploaded_data.txt"),
        *reads("gcs_hook.rewrite_task", "uploaded_file.txt"),
        *writes("gcs_hook.rewrite_task", "copy_of_uploaded_file.txt"),
        *reads("gcs_hook.copy_task", "uploaded_data.txt"),
        *writes("gcs_hook.copy_task", "copy_of_uploaded_data.txt"),
        *reads("gcs_hook.download_to_file", "uploaded_file.txt"),
        *writes("gcs_hook.download_to_file", "/files/temp/downloaded_file.txt"),
        *reads("gcs_hook.download_to_data", "uploaded_data.txt"),
        *reads("gcs_hook.compose_task", "uploaded_file.txt", "uploaded_data.txt"),
        *reads("gcs_hook.compose_task", "copy_of_uploaded_file.txt", "copy_of_uploaded_data.txt"),
        *writes("gcs_hook.compose_task", "compose_result.txt"),
    },
    versions=[
        published("/files/temp/downloaded_file.txt"),
        published("compose_result.txt"),
        published("copy_of_uploaded_data.txt"),
        published("copy_of_uploaded_file.txt"),
        published(UPLOAD),
        published(UPLOAD_COPY),
        published("result.csv"),
        published("to_be_deleted.txt"),
        published("uploaded_data.txt"),
        published("uploaded_file.txt"),
    ],
    classes=[],
    runs=sorted((job, "COMPLETE", dag) for dag, tasks in TASKS.items() for job in (dag, *tasks)),
)

SIMPLE = Golden(
    folder="simple_run_event",
    events=1,
    jobs={("job_namespace", "job_name")},
    datasets={("bigquery", "test.table.input"), ("bigquery", "test.table.output")},
    edges={*reads("job_name", "test.table.input"), *writes("job_name", "test.table.output")},
    versions=[published("test.table.output")],
    classes=[],
    runs=[("job_name", "COMPLETE", "job_name")],
)

HDFS, HIVE = "hdfs://dataproc-producer-test-m", "hive://dataproc-producer-test-m:9083"
T1, T2 = "/user/hive/warehouse/t1", "/user/hive/warehouse/t2"
APPLICATION = "cl_i_test_application"
DROP = f"{APPLICATION}.drop_table"
CREATE_T1 = f"{APPLICATION}.execute_create_table_command.warehouse_t1"
CREATE_T2 = f"{APPLICATION}.execute_create_hive_table_as_select_command.default_t2"
INSERT_T1 = f"{APPLICATION}.execute_insert_into_hive_table.warehouse_t1"
INSERT_T2 = f"{APPLICATION}.execute_insert_into_hive_table.warehouse_t2"

SPARK = Golden(
    folder="spark_dataproc_simple_producer_test_complete",
    events=16,
    jobs={("default", job) for job in (APPLICATION, DROP, CREATE_T1, CREATE_T2, INSERT_T1, INSERT_T2)},
    datasets={
        (HDFS, T1),
        (HDFS, T2),
        *(
            (namespace, name)
            for namespace in (f"{HDFS}/user/hive/warehouse", HIVE)
            for name in ("default.t1", "default.t2")
        ),
    },
    edges={
        *within(APPLICATION, DROP, CREATE_T1, CREATE_T2, INSERT_T1, INSERT_T2),
        # It dropped t1 first and t2 last, and its shape is that of its last run.
        *writes(DROP, T2),
        *writes(CREATE_T1, T1),
        *writes(CREATE_T2, T2),
        *writes(INSERT_T1, T1),
        *reads(INSERT_T2, T1),
        *writes(INSERT_T2, T2),
        # By path and by metastore, under one name each.
        (EdgeKind.ALIAS, T1, "default.t1"),
        (EdgeKind.ALIAS, T2, "default.t2"),
    },
    # DROP makes no version; CREATE and INSERT make one each.
    versions=[published(T1, "CREATE"), published(T1), published(T2), published(T2, "CREATE")],
    classes=[
        [(HDFS, path), (f"{HDFS}/user/hive/warehouse", table), (HIVE, table)]
        for path, table in ((T1, "default.t1"), (T2, "default.t2"))
    ],
    # Every step belongs to the one application run; two of them dropped a table.
    runs=sorted(
        (job, "COMPLETE", APPLICATION)
        for job in (APPLICATION, DROP, DROP, CREATE_T1, CREATE_T2, INSERT_T1, INSERT_T2)
    ),
)

ALL = (AIRFLOW, SPARK, SIMPLE)
EVENTS = 49

each_folder = pytest.mark.parametrize("golden", ALL, ids=lambda golden: golden.folder)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with connect(database_url) as found:
        yield found


def events_of(interop_data: Path, golden: Golden) -> list[dict[str, Any]]:
    def number(path: Path) -> int:
        return int(re.sub(r"\D", "", path.stem) or 0)

    folder = interop_data / "openlineage" / "events" / golden.folder
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"), key=number)]


def hear(connection: psycopg.Connection, events: list[dict[str, Any]]) -> None:
    for event in events:
        append(connection, [fact_of_event(event)])
    follow(connection)
    follow(connection, Follower(GraphLog(), batch=1000, holder="test"))
    assert parked(connection) == []


@each_folder
def test_jobs_and_datasets(connection: psycopg.Connection, interop_data: Path, golden: Golden) -> None:
    hear(connection, events_of(interop_data, golden))

    assert set(connection.execute("SELECT namespace, name FROM job").fetchall()) == golden.jobs
    assert set(connection.execute("SELECT namespace, name FROM dataset").fetchall()) == golden.datasets


@each_folder
def test_edges(connection: psycopg.Connection, engine: Engine, interop_data: Path, golden: Golden) -> None:
    hear(connection, events_of(interop_data, golden))

    edges = list(PostgresqlGraph(engine).edges())
    held = {
        (edge.kind, edge.origin.node.name, edge.destination.node.name)
        for edge in edges
        if edge.span.end is None and edge.kind not in (EdgeKind.DERIVES, EdgeKind.COLUMNS)
    }
    assert held == golden.edges
    ends = {edge.origin.node for edge in edges} | {edge.destination.node for edge in edges}
    assert {(node.namespace, node.name) for node in ends} <= golden.jobs | golden.datasets


@each_folder
def test_columns(connection: psycopg.Connection, engine: Engine, interop_data: Path, golden: Golden) -> None:
    events = events_of(interop_data, golden)
    hear(connection, events)

    told = set()
    for output in (output for event in events for output in event.get("outputs", [])):
        lineage = output.get("facets", {}).get("columnLineage", {"fields": {}})
        for field, made in lineage["fields"].items():
            for source in made["inputFields"]:
                # Older producers say for the whole field how it is made.
                how = [each["subtype"] for each in source.get("transformations", [])] or [
                    made["transformationType"]
                ]
                told.add((source["name"], source["field"], output["name"], field, *how))
    assert len(told) == {AIRFLOW.folder: 16, SPARK.folder: 2, SIMPLE.folder: 0}[golden.folder]
    held = {
        (
            edge.origin.node.name,
            edge.origin.node.field,
            edge.destination.node.name,
            edge.destination.node.field,
            *(each.subtype for each in transformations_of(edge.type)),
        )
        for edge in PostgresqlGraph(engine).edges()
        if edge.kind is EdgeKind.DERIVES and edge.span.end is None
    }
    assert held == told


@each_folder
def test_versions(connection: psycopg.Connection, interop_data: Path, golden: Golden) -> None:
    hear(connection, events_of(interop_data, golden))

    versions = connection.execute(
        "SELECT d.name, v.lifecycle, v.state, v.origin FROM dataset_version v"
        ' JOIN dataset d ON d.id = v.dataset_id ORDER BY d.name COLLATE "C", v.time'
    ).fetchall()
    assert versions == golden.versions


@each_folder
def test_aliases(connection: psycopg.Connection, interop_data: Path, golden: Golden) -> None:
    hear(connection, events_of(interop_data, golden))

    classes: dict[Any, list[tuple[str, str]]] = {}
    for class_id, namespace, name in connection.execute(
        "SELECT c.class_id, d.namespace, d.name FROM dataset_class c JOIN dataset d ON d.id = c.dataset_id"
    ).fetchall():
        classes.setdefault(class_id, []).append((namespace, name))
    assert sorted(sorted(members) for members in classes.values()) == golden.classes


@each_folder
def test_run_states(connection: psycopg.Connection, interop_data: Path, golden: Golden) -> None:
    hear(connection, events_of(interop_data, golden))

    runs = connection.execute(
        "SELECT j.name, r.state, rj.name FROM run r JOIN job j ON j.id = r.job_id"
        " JOIN run root ON root.id = r.root_run_id JOIN job rj ON rj.id = root.job_id"
    ).fetchall()
    assert sorted(runs) == golden.runs


def test_a_run_id_that_is_no_uuid_is_named_by_one(connection: psycopg.Connection, interop_data: Path) -> None:
    hear(connection, events_of(interop_data, SIMPLE))

    assert connection.execute("SELECT substr(id::text, 15, 1) FROM run").fetchall() == [("5",)]


def test_the_edge_of_a_shape_that_a_job_no_longer_has_is_ended(
    connection: psycopg.Connection, engine: Engine, interop_data: Path
) -> None:
    hear(connection, events_of(interop_data, SPARK))

    ended = [edge for edge in PostgresqlGraph(engine).edges() if edge.span.end is not None]
    assert [(edge.origin.node.name, edge.destination.node.name) for edge in ended] == [(DROP, T1)]


def test_the_same_events_again_change_nothing(connection: psycopg.Connection, interop_data: Path) -> None:
    counts = "SELECT (SELECT count(*) FROM fact), count(*), max(sequence) FROM observation"
    events = [event for golden in ALL for event in events_of(interop_data, golden)]
    assert len(events) == EVENTS
    hear(connection, events)
    before = connection.execute(counts).fetchone()
    assert before is not None
    assert before[0] == EVENTS

    hear(connection, events)
    assert connection.execute(counts).fetchone() == before


def test_all_events_go_in_as_one_batch(database_url: str, tmp_path: Path, interop_data: Path) -> None:
    batches = [events_of(interop_data, golden) for golden in ALL]
    assert [len(batch) for batch in batches] == [golden.events for golden in ALL]
    events = [event for batch in batches for event in batch]

    async def post() -> dict[str, Any]:
        async with running_web(database_url, tmp_path) as web:
            response = await web.client.post("/api/v1/lineage/batch", json=events)
            assert response.status_code == 200
            answer: dict[str, Any] = response.json()
            return answer

    answer = asyncio.run(post())
    assert (answer["status"], answer["summary"]) == (
        "success",
        {"received": EVENTS, "successful": EVENTS, "failed": 0, "retriable": 0, "non_retriable": 0},
    )
    assert [kind for _, kind, _ in ledger(database_url)] == ["openlineage.run"] * EVENTS


def when_of(key: tuple[str, str]) -> dict[str, Any]:
    return {"dataset": {"namespace": key[0], "name": key[1]}}


def test_spark_starts_a_pipeline_on_the_table_name_for_each_run_that_wrote_it(
    connection: psycopg.Connection, interop_data: Path
) -> None:
    append(connection, [apply_fact(pipeline_body("on_table", when_of((HIVE, "default.t1")), concurrency=10))])
    hear(connection, events_of(interop_data, SPARK))
    # Events speak of the path; the table is its symlink. CREATE and INSERT each make the pipeline due.
    rows = connection.execute(
        "SELECT r.number, v.lifecycle FROM pipeline_run r JOIN consumption c ON c.run_id = r.id"
        " JOIN dataset_version v ON v.id = c.version_id ORDER BY r.number"
    ).fetchall()
    assert rows == [(1, "CREATE"), (2, None)]


def test_spark_starts_a_pipeline_on_the_table_name_once_when_the_root_run_ends(
    connection: psycopg.Connection, interop_data: Path
) -> None:
    scope = {
        "apiVersion": "headwater/v1",
        "kind": "VersionScope",
        "metadata": {"name": "spark", "owner": "team"},
        "spec": {"namespace": "default", "scope": "rootRun"},
    }
    append(
        connection,
        [apply_fact(scope, pipeline_body("on_table", when_of((HIVE, "default.t1")), concurrency=10))],
    )
    events = events_of(interop_data, SPARK)
    for event in events[:-1]:
        append(connection, [fact_of_event(event)])
    follow(connection)
    # Three steps have written the table, but the application has not ended.
    assert connection.execute("SELECT count(*) FROM pipeline_run").fetchone() == (0,)
    append(connection, [fact_of_event(events[-1])])
    follow(connection)
    assert parked(connection) == []
    rows = connection.execute(
        "SELECT r.number, v.origin, v.run_id::text FROM pipeline_run r JOIN consumption c ON c.run_id = r.id"
        " JOIN dataset_version v ON v.id = c.version_id"
    ).fetchall()
    assert rows == [(1, "rootRun", "019299c5-12f5-7946-b5b2-c6abab662e20")]
    assert connection.execute("SELECT count(*) FROM dataset_version").fetchone() == (2,)
