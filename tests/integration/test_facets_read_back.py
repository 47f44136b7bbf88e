"""Every example of a facet that the specification brings goes in, and GraphQL gives it back as it was."""

import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest

from catalog.openlineage.registry import RULES, Place
from catalog.openlineage.shape import Shape
from tests.conftest import DATA
from tests.support.graphql import Asking, asked, heard
from tests.support.spine import T0, connect, fact_of_event

pytestmark = pytest.mark.interop

FACETS = DATA / "openlineage" / "facet-tests"
BASE = {"eventTime": T0.isoformat(), "producer": "https://example.com/test"}


def place_of(schema: str, name: str, facet: dict[str, Any]) -> Place:
    if schema == "LineageFacet":
        return "job" if "entries" in facet else "dataset"
    if schema == "BaseSubsetDatasetFacet":
        return "input" if "inputCondition" in facet else "output"
    (place,) = {rule.place for rule in RULES if (rule.schema, rule.name) == (schema, name)}
    return place


def event_with(place: Place, key: str, run: uuid.UUID, facets: dict[str, Any]) -> dict[str, Any]:
    """Return an event of the kind in which such a facet stands; datasets and jobs are named by the key."""
    thing = {"namespace": "facets", "name": key}
    if place == "dataset":
        return BASE | {"dataset": thing | {"facets": facets}}
    if place == "job":
        return BASE | {"job": thing | {"facets": facets}}
    event = BASE | {"eventType": "COMPLETE", "run": {"runId": str(run)}, "job": thing}
    match place:
        case "run":
            return event | {"run": {"runId": str(run), "facets": facets}}
        case "input":
            return event | {"inputs": [thing | {"inputFacets": facets}]}
        case "output":
            return event | {"outputs": [thing | {"outputFacets": facets}]}


FACET = "facets { name body }"
QUESTIONS: dict[Place, str] = {
    "dataset": f"dataset(namespace: $namespace, name: $name) {{ {FACET} }}",
    "job": f"job(namespace: $namespace, name: $name) {{ {FACET} }}",
    "run": f"run(id: $run) {{ {FACET} }}",
    "input": f"run(id: $run) {{ inputs {{ {FACET} }} }}",
    "output": f"run(id: $run) {{ outputs {{ {FACET} }} }}",
}


def redacted(facets: dict[str, Any]) -> dict[str, Any]:
    """Return the facets as they are kept: without the values of environment variables."""
    for variable in facets.get("environmentVariables", {}).get("environmentVariables", ()):
        variable["value"] = "[redacted]"
    return facets


def test_every_facet_is_read_back_as_it_was_sent(database_url: str, tmp_path: Path) -> None:
    paths = sorted(FACETS.glob("*/*.json"))
    sent: list[tuple[Place, str, uuid.UUID, dict[str, Any]]] = []
    for number, path in enumerate(paths):
        facets = orjson.loads(path.read_bytes())
        ((name, facet),) = facets.items()
        place = place_of(path.parent.name, name, facet)
        sent.append((place, f"{path.parent.name}/{path.stem}", uuid.UUID(int=number), facets))
    heard(database_url, [fact_of_event(event_with(*told)) for told in sent])

    async def story(ask: Asking) -> None:
        for place, key, run, facets in sent:
            variables = "$namespace: String!, $name: String!" if place in {"dataset", "job"} else "$run: ID!"
            values = {"namespace": "facets", "name": key, "run": str(run)}
            ((_, found),) = (await ask.data(f"query ({variables}) {{ {QUESTIONS[place]} }}", values)).items()
            if place in {"input", "output"}:
                (found,) = found[f"{place}s"]
            assert {facet["name"]: facet["body"] for facet in found["facets"]} == redacted(facets), key

    assert len(paths) >= 43
    asked(database_url, tmp_path, story)


def test_the_example_of_a_full_event_is_heard(database_url: str, tmp_path: Path) -> None:
    event = orjson.loads((FACETS / "example_full_event.json").read_bytes())
    heard(database_url, [fact_of_event(event)])

    async def story(ask: Asking) -> None:
        found = await ask.data(f'{{ job(namespace: "food_delivery", name: "dbt") {{ sql {FACET} }} }}')
        assert found["job"] == {
            "sql": "SELECT 1",
            "facets": [{"name": "sql", "body": event["job"]["facets"]["sql"]}],
        }

    asked(database_url, tmp_path, story)


@pytest.mark.parametrize(
    "name", ["dataset-to-dataset", "dataset-to-job", "generator", "job-to-dataset", "job-to-job"]
)
def test_every_lineage_facet_makes_lineage(database_url: str, name: str) -> None:
    facets = orjson.loads((FACETS / "LineageFacet" / f"{name}.json").read_bytes())
    place = place_of("LineageFacet", "lineage", facets["lineage"])
    event = event_with(place, "x", uuid.UUID(int=1), facets)
    if place == "job":
        # What a job says of others holds while it reads or writes something itself.
        event["outputs"] = [{"namespace": "facets", "name": "x"}]
    heard(database_url, [fact_of_event(event)])

    with connect(database_url) as connection:
        ((body,),) = connection.execute("SELECT body FROM shape").fetchall()
    shape = Shape.from_json(orjson.loads(body))
    columns = {key.name: [field for field, _ in lineage.fields] for key, lineage in shape.columns}
    flows = [
        (
            [key.name for key in flow.inputs + flow.job_inputs],
            [key.name for key in flow.outputs + flow.job_outputs],
        )
        for flow in shape.flows or ()
    ]
    assert (columns, [flow for flow in flows if flow != ([], ["x"])]) == EXPECTED[name]


#: Columns by dataset, and flows from names to names, as each file says; `[]` is the event's own job.
EXPECTED: dict[str, tuple[dict[str, list[str]], list[tuple[list[str], list[str]]]]] = {
    "dataset-to-dataset": ({"x": ["customer_id"]}, [(["public.customers"], ["x"])]),
    "dataset-to-job": ({}, [(["public.staging_orders"], ["daily.load"])]),
    "generator": ({"public.extracted_data": ["total"]}, [([], ["public.extracted_data"])]),
    "job-to-dataset": ({}, [(["daily.extract"], ["public.daily_summary"])]),
    "job-to-job": ({}, [(["daily.transform"], ["daily.load"])]),
}
