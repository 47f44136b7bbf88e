"""Jobs that stand for definitions of datasets: part of lineage, and in no list unless their namespace is asked for."""

from pathlib import Path

from tests.support.graphql import Asking, asked, completed, heard
from tests.support.marquez import Reading, read
from tests.support.openlineage_events import dataset_event
from tests.support.spine import connect, fact_of_event
from web.vitals import read_contents

LISTS = """
query($namespace: String) {
  jobs(filter: {namespace: $namespace}) { totalCount nodes { id } }
  search(text: "view") { nodes { id } }
  lineage(nodeId: "dataset:ns:view") { nodeIds }
  status { counts { jobs } }
}
"""
DEFINITION = "job:headwater:definitions:dataset:ns:view"


def view(database_url: str) -> None:
    """Tell of a view that is made of a table, and of a job that writes the table."""
    source = {"namespace": "ns", "name": "table", "field": "a"}
    facets = {"columnLineage": {"fields": {"b": {"inputFields": [source]}}}}
    event = dataset_event(dataset={"namespace": "ns", "name": "view", "facets": facets})
    heard(database_url, [*completed("load", outputs=["table"]), fact_of_event(event)])


def test_lists_and_counts_leave_them_out_and_lineage_does_not(database_url: str, tmp_path: Path) -> None:
    view(database_url)

    async def story(asking: Asking) -> None:
        found = await asking.data(LISTS, {"namespace": None})
        assert found["jobs"] == {"totalCount": 1, "nodes": [{"id": "job:ns:load"}]}
        assert found["search"]["nodes"] == [{"id": "dataset:ns:view"}]
        assert found["lineage"]["nodeIds"] == [
            "dataset:ns:view",
            DEFINITION,
            "dataset:ns:table",
            "job:ns:load",
        ]
        assert found["status"]["counts"]["jobs"] == 1
        own = await asking.data(LISTS, {"namespace": "headwater:definitions"})
        assert own["jobs"] == {"totalCount": 1, "nodes": [{"id": DEFINITION}]}
        other = await asking.data(LISTS, {"namespace": "ns"})
        assert other["jobs"]["totalCount"] == 1

    asked(database_url, tmp_path, story)


def test_marquezs_lists_do_the_same(database_url: str, tmp_path: Path) -> None:
    view(database_url)

    async def story(reading: Reading) -> None:
        jobs = await reading.get("jobs")
        assert ([each["name"] for each in jobs["jobs"]], jobs["totalCount"]) == (["load"], 1)
        assert [each["name"] for each in (await reading.get("namespaces"))["namespaces"]] == ["ns"]
        own = await reading.get("namespaces", "headwater:definitions", "jobs")
        assert [each["name"] for each in own["jobs"]] == ["dataset:ns:view"]
        assert (await reading.get("stats", "jobs", period="DAY"))[-1]["count"] == 1

    read(database_url, tmp_path, story)


def test_the_start_page_counts_them_nowhere(database_url: str) -> None:
    view(database_url)
    with connect(database_url) as connection:
        assert read_contents(connection).jobs == 1
