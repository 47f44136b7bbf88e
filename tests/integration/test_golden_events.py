"""Real events of real producers: what the catalog makes of them equals what their scenarios and the events say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.observations import decode_observed
from tests.support.spine import append, apply_fact, connect, fact_of_event, follow, parked, pipeline_body

pytestmark = pytest.mark.interop

SPARK = "spark_dataproc_simple_producer_test_complete"
T1_PATH = ("hdfs://dataproc-producer-test-m", "/user/hive/warehouse/t1")
T1_TABLE = ("hive://dataproc-producer-test-m:9083", "default.t1")
T2_PATH = ("hdfs://dataproc-producer-test-m", "/user/hive/warehouse/t2")


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with connect(database_url) as found:
        yield found


def events_of(folder: Path) -> list[dict[str, Any]]:
    def number(path: Path) -> int:
        return int(re.sub(r"\D", "", path.stem) or 0)

    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"), key=number)]


def hear(connection: psycopg.Connection, folder: Path) -> int:
    events = events_of(folder)
    for event in events:
        append(connection, [fact_of_event(event)])
    follow(connection)
    assert parked(connection) == []
    return len(events)


def names(connection: psycopg.Connection, table: str) -> set[tuple[str, str]]:
    query = {"dataset": "SELECT namespace, name FROM dataset", "job": "SELECT namespace, name FROM job"}[
        table
    ]
    return set(connection.execute(query).fetchall())


def current_edges(connection: psycopg.Connection) -> set[tuple[str, str, str]]:
    """Return (job, direction, dataset name) of the latest shape of each job."""
    latest: dict[Any, Any] = {}
    for kind, body in connection.execute("SELECT kind, body FROM observation ORDER BY sequence"):
        if kind == "shape":
            observed = decode_observed(kind, body)
            key = (observed.at, observed.tiebreak)
            if observed.job not in latest or key >= latest[observed.job][0]:
                latest[observed.job] = (key, observed.shape)
    edges = set()
    for job, (_, shape) in latest.items():
        edges |= {(job.name, "reads", key.name) for key in shape.inputs}
        edges |= {(job.name, "writes", key.name) for key in shape.outputs}
    return edges


def test_all_events_go_in(connection: psycopg.Connection, interop_data: Path) -> None:
    counts = {
        folder: hear(connection, interop_data / "openlineage" / "events" / folder)
        for folder in ("airflow", SPARK, "simple_run_event")
    }
    assert counts == {"airflow": 32, SPARK: 16, "simple_run_event": 1}
    assert connection.execute("SELECT count(*) FROM fact").fetchone() == (49,)
    # Again: every event is a duplicate, and nothing changes.
    before = connection.execute("SELECT count(*), max(sequence) FROM observation").fetchone()
    for folder in counts:
        hear(connection, interop_data / "openlineage" / "events" / folder)
    assert connection.execute("SELECT count(*) FROM fact").fetchone() == (49,)
    assert connection.execute("SELECT count(*), max(sequence) FROM observation").fetchone() == before


def test_airflow(connection: psycopg.Connection, interop_data: Path) -> None:
    hear(connection, interop_data / "openlineage" / "events" / "airflow")
    tasks = {
        "BQ": {"upload", "copy", "download"},
        "dag": {"task_0"},
        "gcs_hook": {
            "upload_for_deletion",
            "upload_from_file",
            "delete",
            "upload_from_data",
            "rewrite_task",
            "copy_task",
            "download_to_file",
            "download_to_data",
            "compose_task",
        },
    }
    expected_jobs = {("airflow", dag) for dag in tasks}
    expected_jobs |= {("airflow", f"{dag}.{task}") for dag, found in tasks.items() for task in found}
    assert names(connection, "job") == expected_jobs
    bucket = "gs://mock-bucket"
    assert names(connection, "dataset") == {
        ("bigquery", "mock-project.test.upload"),
        ("bigquery", "mock-project.test.upload_cp"),
        (bucket, "copied.csv"),
        (bucket, "test.csv"),
        (bucket, "result.csv"),
        (bucket, "uploaded_file.txt"),
        (bucket, "copy_of_uploaded_file.txt"),
        (bucket, "uploaded_data.txt"),
        (bucket, "copy_of_uploaded_data.txt"),
        (bucket, "to_be_deleted.txt"),
        (bucket, "compose_result.txt"),
        ("file", "/files/temp/data.txt"),
        ("file", "/files/temp/downloaded_file.txt"),
    }
    assert current_edges(connection) == {
        ("BQ.upload", "reads", "copied.csv"),
        ("BQ.upload", "reads", "test.csv"),
        ("BQ.upload", "writes", "mock-project.test.upload"),
        ("BQ.copy", "reads", "mock-project.test.upload"),
        ("BQ.copy", "writes", "mock-project.test.upload_cp"),
        ("BQ.download", "reads", "mock-project.test.upload_cp"),
        ("BQ.download", "writes", "result.csv"),
        ("gcs_hook.upload_from_file", "reads", "/files/temp/data.txt"),
        ("gcs_hook.upload_from_file", "writes", "uploaded_file.txt"),
        ("gcs_hook.upload_for_deletion", "writes", "to_be_deleted.txt"),
        ("gcs_hook.delete", "reads", "to_be_deleted.txt"),
        ("gcs_hook.upload_from_data", "writes", "uploaded_data.txt"),
        ("gcs_hook.rewrite_task", "reads", "uploaded_file.txt"),
        ("gcs_hook.rewrite_task", "writes", "copy_of_uploaded_file.txt"),
        ("gcs_hook.copy_task", "reads", "uploaded_data.txt"),
        ("gcs_hook.copy_task", "writes", "copy_of_uploaded_data.txt"),
        ("gcs_hook.download_to_file", "reads", "uploaded_file.txt"),
        ("gcs_hook.download_to_file", "writes", "/files/temp/downloaded_file.txt"),
        ("gcs_hook.download_to_data", "reads", "uploaded_data.txt"),
        ("gcs_hook.compose_task", "reads", "uploaded_file.txt"),
        ("gcs_hook.compose_task", "reads", "uploaded_data.txt"),
        ("gcs_hook.compose_task", "reads", "copy_of_uploaded_data.txt"),
        ("gcs_hook.compose_task", "reads", "copy_of_uploaded_file.txt"),
        ("gcs_hook.compose_task", "writes", "compose_result.txt"),
    }
    # One version of each output, all published; every run completed within its DAG run.
    versions = connection.execute(
        "SELECT count(*), count(DISTINCT dataset_id) FROM dataset_version"
    ).fetchone()
    assert versions == (10, 10)
    states = connection.execute("SELECT DISTINCT state FROM run").fetchall()
    assert states == [("COMPLETE",)]
    roots = connection.execute("SELECT count(*) FROM run WHERE root_run_id = id").fetchone()
    assert roots == (3,)


def test_simple_run_event(connection: psycopg.Connection, interop_data: Path) -> None:
    hear(connection, interop_data / "openlineage" / "events" / "simple_run_event")
    assert names(connection, "dataset") == {
        ("bigquery", "test.table.input"),
        ("bigquery", "test.table.output"),
    }
    assert current_edges(connection) == {
        ("job_name", "reads", "test.table.input"),
        ("job_name", "writes", "test.table.output"),
    }
    # Its run id is no UUID, so the run has one made from its name.
    assert connection.execute("SELECT state, substr(id::text, 15, 1) FROM run").fetchall() == [
        ("COMPLETE", "5")
    ]


def test_spark_aliases_and_versions(connection: psycopg.Connection, interop_data: Path) -> None:
    hear(connection, interop_data / "openlineage" / "events" / SPARK)
    members = connection.execute(
        "SELECT array_agg(d.namespace || ' ' || d.name ORDER BY d.namespace, d.name) FROM dataset_class c"
        " JOIN dataset d ON d.id = c.dataset_id GROUP BY c.class_id ORDER BY 1"
    ).fetchall()
    hdfs = "hdfs://dataproc-producer-test-m"
    hive = "hive://dataproc-producer-test-m:9083"
    assert members == [
        (
            [
                f"{hdfs} /user/hive/warehouse/{table}",
                f"{hdfs}/user/hive/warehouse default.{table}",
                f"{hive} default.{table}",
            ],
        )
        for table in ("t1", "t2")
    ]
    # DROP makes no version; CREATE and INSERT make one each, of both tables.
    versions = connection.execute(
        "SELECT d.name, v.lifecycle, v.state FROM dataset_version v JOIN dataset d ON d.id = v.dataset_id"
        " ORDER BY d.name, v.time"
    ).fetchall()
    assert versions == [
        ("/user/hive/warehouse/t1", "CREATE", "published"),
        ("/user/hive/warehouse/t1", None, "published"),
        ("/user/hive/warehouse/t2", None, "published"),
        ("/user/hive/warehouse/t2", "CREATE", "published"),
    ]
    # Every step belongs to the one application run.
    assert connection.execute("SELECT count(DISTINCT root_run_id), count(*) FROM run").fetchone() == (1, 7)


def when_of(key: tuple[str, str]) -> dict[str, Any]:
    return {"dataset": {"namespace": key[0], "name": key[1]}}


def test_spark_starts_a_pipeline_on_the_table_name_for_each_run_that_wrote_it(
    connection: psycopg.Connection, interop_data: Path
) -> None:
    append(connection, [apply_fact(pipeline_body("on_table", when_of(T1_TABLE), concurrency=10))])
    hear(connection, interop_data / "openlineage" / "events" / SPARK)
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
    append(connection, [apply_fact(scope, pipeline_body("on_table", when_of(T1_TABLE), concurrency=10))])
    events = events_of(interop_data / "openlineage" / "events" / SPARK)
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
