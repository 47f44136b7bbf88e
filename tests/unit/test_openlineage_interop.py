from pathlib import Path
from typing import Any

import orjson
import pytest

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.events import DatasetEvent, RunEvent, parse_event
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.receive import receive_batch, receive_event
from catalog.openlineage.shape import Flow, Shape, shape_of
from tests.conftest import DATA
from tests.support.openlineage_events import LIMITS, RUN_ID, dataset, dataset_event, parsed, parsed_run

pytestmark = pytest.mark.interop

EVENTS = sorted((DATA / "openlineage" / "events").glob("*/*.json"))
FACETS = DATA / "openlineage" / "facet-tests"
WAREHOUSE = "hdfs://dataproc-producer-test-m"


def facet(path: str) -> dict[str, Any]:
    value = orjson.loads((FACETS / path).read_bytes())
    assert isinstance(value, dict)
    return value


def runs_of(folder: str) -> dict[JobKey, MergedRun]:
    runs: dict[JobKey, MergedRun] = {}
    for path in EVENTS:
        if path.parent.name.startswith(folder):
            event = event_in(path)
            runs[event.job] = runs.get(event.job, MergedRun()).merge_event(event)
    return runs


def event_in(path: Path) -> RunEvent:
    known = receive_event(path.read_bytes(), LIMITS)
    event = parse_event(known.body, known.digest)
    assert isinstance(event, RunEvent)
    return event


def test_all_49_events_are_heard_word_for_word() -> None:
    assert len(EVENTS) == 49
    for path in EVENTS:
        body = path.read_bytes()
        said = orjson.loads(body)

        known = receive_event(body, LIMITS)
        event = event_in(path)

        assert (known.body, known.redactions, event.notes) == (body, (), ())
        assert event.event_type == said["eventType"]
        assert event.job == (said["job"]["namespace"], said["job"]["name"])
        assert known.run_id_derived is (path.parent.name == "simple_run_event")
        assert [reference.key for reference in event.inputs] == [
            (d["namespace"], d["name"]) for d in said["inputs"]
        ]
        assert [reference.key for reference in event.outputs] == [
            (d["namespace"], d["name"]) for d in said["outputs"]
        ]
        parent = said["run"]["facets"].get("parent")
        assert (event.parent and str(event.parent.run.run_id)) == (parent and parent["run"]["runId"])


def test_all_events_in_one_batch_are_the_same_events() -> None:
    bodies = [path.read_bytes() for path in EVENTS]

    batch = receive_batch(b"[\n" + b",\n".join(bodies) + b"\n]", LIMITS)

    # The last byte of each file is no part of the event where it ends in a line break.
    assert batch == [receive_event(body.strip(), LIMITS) for body in bodies]


def test_what_spark_says_about_its_tables() -> None:
    runs = runs_of("spark")
    insert = runs[JobKey("default", "cl_i_test_application.execute_insert_into_hive_table.warehouse_t1")]
    create = runs[JobKey("default", "cl_i_test_application.execute_create_table_command.warehouse_t1")]
    copy = runs[JobKey("default", "cl_i_test_application.execute_insert_into_hive_table.warehouse_t2")]
    t1, t2 = (DatasetKey(WAREHOUSE, f"/user/hive/warehouse/{name}") for name in ("t1", "t2"))

    assert (insert.state, insert.started_at is not None) == ("COMPLETE", True)
    # Only a RUNNING event in the middle counts the rows.
    assert (insert.outputs[t1].row_count, insert.outputs[t1].byte_count) == (2, 8)
    assert [alias.key for alias in insert.outputs[t1].aliases] == [
        ("hive://dataproc-producer-test-m:9083", "default.t1")
    ]
    assert (insert.outputs[t1].lifecycle, create.outputs[t1].lifecycle) == (None, "CREATE")
    assert shape_of(copy) == Shape((t1,), (t2,), None)


def test_what_airflow_says_about_its_files() -> None:
    runs = runs_of("airflow")
    shape = shape_of(runs[JobKey("airflow", "gcs_hook.compose_task")])

    assert shape is not None
    assert len(shape.inputs) == 4
    assert shape.outputs == (DatasetKey("gs://mock-bucket", "compose_result.txt"),)
    assert {run.state for run in runs.values()} == {"COMPLETE"}
    assert shape_of(runs[JobKey("airflow", "BQ")]) is None


def test_the_full_example_is_a_run_with_a_stray_dataset() -> None:
    assert receive_event((FACETS / "example_full_event.json").read_bytes(), LIMITS).kind == "run"


STAGING, CUSTOMERS, SUMMARY, EXTRACTED = (
    DatasetKey("postgresql://warehouse:5432", f"public.{name}")
    for name in ("staging_orders", "customers", "daily_summary", "extracted_data")
)
EXTRACT, TRANSFORM, LOAD = (
    JobKey("airflow://production", f"daily.{name}") for name in ("extract", "transform", "load")
)


@pytest.mark.parametrize(
    ("name", "flow"),
    [
        ("dataset-to-job", Flow((), (STAGING,), (LOAD,), ())),
        ("job-to-dataset", Flow((SUMMARY,), (), (), (EXTRACT,))),
        ("job-to-job", Flow((), (), (LOAD,), (TRANSFORM,))),
        ("generator", Flow((EXTRACTED,), ())),
    ],
)
def test_lineage_facets_of_a_job(name: str, flow: Flow) -> None:
    job = {"namespace": "scheduler", "name": "job", "facets": facet(f"LineageFacet/{name}.json")}
    event = parsed_run(job=job)
    shape = shape_of(MergedRun.of(event), partial=True)

    assert event.notes == ()
    assert shape is not None
    assert shape.flows == (flow,)


def test_the_lineage_facet_of_a_dataset() -> None:
    target = dataset("t", facets=facet("LineageFacet/dataset-to-dataset.json"))
    shape = shape_of(MergedRun.of(parsed_run(inputs=[dataset("a")], outputs=[target])))
    static = parsed(dataset_event(dataset=target))

    assert shape is not None
    assert shape.flows == (Flow((DatasetKey("db", "t"),), (CUSTOMERS,)),)
    assert isinstance(static, DatasetEvent)
    assert static.dataset.lineage is not None
    assert static.dataset.lineage.datasets == (CUSTOMERS,)


@pytest.mark.parametrize("path", sorted(FACETS.glob("*/*.json")), ids=lambda path: "/".join(path.parts[-2:]))
def test_no_published_facet_is_found_sloppy(path: Path) -> None:
    facets = orjson.loads(path.read_bytes())
    event = parsed_run(
        run={"runId": RUN_ID, "facets": facets if "Run" in path.parent.name else {}},
        job={"namespace": "s", "name": "j", "facets": facets if "Job" in path.parent.name else {}},
        inputs=[dataset("a", inputFacets=facets)],
        outputs=[dataset("b", facets=facets if "Dataset" in path.parent.name else {}, outputFacets=facets)],
    )

    assert event.notes == ()
