"""Marquez's routes about namespaces, datasets, jobs and runs: what they hold, and names as producers wrote them."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.graphql import completed, heard
from tests.support.marquez import Reading, check_shape, golden_events, read
from tests.support.spine import T0, fact_of_event, run_event
from web.marquez import shapes

MINUTE = dt.timedelta(minutes=1)
HARD_NAMES = [
    "plain",
    "s3://bucket/key with space/ü.parquet",
    "a%2Fb",
    "100%",
    "versions",
    "x/versions/y",
    "?q=1#frag",
    "arn:aws:glue:eu-west-1:1:table/db/t",
    "日本語",
    "+plus+",
]


#: The run within which another one was started.
PARENT = "019299c5-73cf-7069-a70f-74eb8070b577"


def facet(**members: Any) -> dict[str, Any]:
    return {"_producer": "https://example.com", "_schemaURL": "https://example.com/facet.json", **members}


def sales(database_url: str) -> uuid.UUID:
    """Tell of a run with all kinds of facets, of a second one that failed, and of one that goes on."""
    run = uuid.uuid4()
    start = run_event(run, "START", job="load", inputs=["raw"])
    start["run"]["facets"] = {
        "nominalTime": facet(nominalStartTime="2026-01-01T00:00:00Z", nominalEndTime="2026-01-02T00:00:00Z"),
        "note": facet(n=1),
        "parent": facet(run={"runId": PARENT}, job={"namespace": "ns", "name": "nightly"}),
    }
    start["job"]["facets"] = {
        "jobType": facet(processingType="STREAMING", integration="SPARK", jobType="JOB"),
        "documentation": facet(description="loads sales"),
        "sourceCodeLocation": facet(type="git", url="https://example.com/load.py"),
        "tags": facet(tags=[{"key": "nightly", "value": "true", "source": "test"}]),
    }
    start["inputs"][0]["inputFacets"] = {"inputStatistics": facet(rowCount=7)}
    complete = run_event(run, "COMPLETE", job="load", inputs=["raw"], outputs=["sales"], at=T0 + MINUTE)
    complete["run"]["facets"] = {"note": facet(n=2)}
    complete["outputs"][0]["facets"] = {
        "schema": facet(
            fields=[
                {"name": "id", "type": "bigint"},
                {"name": "at", "fields": [{"name": "city", "type": "text"}]},
            ]
        ),
        "documentation": facet(description="all sales"),
        "tags": facet(tags=[{"key": "pii"}, {"key": "key", "field": "id"}]),
    }
    complete["outputs"][0]["outputFacets"] = {"outputStatistics": facet(rowCount=5)}
    other = [
        run_event(uuid.uuid4(), "FAIL", job="load", outputs=["sales"], at=T0 + 2 * MINUTE),
        run_event(uuid.uuid4(), "START", job="load", at=T0 + 3 * MINUTE),
    ]
    events = [*completed("make raw", outputs=["raw"], at=T0 - MINUTE)]
    heard(database_url, [*events, *map(fact_of_event, [start, complete, *other])])
    return run


def test_a_dataset_has_its_columns_tags_and_current_version(database_url: str, tmp_path: Path) -> None:
    run = sales(database_url)

    async def story(reading: Reading) -> None:
        found = await reading.get("namespaces", "ns", "datasets", "sales")
        check_shape(found, shapes.Dataset)
        assert found["id"] == {"namespace": "ns", "name": "sales"}
        assert (found["type"], found["physicalName"], found["sourceName"]) == ("DB_TABLE", "sales", "ns")
        assert [(field["name"], field["type"], field["tags"]) for field in found["fields"]] == [
            ("id", "bigint", ["key"]),
            ("at", None, []),
            ("at.city", "text", []),
        ]
        assert (found["tags"], found["description"], found["deleted"]) == (["pii"], "all sales", False)
        assert found["lastModifiedAt"] == "2026-01-01T00:01:00Z"
        assert set(found["facets"]) == {"schema", "documentation", "tags"}

        listed = await reading.get("namespaces", "ns", "datasets")
        check_shape(listed, shapes.DatasetList)
        assert [each["name"] for each in listed["datasets"]] == ["raw", "sales"]
        assert (listed["datasets"][1], listed["totalCount"]) == (found, 2)

        versions = await reading.get("namespaces", "ns", "datasets", "sales", "versions")
        check_shape(versions, shapes.DatasetVersionList)
        failed, made = versions["versions"]
        assert (failed["state"], made["state"], versions["totalCount"]) == ("partial", "published", 2)
        assert made["version"] == found["currentVersion"]
        assert (made["fields"], made["facets"]) == (found["fields"], found["facets"])
        assert made["createdByRun"]["id"] == str(run)
        one = await reading.get("namespaces", "ns", "datasets", "sales", "versions", made["version"])
        assert one == made
        assert await reading.get("tags") == {
            "tags": [{"name": name, "description": None} for name in ("key", "nightly", "pii")]
        }

    read(database_url, tmp_path, story)


def test_a_job_has_its_runs_and_what_it_reads_and_writes(database_url: str, tmp_path: Path) -> None:
    run = sales(database_url)

    async def story(reading: Reading) -> None:
        job = await reading.get("namespaces", "ns", "jobs", "load")
        check_shape(job, shapes.Job)
        assert (job["type"], job["description"]) == ("STREAM", "loads sales")
        assert job["labels"] == ["JOB", "SPARK"]
        assert (job["location"], job["tags"]) == ("https://example.com/load.py", ["nightly"])
        assert job["inputs"] == [{"namespace": "ns", "name": "raw"}]
        assert job["outputs"] == [{"namespace": "ns", "name": "sales"}]
        assert [each["state"] for each in job["latestRuns"]] == ["RUNNING", "FAILED", "COMPLETED"]
        assert job["latestRun"] == job["latestRuns"][0]

        runs = await reading.get("namespaces", "ns", "jobs", "load", "runs")
        check_shape(runs, shapes.RunList)
        assert (runs["runs"], runs["totalCount"]) == (job["latestRuns"], 3)
        found = await reading.get("jobs", "runs", run)
        check_shape(found, shapes.Run)
        assert found == runs["runs"][2]
        assert (found["startedAt"], found["endedAt"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z")
        assert (found["durationMs"], found["nominalEndTime"]) == (60_000, "2026-01-02T00:00:00Z")
        assert found["jobVersion"] == {"namespace": "ns", "name": "load", "version": job["currentVersion"]}
        assert found["facets"]["note"]["n"] == 2
        assert found["args"] == {
            "nominal_start_time": "2026-01-01T00:00:00Z",
            "nominal_end_time": "2026-01-02T00:00:00Z",
            "run_id": PARENT,
            "name": "nightly",
            "namespace": "ns",
        }
        assert runs["runs"][0]["args"] == {}
        (read_version,), (made,) = found["inputDatasetVersions"], found["outputDatasetVersions"]
        assert read_version["datasetVersionId"]["name"] == "raw"
        assert read_version["facets"]["inputStatistics"]["rowCount"] == 7
        assert made["datasetVersionId"]["name"] == "sales"
        assert made["facets"]["outputStatistics"]["rowCount"] == 5

        jobs = await reading.get("jobs")
        check_shape(jobs, shapes.JobList)
        assert [each["name"] for each in jobs["jobs"]] == ["load", "make raw", "nightly"]
        assert await reading.get("namespaces", "ns", "jobs") == jobs

    read(database_url, tmp_path, story)


def test_facets_of_a_run_of_its_job_and_of_its_datasets(database_url: str, tmp_path: Path) -> None:
    run = sales(database_url)

    async def story(reading: Reading) -> None:
        for kind in ("run", "job", "dataset"):
            found = await reading.get("jobs", "runs", run, "facets", type=kind)
            check_shape(found, shapes.RunFacets)
            assert found["runId"] == str(run)
            assert await reading.get("jobs", "runs", run, "facets", type=kind.upper()) == found
            if kind == "run":
                assert set(found["facets"]) == {"nominalTime", "note", "parent"}
            elif kind == "job":
                assert set(found["facets"]) == {"jobType", "documentation", "sourceCodeLocation", "tags"}
            else:
                ((read_one,), (made,)) = found["facets"]["inputs"], found["facets"]["outputs"]
                assert (read_one["name"], set(read_one["inputFacets"])) == ("raw", {"inputStatistics"})
                assert (made["name"], set(made["outputFacets"])) == ("sales", {"outputStatistics"})
                assert set(made["facets"]) == {"schema", "documentation", "tags"}
        assert await reading.refused("jobs", "runs", run, "facets", type="other") == (400, "invalid-input")
        assert await reading.refused("jobs", "runs", run, "facets") == (400, "invalid-input")
        assert await reading.refused("jobs", "runs", uuid.uuid4(), "facets", type="run") == (404, "not-found")

    read(database_url, tmp_path, story)


def test_names_are_found_as_producers_wrote_them(database_url: str, tmp_path: Path) -> None:
    facts = []
    for namespace in HARD_NAMES:
        for name in sorted({namespace, "plain", "a%2Fb"}):
            facts += completed(name, outputs=[name], namespace=namespace)[1:]
    heard(database_url, facts)

    async def story(reading: Reading) -> None:
        listed = await reading.get("namespaces")
        check_shape(listed, shapes.NamespaceList)
        assert sorted(each["name"] for each in listed["namespaces"]) == sorted(HARD_NAMES)
        sources = await reading.get("sources")
        check_shape(sources, shapes.SourceList)
        assert sorted(each["name"] for each in sources["sources"]) == sorted(HARD_NAMES)
        for namespace in HARD_NAMES:
            assert (await reading.get("namespaces", namespace))["name"] == namespace
            assert (await reading.get("sources", namespace))["connectionUrl"] == namespace
            datasets = await reading.get("namespaces", namespace, "datasets")
            names = sorted({namespace, "plain", "a%2Fb"})
            assert sorted(each["name"] for each in datasets["datasets"]) == names
            for name in names:
                named = {"namespace": namespace, "name": name}
                assert (await reading.get("namespaces", namespace, "datasets", name))["id"] == named
                assert (await reading.get("namespaces", namespace, "jobs", name))["id"] == named
                versions = await reading.get("namespaces", namespace, "datasets", name, "versions")
                assert [each["id"] | {"version": ""} for each in versions["versions"]] == [
                    named | {"version": ""}
                ]
                runs = await reading.get("namespaces", namespace, "jobs", name, "runs")
                assert runs["totalCount"] == 1

    read(database_url, tmp_path, story)


def test_pages_by_limit_and_offset_hold_everything_once(database_url: str, tmp_path: Path) -> None:
    names = [f"t{number:02d}" for number in range(11)]
    facts = completed("all", outputs=names)
    for number in range(11):
        facts += completed(
            f"job{number:02d}", outputs=["t00"], at=T0 + number * MINUTE, namespace=f"n{number:02d}"
        )
        facts += completed("often", outputs=["t00"], at=T0 + number * MINUTE)
    heard(database_url, facts)

    async def story(reading: Reading) -> None:
        for member, parts, count in (
            ("namespaces", ("namespaces",), 12),
            ("sources", ("sources",), 12),
            ("datasets", ("namespaces", "ns", "datasets"), 11),
            ("versions", ("namespaces", "ns", "datasets", "t00", "versions"), 12),
            ("jobs", ("jobs",), 13),
            ("jobs", ("namespaces", "ns", "jobs"), 2),
            ("runs", ("namespaces", "ns", "jobs", "often", "runs"), 11),
        ):
            whole = await reading.get(*parts)
            assert len(whole[member]) == count
            assert whole.get("totalCount", count) == count
            paged = []
            for offset in range(0, count + 4, 4):
                page = await reading.get(*parts, limit=4, offset=offset)
                assert page.get("totalCount", count) == count
                paged += page[member]
            assert paged == whole[member]
            assert (await reading.get(*parts, limit=0))[member] == []

    read(database_url, tmp_path, story)


def test_what_does_not_fit_or_is_not_there_is_refused(database_url: str, tmp_path: Path) -> None:
    sales(database_url)

    async def story(reading: Reading) -> None:
        for query in ({"limit": -1}, {"limit": "x"}, {"limit": 10_001}, {"offset": -1}, {"offset": 2**31}):
            for parts in (
                ("namespaces",),
                ("jobs",),
                ("namespaces", "ns", "datasets"),
                ("events", "lineage"),
            ):
                assert await reading.refused(*parts, **query) == (400, "invalid-input"), (parts, query)
        for parts in (
            ("namespaces", "none"),
            ("namespaces", "none", "datasets"),
            ("namespaces", "ns", "datasets", "none"),
            ("namespaces", "ns", "datasets", "none", "versions"),
            ("namespaces", "ns", "datasets", "sales", "versions", uuid.uuid4()),
            ("namespaces", "ns", "jobs", "none"),
            ("namespaces", "ns", "jobs", "none", "runs"),
            ("jobs", "runs", uuid.uuid4()),
            ("sources", "none"),
            ("namespaces", "ns", "elsewhere"),
        ):
            assert await reading.refused(*parts) == (404, "not-found"), parts
        # Marquez knows no difference between a namespace without jobs and none.
        assert await reading.get("namespaces", "none", "jobs") == {"jobs": [], "totalCount": 0}
        assert await reading.refused("jobs", "runs", "no uuid") == (400, "invalid-input")
        assert await reading.refused("namespaces", "ns", "datasets", "sales", "versions", "7") == (
            400,
            "invalid-input",
        )
        assert await reading.refused("namespaces", "a\0b") == (400, "invalid-input")
        for method in ("put", "delete"):
            response = await reading.web.client.request(
                method, "/api/v1/namespaces/new", json={}, headers=reading.web.local
            )
            assert response.status_code == 405

    read(database_url, tmp_path, story)


def test_an_answer_waits_for_the_position_that_it_is_asked_for(database_url: str, tmp_path: Path) -> None:
    sales(database_url)
    positions = []

    async def reached(reading: Reading) -> None:
        positions.append(int((await reading.response("jobs")).headers["headwater-position"]))
        response = await reading.response("jobs", headers={"Headwater-Min-Position": str(positions[0])})
        assert response.status_code == 200

    async def not_reached(reading: Reading) -> None:
        late = await reading.response("jobs", headers={"Headwater-Min-Position": str(positions[0] + 1)})
        assert (late.status_code, late.json()["code"]) == (503, "position-not-reached")

    read(database_url, tmp_path, reached)
    read(database_url, tmp_path, not_reached, query_timeout_seconds=0.3)


@pytest.mark.interop
def test_every_answer_about_real_events_has_its_shape(
    database_url: str, tmp_path: Path, interop_data: Path
) -> None:
    events = golden_events(interop_data)
    assert len(events) >= 49
    heard(database_url, map(fact_of_event, events))

    async def story(reading: Reading) -> None:
        seen = 0
        for space in (await reading.get("namespaces"))["namespaces"]:
            datasets = await reading.get("namespaces", space["name"], "datasets")
            for dataset in datasets["datasets"]:
                check_shape(dataset, shapes.Dataset)
                parts = ("namespaces", space["name"], "datasets", dataset["name"])
                assert await reading.get(*parts) == dataset
                for version in (await reading.get(*parts, "versions"))["versions"]:
                    check_shape(version, shapes.DatasetVersion)
                    assert await reading.get(*parts, "versions", version["version"]) == version
                    seen += 1
            jobs = await reading.get("namespaces", space["name"], "jobs")
            for job in jobs["jobs"]:
                check_shape(job, shapes.Job)
                parts = ("namespaces", space["name"], "jobs", job["name"])
                whole = await reading.get(*parts)
                assert {**whole, "latestRuns": job["latestRuns"]} == job
                for run in (await reading.get(*parts, "runs"))["runs"]:
                    check_shape(run, shapes.Run)
                    assert await reading.get("jobs", "runs", run["id"]) == run
                    seen += 1
        assert seen > 30

    read(database_url, tmp_path, story)
