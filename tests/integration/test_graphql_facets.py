"""Facets over GraphQL: as they were sent, and what some of them say of a dataset, a job, a run."""

import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

from tests.support.graphql import Asking, asked, heard
from tests.support.spine import T0, fact_of_event, run_event
from tests.support.statements import counted

HOUR = dt.timedelta(hours=1)
PRODUCER = "https://example.com/test"


def fields_of(*names: str) -> dict[str, Any]:
    return {"schema": {"fields": [{"name": name} for name in names]}}


def writing(
    name: str = "x", at: dt.datetime = T0, run: uuid.UUID | None = None, **facets: Any
) -> dict[str, Any]:
    return run_event(run or uuid.uuid4(), at=at, inputs=["a"], outputs=[name], output_facets=facets)


def test_facets_are_told_as_they_were_sent_with_who_told_them_and_when(
    database_url: str, tmp_path: Path
) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    own = {"_producer": PRODUCER, "n": 2**90, "nested": [{"b": 1.0, "a": None}]}
    outside = {
        "eventTime": (T0 + 2 * HOUR).isoformat(),
        "producer": PRODUCER,
        "dataset": {"namespace": "ns", "name": "x", "facets": {"storage": {"storageLayer": "s3"}}},
    }
    events = [
        writing(run=first, own=own, storage={"storageLayer": "iceberg"}),
        writing(run=second, at=T0 + HOUR, own=own, catalog={"_deleted": True}),
        outside,
    ]
    heard(database_url, map(fact_of_event, events))

    async def story(ask: Asking) -> None:
        response = await ask.response(
            '{ dataset(namespace: "ns", name: "x") { facets { name body producer at runId } } }'
        )
        own_told, storage_told = response.json()["data"]["dataset"]["facets"]
        assert own_told == {
            "name": "own",
            "body": own,
            "producer": PRODUCER,
            "at": (T0 + HOUR).isoformat(),
            "runId": str(second),
        }
        assert storage_told["body"] == {"storageLayer": "s3"}
        assert (storage_told["producer"], storage_told["runId"]) == (None, None)

    asked(database_url, tmp_path, story)


def test_what_facets_say_of_datasets_and_jobs_has_fields_of_its_own(
    database_url: str, tmp_path: Path
) -> None:
    facets = {
        "documentation": {"description": "All of it."},
        "ownership": {"owners": [{"name": "team:a", "type": "MAINTAINER"}, {"name": 7}]},
        "tags": {
            "tags": [
                {"key": "pii", "value": "true", "source": "scan", "field": "place.city"},
                {"key": "gold", "value": "yes"},
                "no tag",
            ]
        },
        "datasetType": {"datasetType": "VIEW", "subType": "MATERIALIZED"},
        "schema": {"fields": [{"name": "id"}, {"name": "place", "fields": [{"name": "city"}]}]},
    }
    event = writing(**facets)
    event["job"]["facets"] = {
        "documentation": {"description": "Makes it."},
        "ownership": {"owners": [{"name": "jane"}]},
        "tags": {"tags": [{"key": "nightly", "value": "1"}]},
        "jobType": {"processingType": "BATCH", "integration": "DBT", "jobType": "MODEL"},
        "sql": {"query": "SELECT 1"},
    }
    event["run"]["facets"] = {"tags": {"tags": [{"key": "backfill"}]}}
    heard(database_url, [fact_of_event(event)])

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """{ dataset(namespace: "ns", name: "x") { description owners { name type }
                tags { key value source field } datasetType { type subType }
                fields { name tags { key } fields { name tags { key } } } }
              other: dataset(namespace: "ns", name: "a") { description owners { name } tags { key }
                datasetType { type } fields { name } facets { name } }
              job(namespace: "ns", name: "job") { description owners { name type } tags { key }
                jobType { processingType integration jobType } sql latestRun { tags { key } } } }"""
        )
        assert found["dataset"] == {
            "description": "All of it.",
            "owners": [{"name": "team:a", "type": "MAINTAINER"}],
            "tags": [
                {"key": "pii", "value": "true", "source": "scan", "field": "place.city"},
                {"key": "gold", "value": "yes", "source": None, "field": None},
            ],
            "datasetType": {"type": "VIEW", "subType": "MATERIALIZED"},
            "fields": [
                {"name": "id", "tags": [], "fields": []},
                {"name": "place", "tags": [], "fields": [{"name": "city", "tags": [{"key": "pii"}]}]},
            ],
        }
        assert found["other"] == {
            "description": None,
            "owners": [],
            "tags": [],
            "datasetType": None,
            "fields": None,
            "facets": [],
        }
        assert found["job"] == {
            "description": "Makes it.",
            "owners": [{"name": "jane", "type": None}],
            "tags": [{"key": "nightly"}],
            "jobType": {"processingType": "BATCH", "integration": "DBT", "jobType": "MODEL"},
            "sql": "SELECT 1",
            "latestRun": {"tags": [{"key": "backfill"}]},
        }

    asked(database_url, tmp_path, story)


