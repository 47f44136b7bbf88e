"""The steps of the flights example, run as their pipelines declare: what they report fits together."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalog.documents.pipeline import Pipeline, WhenAny, WhenDataset
from catalog.keys import DatasetKey
from catalog.openlineage.events import RunEvent
from tests.support.flights import Receiver, Step, copy_example, pipelines, receiver, run_step

WAREHOUSE = "duckdb://data/warehouse.duckdb"
JANUARY_FLIGHTS = 27_004  # R for Data Science, 2nd edition, section 3.2
LOAD, DBT, REPORT = "flights_load", "flights_dbt", "flights_report"


@dataclass(frozen=True)
class Example:
    """The example with January landed, built and reported."""

    folder: Path
    receiver: Receiver
    steps: dict[str, Step]


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    folder = copy_example(tmp_path_factory.mktemp("example"))
    declared = pipelines()
    with receiver() as events:
        steps = {LOAD: run_step(folder, declared[LOAD], events, "2013-01")}
        steps |= {name: run_step(folder, declared[name], events) for name in (DBT, REPORT)}
        yield Example(folder, events, steps)


def completed(step: Step) -> list[RunEvent]:
    return [event for event in step.events if event.event_type == "COMPLETE"]


def written(step: Step) -> set[DatasetKey]:
    return {dataset.key for event in completed(step) for dataset in event.outputs}


def read(step: Step) -> set[DatasetKey]:
    return {dataset.key for event in completed(step) for dataset in event.inputs}


def awaited(pipeline: Pipeline) -> set[DatasetKey]:
    match pipeline.spec.when:
        case WhenDataset(dataset=dataset):
            return {dataset.key}
        case WhenAny(children=children):
            return {child.dataset.key for child in children if isinstance(child, WhenDataset)}
        case other:
            raise AssertionError(f"expected a dataset or any of some, found {other}")


@pytest.mark.parametrize("name", [LOAD, DBT, REPORT])
def test_each_step_succeeds(january: Example, name: str) -> None:
    step = january.steps[name]
    assert step.exit_code == 0, step.output


def test_the_loader_lands_what_dbt_reads_under_the_same_names(january: Example) -> None:
    from_outside = read(january.steps[DBT]) - written(january.steps[DBT])
    assert from_outside == written(january.steps[LOAD])
    assert from_outside == awaited(pipelines()[DBT])


def test_the_report_reads_a_mart_that_dbt_reports_and_is_awaited_by_it(january: Example) -> None:
    assert read(january.steps[REPORT]) == {DatasetKey(WAREHOUSE, "warehouse.marts.carrier_performance")}
    assert read(january.steps[REPORT]) <= written(january.steps[DBT])
    assert read(january.steps[REPORT]) == awaited(pipelines()[REPORT])


@pytest.mark.parametrize("name", [LOAD, DBT, REPORT])
def test_a_pipeline_declares_what_its_step_writes(january: Example, name: str) -> None:
    assert written(january.steps[name]) == {dataset.key for dataset in pipelines()[name].spec.produces}


@pytest.mark.parametrize("name", [LOAD, DBT, REPORT])
def test_a_step_reports_the_declared_job_as_a_child_of_the_pipeline_run(january: Example, name: str) -> None:
    step = january.steps[name]
    first, last = step.events[0], step.events[-1]
    job = pipelines()[name].spec.job
    assert job is not None
    assert (first.event_type, last.event_type) == ("START", "COMPLETE")
    for event in (first, last):
        assert event.job == job.key
        assert event.run_id == first.run_id
        assert event.parent is not None
        assert event.parent.run.run_id == step.run_id
        assert event.parent.run.job == ("headwater", name)


def test_each_model_reports_as_a_child_of_dbt_under_the_root_that_started_all(january: Example) -> None:
    step = january.steps[DBT]
    models = [event for event in completed(step) if event.outputs]
    assert len(models) == len(written(step))
    for event in models:
        assert event.job.namespace == "flights"
        assert event.parent is not None
        assert event.parent.root is not None
        assert event.parent.run.run_id == step.events[0].run_id
        assert event.parent.root.run_id == step.run_id


def test_a_landed_month_is_a_partition_with_its_size_and_schema(january: Example) -> None:
    (event,) = completed(january.steps[LOAD])
    landed = {dataset.key.name: dataset for dataset in event.outputs}
    flights = landed["warehouse.raw.flights"]
    file = january.folder / "data" / "raw" / "flights" / "2013-01.parquet"
    assert (flights.partition, flights.row_count) == ("2013-01", JANUARY_FLIGHTS)
    assert (flights.byte_count, flights.file_count) == (file.stat().st_size, 1)
    assert landed["warehouse.raw.weather"].partition == "2013-01"
    assert landed["warehouse.raw.airlines"].partition is None
    assert all(dataset.schema is not None for dataset in event.outputs)
    assert {dataset.key.namespace for dataset in event.inputs} == {"nycflights13"}


def test_a_whole_table_that_did_not_change_keeps_its_version(january: Example) -> None:
    again = run_step(january.folder, pipelines()[LOAD], january.receiver, "2013-02")
    assert again.exit_code == 0, again.output
    (first,), (second,) = completed(january.steps[LOAD]), completed(again)
    before = {dataset.key.name: dataset.version for dataset in first.outputs}
    after = {dataset.key.name: dataset.version for dataset in second.outputs}
    assert before == after
    whole = {"warehouse.raw.airlines", "warehouse.raw.airports", "warehouse.raw.planes"}
    assert {name for name, version in after.items() if version is not None} == whole
    (january.folder / "data" / "raw" / "flights" / "2013-02.parquet").unlink()
    (january.folder / "data" / "raw" / "weather" / "2013-02.parquet").unlink()


def test_column_lineage_names_no_dataset_that_is_not_an_input(january: Example) -> None:
    columns = 0
    for body in january.steps[DBT].bodies:
        inputs = {(dataset["namespace"], dataset["name"]) for dataset in body["inputs"]}
        for output in body["outputs"]:
            for field in output["facets"]["columnLineage"]["fields"].values():
                origins = {(origin["namespace"], origin["name"]) for origin in field["inputFields"]}
                assert origins <= inputs
                columns += len(origins)
    assert columns > 50


def test_the_page_stands_alone_and_tells_of_the_landed_month(january: Example) -> None:
    page = (january.folder / "data" / "report" / "airline_delays.html").read_text(encoding="utf-8")
    assert f"{JANUARY_FLIGHTS:,}" in page
    assert "JetBlue Airways" in page
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    assert "$" not in page
    for reference in ("http://", "https://", "src=", "<link", "@import", "url("):
        assert reference not in page


def test_landing_a_month_again_replaces_it(january: Example) -> None:
    file = january.folder / "data" / "raw" / "flights" / "2013-01.parquet"
    before = file.stat()
    again = run_step(january.folder, pipelines()[LOAD], january.receiver, "2013-01")
    assert again.exit_code == 0, again.output
    assert written(again) == written(january.steps[LOAD])
    assert file.stat().st_ino != before.st_ino
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_month_without_flights_fails_and_lands_nothing(january: Example) -> None:
    step = run_step(january.folder, pipelines()[LOAD], january.receiver, "1999-01")
    assert step.exit_code == 1
    assert "expected rows of 1999-01 in flights.csv, found none" in step.output
    assert [event.event_type for event in step.events] == ["START", "FAIL"]
    assert step.events[-1].outputs == ()
    assert not list((january.folder / "data" / "raw").rglob("*1999*"))


def test_a_failed_test_of_dbt_fails_the_step_and_no_mart_behind_it_has_a_version(january: Example) -> None:
    flights = january.folder / "data" / "raw" / "flights"
    twice = flights / "2013-01-again.parquet"
    shutil.copy(flights / "2013-01.parquet", twice)
    try:
        step = run_step(january.folder, pipelines()[DBT], january.receiver)
    finally:
        twice.unlink()
    assert step.exit_code == 1
    assert "FAIL 27004 unique_stg_flights_flight_key" in step.output
    assert step.events[-1].event_type == "FAIL"
    assert DatasetKey(WAREHOUSE, "warehouse.staging.stg_flights") in written(step)
    assert not [dataset for dataset in written(step) if dataset.name.startswith("warehouse.marts.")]


def test_a_step_runs_by_hand_without_a_receiver(january: Example) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [january.folder / ".venv" / "bin" / "python", january.folder / "report.py"],
        cwd=january.folder.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "wrote data/report/airline_delays.html\n"), done.stderr


def test_a_step_fails_where_its_events_are_refused(january: Example) -> None:
    with receiver(status=400) as refusing:
        step = run_step(january.folder, pipelines()[REPORT], refusing)
    assert step.exit_code == 1
    assert "400" in step.output
