"""Datasets and their versions over GraphQL: what is known, what is not, and lists that page without loss."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import pytest

from catalog.facts import version_report
from catalog.keys import DatasetKey
from catalog.ledger import NewFact
from tests.support.graphql import Asking, asked, completed, heard
from tests.support.spine import T0, fact_of_event, run_event

SCHEMA = {
    "schema": {
        "_producer": "https://example.com",
        "_schemaURL": "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json",
        "fields": [
            {"name": "id", "type": "bigint", "description": "the key"},
            {"name": "place", "type": "struct", "fields": [{"name": "city"}]},
        ],
    }
}


def report(name: str, key: str, *, at: dt.datetime = T0, **options: Any) -> NewFact:
    return version_report(DatasetKey("ns", name), actor="test", time=at, key=key, **options)


def symlinked(namespace: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "symlinks": {
            "_producer": "https://example.com",
            "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/SymlinksDatasetFacet.json",
            "identifiers": [{"namespace": namespace, "name": name, "type": kind}],
        }
    }


def test_a_dataset_knows_its_columns_versions_and_neighbours(database_url: str, tmp_path: Path) -> None:
    run = uuid.uuid4()
    heard(
        database_url,
        [
            *completed("load", outputs=["raw"], run=run, output_facets=SCHEMA),
            *completed("model", inputs=["raw"], outputs=["mart"], at=T0 + dt.timedelta(minutes=1)),
        ],
    )

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """{ dataset(namespace: "ns", name: "raw") {
              id namespace name position
              fields { name type description fields { name type } }
              currentVersion { state origin isCurrent time rowCount runId run { state job { id } } }
              versions { totalCount nodes { id state } }
              producers { jobs { id } completeness { complete reason } }
              consumers { jobs { id } }
            } }"""
        )
        dataset = found["dataset"]
        assert dataset["id"] == "dataset:ns:raw"
        assert dataset["fields"] == [
            {"name": "id", "type": "bigint", "description": "the key", "fields": []},
            {
                "name": "place",
                "type": "struct",
                "description": None,
                "fields": [{"name": "city", "type": None}],
            },
        ]
        current = dataset["currentVersion"]
        assert current | {"time": None} == {
            "state": "PUBLISHED",
            "origin": "RUN",
            "isCurrent": True,
            "time": None,
            # Nobody told how many rows there are: that is null, not 0.
            "rowCount": None,
            "runId": str(run),
            "run": {"state": "COMPLETE", "job": {"id": "job:ns:load"}},
        }
        assert dt.datetime.fromisoformat(current["time"]) == T0 + dt.timedelta(seconds=1)
        assert dataset["versions"]["totalCount"] == 1
        assert dataset["producers"] == {
            "jobs": [{"id": "job:ns:load"}],
            "completeness": {"complete": True, "reason": None},
        }
        assert dataset["consumers"] == {"jobs": [{"id": "job:ns:model"}]}

    asked(database_url, tmp_path, story)


def test_what_nobody_told_is_null_and_what_is_known_to_be_none_is_empty(
    database_url: str, tmp_path: Path
) -> None:
    heard(database_url, completed("reader", inputs=["source"]))

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """{
              source: dataset(nodeId: "dataset:ns:source") { fields currentVersion { id } aliases { type }
                versions { nodes { id } } producers { jobs { id } } }
              missing: dataset(nodeId: "dataset:ns:nothing") { id }
            }""".replace("fields ", "fields { name } ")
        )
        assert found["source"] == {
            "fields": None,
            "currentVersion": None,
            "aliases": [],
            "versions": {"nodes": []},
            "producers": {"jobs": []},
        }
        assert found["missing"] is None

    asked(database_url, tmp_path, story)


def test_versions_of_failed_and_disputed_runs_are_shown_and_not_current(
    database_url: str, tmp_path: Path
) -> None:
    good, failed, disputed = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    day = dt.timedelta(days=1)
    heard(
        database_url,
        [
            *completed("load", outputs=["raw"], run=good),
            fact_of_event(run_event(failed, "FAIL", job="load", outputs=["raw"], at=T0 + day)),
            fact_of_event(run_event(disputed, "COMPLETE", job="load", outputs=["raw"], at=T0 + 2 * day)),
            fact_of_event(run_event(disputed, "FAIL", job="load", outputs=["raw"], at=T0 + 3 * day)),
        ],
    )

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """query ($states: [DatasetVersionState!]) { dataset(namespace: "ns", name: "raw") {
              currentVersion { runId }
              all: versions { nodes { state isCurrent run { id } } }
              partial: versions(states: $states) { totalCount nodes { run { id } } }
            } }""",
            {"states": ["PARTIAL"]},
        )
        dataset = found["dataset"]
        assert dataset["currentVersion"] == {"runId": str(good)}
        assert [
            (node["state"], node["isCurrent"], node["run"]["id"]) for node in dataset["all"]["nodes"]
        ] == [
            ("DISPUTED", False, str(disputed)),
            ("PARTIAL", False, str(failed)),
            ("PUBLISHED", True, str(good)),
        ]
        assert dataset["partial"] == {"totalCount": 1, "nodes": [{"run": {"id": str(failed)}}]}

    asked(database_url, tmp_path, story)


def test_versions_of_one_instant_page_without_loss_or_repetition(database_url: str, tmp_path: Path) -> None:
    # Equal times: only the identity tells their order.
    heard(database_url, [report("raw", f"key {number}", partition=f"p{number}") for number in range(25)])

    async def story(ask: Asking) -> None:
        query = """query ($after: String) { dataset(namespace: "ns", name: "raw") {
          versions(first: 7, after: $after) {
            totalCount edges { cursor node { id partition } } nodes { id }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } position
          } } }"""
        seen: list[str] = []
        after, pages = None, 0
        while True:
            page = (await ask.data(query, {"after": after}))["dataset"]["versions"]
            assert [edge["node"]["id"] for edge in page["edges"]] == [node["id"] for node in page["nodes"]]
            assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
            assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
            assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
            assert (page["totalCount"], page["position"]) == (25, 25)
            seen += [edge["node"]["partition"] for edge in page["edges"]]
            pages += 1
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        assert pages == 4
        assert sorted(seen) == sorted(f"p{number}" for number in range(25))

    asked(database_url, tmp_path, story)


@pytest.mark.parametrize("kind", ["datasets", "jobs"])
def test_datasets_and_jobs_list_by_name_with_filters_and_counts(
    database_url: str, tmp_path: Path, kind: str
) -> None:
    names = ["b", "a", "Ab", "ab", "a%b", "long" + "x" * 5000 + "1", "long" + "x" * 5000 + "2"]
    if kind == "datasets":
        heard(database_url, [report(name, "k") for name in names])
    else:
        heard(database_url, [fact for name in names for fact in completed(name)])

    async def story(ask: Asking) -> None:
        query = f"""query ($after: String, $filter: NameFilter) {{ {kind}(first: 2, after: $after, filter: $filter) {{
          totalCount nodes {{ name }} pageInfo {{ hasNextPage endCursor }} }} }}"""

        async def names_of(chosen: dict[str, Any] | None) -> tuple[int, list[str]]:
            found: list[str] = []
            after = None
            while True:
                page = (await ask.data(query, {"after": after, "filter": chosen}))[kind]
                found += [node["name"] for node in page["nodes"]]
                after = page["pageInfo"]["endCursor"]
                if not page["pageInfo"]["hasNextPage"]:
                    return page["totalCount"], found

        count, found = await names_of(None)
        assert (count, sorted(found)) == (len(names), sorted(names))
        assert sorted((await names_of({"search": "AB"}))[1]) == ["Ab", "ab"]
        # What means something to SQL's patterns means nothing here.
        assert (await names_of({"search": "a%"}))[1] == ["a%b"]
        assert (await names_of({"namespace": "ns", "search": "nowhere"})) == (0, [])
        assert (await names_of({"namespace": "another"})) == (0, [])
        # A cursor of one list is none of another.
        page = (await ask.data(query, {"after": None}))[kind]
        other = query.replace(kind, "pipelines").replace("NameFilter", "PipelineFilter")
        assert await ask.code(other, {"after": page["pageInfo"]["endCursor"]}) == "invalid-input"

    asked(database_url, tmp_path, story)


def test_hostile_names_come_back_as_they_were(database_url: str, tmp_path: Path) -> None:
    names = [
        ("ns'; DROP TABLE dataset; --", 'x"; SELECT 1'),
        ("s3://bücket:9000", "päth/日本語/🦆:with:colons#and?more"),
        ("a:b:c", "d"),
        (" leading", "trailing "),
        ("$1 %s %(x)s {y}", "\\u0041\n\ttabs"),
    ]
    heard(
        database_url,
        [version_report(DatasetKey(*pair), actor="test", time=T0, key="k") for pair in names],
    )

    async def story(ask: Asking) -> None:
        query = """query ($namespace: String, $name: String, $nodeId: ID) {
          dataset(namespace: $namespace, name: $name, nodeId: $nodeId) { id namespace name } }"""
        for namespace, name in names:
            expected = {"id": f"dataset:{namespace}:{name}", "namespace": namespace, "name": name}
            by_names = await ask.data(query, {"namespace": namespace, "name": name})
            by_node_id = await ask.data(query, {"nodeId": expected["id"]})
            assert by_names["dataset"] == by_node_id["dataset"] == expected

    asked(database_url, tmp_path, story)


def test_an_ambiguous_node_id_means_the_longest_stored_namespace(database_url: str, tmp_path: Path) -> None:
    pairs = [("pg", "host:5432:t"), ("pg:host", "5432:t")]
    heard(
        database_url,
        [version_report(DatasetKey(*pair), actor="test", time=T0, key="k") for pair in pairs],
    )

    async def story(ask: Asking) -> None:
        found = await ask.data('{ dataset(nodeId: "dataset:pg:host:5432:t") { namespace name } }')
        assert found["dataset"] == {"namespace": "pg:host", "name": "5432:t"}
        shorter = await ask.data('{ dataset(namespace: "pg", name: "host:5432:t") { name } }')
        assert shorter["dataset"] == {"name": "host:5432:t"}

    asked(database_url, tmp_path, story)


def test_aliases_are_told_and_the_table_name_is_shown(database_url: str, tmp_path: Path) -> None:
    heard(
        database_url,
        completed("spark", outputs=["/warehouse/t"], output_facets=symlinked("hive", "default.t", "TABLE")),
    )

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """{
              path: dataset(namespace: "ns", name: "/warehouse/t") {
                shownName { id } aliases { type since dataset { id currentVersion { id } } } currentVersion { id } }
              table: dataset(namespace: "hive", name: "default.t") {
                shownName { id } aliases { type dataset { id } } currentVersion { id } producers { jobs { id } } }
            }"""
        )
        path, table = found["path"], found["table"]
        assert path["shownName"] == table["shownName"] == {"id": "dataset:hive:default.t"}
        (alias,) = path["aliases"]
        assert (alias["type"], alias["dataset"]["id"]) == ("TABLE", "dataset:hive:default.t")
        assert dt.datetime.fromisoformat(alias["since"]) == T0
        assert table["aliases"] == [{"type": "TABLE", "dataset": {"id": "dataset:ns:/warehouse/t"}}]
        # Nothing merges: the version is of the name that was written.
        assert path["currentVersion"] is not None
        assert table["currentVersion"] is None
        # The graph crosses aliases.
        assert table["producers"] == {"jobs": [{"id": "job:ns:spark"}]}

    asked(database_url, tmp_path, story)


def test_a_version_tells_what_its_run_read(database_url: str, tmp_path: Path) -> None:
    minute = dt.timedelta(minutes=1)
    heard(
        database_url,
        [
            report("raw", "old", at=T0),
            report("raw", "used", at=T0 + minute, rows=7, size_bytes=2**40),
            *completed("model", inputs=["raw", "unseen"], outputs=["mart"], at=T0 + 2 * minute),
            report("raw", "later", at=T0 + 3 * minute),
            # Nobody knows when this one started.
            fact_of_event(
                run_event(uuid.uuid4(), job="blind", inputs=["raw"], outputs=["dim"], at=T0 + 4 * minute)
            ),
        ],
    )

    async def story(ask: Asking) -> None:
        query = """query ($name: String) { dataset(namespace: "ns", name: $name) { currentVersion {
          consumedVersions { complete nodes { basis version { rowCount byteCount dataset { id } isCurrent } } } } } }"""
        mart = (await ask.data(query, {"name": "mart"}))["dataset"]["currentVersion"]["consumedVersions"]
        assert mart == {
            "complete": True,
            "nodes": [
                {
                    "basis": "CURRENT_AT_START",
                    "version": {
                        "rowCount": 7,
                        "byteCount": 2**40,
                        "dataset": {"id": "dataset:ns:raw"},
                        "isCurrent": False,
                    },
                }
            ],
        }
        # A report was made by no run; a run without a start read nobody knows what.
        assert (await ask.data(query, {"name": "raw"}))["dataset"]["currentVersion"] == {
            "consumedVersions": None
        }
        assert (await ask.data(query, {"name": "dim"}))["dataset"]["currentVersion"] == {
            "consumedVersions": None
        }

    asked(database_url, tmp_path, story)