def test_the_columns_of_what_is_only_read_are_those_that_were_told_last(
    database_url: str, tmp_path: Path
) -> None:
    event = writing()
    event["inputs"][0]["facets"] = fields_of("id")
    heard(database_url, [fact_of_event(event)])

    async def story(ask: Asking) -> None:
        found = await ask.data('{ dataset(namespace: "ns", name: "a") { fields { name } } }')
        assert found["dataset"]["fields"] == [{"name": "id"}]

    asked(database_url, tmp_path, story)


def test_the_history_of_a_schema_tells_its_changes_alone(database_url: str, tmp_path: Path) -> None:
    told = ["a", "a", "ab", None, "ab", "a"]
    events = [
        writing(at=T0 + n * HOUR, **({} if names is None else fields_of(*names)))
        for n, names in enumerate(told)
    ]
    heard(database_url, map(fact_of_event, events))

    async def story(ask: Asking) -> None:
        query = """query ($after: String) { dataset(namespace: "ns", name: "x") {
            schemaHistory(first: 2, after: $after) { totalCount pageInfo { hasNextPage endCursor }
              nodes { time fields { name } } } } }"""
        first = (await ask.data(query))["dataset"]["schemaHistory"]
        cursor = first["pageInfo"]["endCursor"]
        second = (await ask.data(query, {"after": cursor}))["dataset"]["schemaHistory"]
        assert (first["totalCount"], second["pageInfo"]["hasNextPage"]) == (3, False)
        changes = [
            (node["time"], "".join(field["name"] for field in node["fields"]))
            for page in (first, second)
            for node in page["nodes"]
        ]
        assert changes == [
            ((T0 + n * HOUR).isoformat(), names) for n, names in ((5, "a"), (2, "ab"), (0, "a"))
        ]

    asked(database_url, tmp_path, story)


def test_facets_of_a_run_are_merged_from_its_events_whenever_they_came(
    database_url: str, tmp_path: Path
) -> None:
    run = uuid.uuid4()

    def event(kind: str, at: dt.datetime, run_facets: Any, output_facets: Any) -> dict[str, Any]:
        told = run_event(run, kind, at=at, inputs=["a"], outputs=["x"])
        told["run"]["facets"] = run_facets
        told["outputs"][0]["outputFacets"] = output_facets
        told["inputs"][0]["inputFacets"] = {"inputStatistics": {"rowCount": 1}}
        return told

    late = event(
        "COMPLETE",
        T0 + HOUR,
        {"own": {"n": 2}, "gone": {"_deleted": True}},
        {"outputStatistics": {"size": 2}},
    )
    early = event(
        "START", T0, {"own": {"n": 1}, "gone": {"n": 1}, "test": {"n": 3}}, {"outputStatistics": {"size": 1}}
    )
    heard(database_url, [fact_of_event(late)])
    heard(database_url, [fact_of_event(early)])

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """query ($id: ID!) { run(id: $id) { facets { name body runId }
              inputs { facets { name body } } outputs { dataset { name } facets { name body at } } } }""",
            {"id": str(run)},
        )
        assert found["run"]["facets"] == [
            {"name": "own", "body": {"n": 2}, "runId": str(run)},
            {"name": "test", "body": {"n": 3}, "runId": str(run)},
        ]
        assert found["run"]["inputs"] == [{"facets": [{"name": "inputStatistics", "body": {"rowCount": 1}}]}]
        (output,) = found["run"]["outputs"]
        assert output["facets"] == [
            {"name": "outputStatistics", "body": {"size": 2}, "at": (T0 + HOUR).isoformat()}
        ]

    asked(database_url, tmp_path, story)


def test_facets_of_many_cost_as_many_statements_as_those_of_few(database_url: str, tmp_path: Path) -> None:
    events = []
    for n in range(30):
        event = writing(f"x{n:02d}", own={"n": n}, tags={"tags": [{"key": "k"}]}, **fields_of("f"))
        event["job"]["name"] = f"j{n:02d}"
        event["job"]["facets"] = {"sql": {"query": str(n)}}
        event["run"]["facets"] = {"own": {"n": n}}
        event["outputs"][0]["outputFacets"] = {"own": {"n": n}}
        events.append(event)
    heard(database_url, map(fact_of_event, events))
    asked_of = {
        "datasets": """facets { name body runId } tags { key } owners { name } description fields { tags { key } }
          schemaHistory { totalCount nodes { time fields { name } } }""",
        "jobs": """facets { name runId } sql tags { key }
          latestRun { facets { name runId } tags { key } outputs { facets { name body } } }""",
    }

    async def story(ask: Asking) -> None:
        for name, fields in asked_of.items():
            counts = []
            for first in (3, 30):
                with counted(ask.web.services.engine) as statements:
                    answer = await ask.data(f"{{ {name}(first: {first}) {{ nodes {{ {fields} }} }} }}")
                counts.append(len(statements))
                assert len(answer[name]["nodes"]) == first
            assert counts[0] == counts[1] <= 12, (name, json.dumps(counts))

    asked(database_url, tmp_path, story)
