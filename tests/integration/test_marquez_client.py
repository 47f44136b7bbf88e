"""Marquez's own Python client, unchanged, against `headwater serve` and real events."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from marquez_client import MarquezClient
from marquez_client.errors import APIError

from tests.support.command_line import clean_environment, running_process
from tests.support.graphql import heard
from tests.support.marquez import golden_events
from tests.support.spine import fact_of_event

pytestmark = pytest.mark.interop

SPARK = "hdfs://dataproc-producer-test-m"


@pytest.fixture
def client(database_url: str, tmp_path: Path, interop_data: Path) -> Iterator[MarquezClient]:
    """The client of a server that has heard the events."""
    heard(database_url, map(fact_of_event, golden_events(interop_data)))
    environment = clean_environment(tmp_path, HEADWATER_DATABASE_URL=database_url)
    with running_process(["serve", "--port", "0"], environment, tmp_path / "serve.log") as ready:
        yield MarquezClient(url=ready.split()[1])


def test_the_client_reads_everything(client: MarquezClient) -> None:
    namespaces = [each["name"] for each in client.list_namespaces()["namespaces"]]
    assert SPARK in namespaces
    assert "gs://mock-bucket" in namespaces
    assert client.get_namespace(SPARK)["name"] == SPARK
    sources = [each["name"] for each in client.list_sources()["sources"]]
    assert set(sources) <= set(namespaces)
    assert client.get_source(SPARK)["type"] == "HDFS"
    assert client.list_tags() == {"tags": []}
    seen = 0
    for namespace in namespaces:
        datasets = client.list_datasets(namespace)
        assert len(datasets["datasets"]) == datasets["totalCount"]
        for dataset in datasets["datasets"]:
            assert client.get_dataset(namespace, dataset["name"]) == dataset
            for version in client.list_dataset_versions(namespace, dataset["name"])["versions"]:
                found = client.get_dataset_version(namespace, dataset["name"], version["version"])
                assert found == version
                seen += 1
        for job in client.list_jobs(namespace)["jobs"]:
            assert client.get_job(namespace, job["name"])["currentVersion"] == job["currentVersion"]
            for run in client.list_job_runs(namespace, job["name"])["runs"]:
                assert client.get_job_run(run["id"]) == run
                seen += 1
    assert seen > 30


def test_what_the_scenario_says_is_what_the_client_shows(client: MarquezClient) -> None:
    table = client.get_dataset(SPARK, "/user/hive/warehouse/t1")
    assert [(field["name"], field["type"]) for field in table["fields"]] == [
        ("a", "integer"),
        ("b", "string"),
    ]
    insert = "cl_i_test_application.execute_insert_into_hive_table.warehouse_t1"
    job = client.get_job("default", insert)
    assert [each["name"] for each in job["outputs"]] == ["/user/hive/warehouse/t1"]
    (run,) = client.list_job_runs("default", insert)["runs"]
    assert (run["state"], run["facets"]["parent"]["job"]["name"]) == ("COMPLETED", "cl_i_test_application")


def test_pages_and_refusals_reach_the_client_as_marquezs_do(client: MarquezClient) -> None:
    everything = client.list_namespaces()["namespaces"]
    first = client.list_namespaces(limit=2)["namespaces"]
    assert [*first, *client.list_namespaces(limit=100, offset=2)["namespaces"]] == everything
    for ask in (
        lambda: client.get_namespace("none"),
        lambda: client.get_dataset(SPARK, "none"),
        lambda: client.get_job("default", "none"),
        lambda: client.get_job_run("00000000-0000-0000-0000-000000000000"),
        lambda: client.list_namespaces(limit=-1),
        lambda: client.create_namespace("new", "owner"),
    ):
        with pytest.raises(APIError):
            ask()


def test_columns_come_from_where_the_producer_says(client: MarquezClient) -> None:
    graph = client.get_column_lineage_by_dataset("gs://mock-bucket", "result.csv")["graph"]
    comes_from = {
        (node["data"]["dataset"], node["data"]["field"]): [
            each["dataset"] for each in node["data"]["inputFields"]
        ]
        for node in graph
    }
    assert comes_from["result.csv", "a"] == ["mock-project.test.upload_cp"]
    assert comes_from["mock-project.test.upload_cp", "a"] == ["mock-project.test.upload"]
    assert comes_from["mock-project.test.upload", "a"] == ["copied.csv", "test.csv"]
    (table,) = client.get_column_lineage_by_dataset_field(SPARK, "/user/hive/warehouse/t2", "a", depth=1)[
        "graph"
    ][:1]
    assert table["data"]["transformationType"] == "IDENTITY"
    assert [each["dataset"] for each in table["data"]["inputFields"]] == ["/user/hive/warehouse/t1"]
    # Only what is downstream; and what the columns that a job writes come from.
    near = client.get_column_lineage_by_dataset(
        "bigquery", "mock-project.test.upload_cp", with_downstream=True
    )
    assert {node["data"]["dataset"] for node in near["graph"]} >= {"result.csv", "copied.csv"}
    of_job = client.get_column_lineage_by_job("airflow", "BQ.download")["graph"]
    assert {node["id"] for node in of_job} == {node["id"] for node in graph}
    with pytest.raises(APIError):
        client.get_column_lineage_by_dataset_field(SPARK, "/user/hive/warehouse/t2", "none")
