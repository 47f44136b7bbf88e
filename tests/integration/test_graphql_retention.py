"""Answers after a round of retention: what the catalog knows is told as before, and what is gone is said to be gone."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

from tests.support.chains import CAUSES, LINEAGE, chained
from tests.support.graphql import Asking, asked, completed, heard
from tests.support.retention import everything, retained
from tests.support.spine import T0, connect

ANSWERS = """query ($run: ID!) {
  dataset(nodeId: "dataset:ns:d2") {
    id fields { name type } tags { key } facets { name body at runId }
    versions(first: 50) { totalCount nodes { id state origin time position run { id } rowCount } } }
  job(nodeId: "job:ns:step2") { id runs { nodes { id state startedAt endedAt } } facets { name } }
  pipelineRun(id: $run) {
    id state reason decisions { verdict reason position rules inputs { leaf dataset { id } version { id } } }
    transitions { fromState toState at position actor reason } }
  status { position counts { datasets jobs runs versions } }
}"""
OF_RUN = """query ($id: ID!) { run(id: $id) {
  state startedAt endedAt position inputs { dataset { id } rowCount } outputs { dataset { id } fields { name } }
  versions { id } parent { id } removedEvents facets { name } outputs { facets { name } }
  events { totalCount nodes { position kind actor receivedAt redactions body } } } }"""
REMOVED = "{ status { eventsRemoved { until receivedBefore position actor } } }"
HEADER = "headwater-events-removed-before"


async def answers(ask: Asking, runs: list[uuid.UUID]) -> list[Any]:
    """What the catalog says of versions, runs, lineage, decisions and causes."""
    found = [await ask.data(ANSWERS, {"run": str(run)}) for run in runs]
    found += [await ask.data(CAUSES, {"id": str(run)}) for run in runs]
    found += [await ask.data(LINEAGE, {"node": f"dataset:ns:d{number}"}) for number in range(3)]
    # The round itself is one more fact.
    for answer in found:
        answer.pop("status", None)
        answer.get("lineage", {}).pop("position", None)
    return found


def told_by(database_url: str) -> uuid.UUID:
    """A run that told facets of its own and of its output."""
    run = uuid.uuid4()
    facets: dict[str, Any] = {
        "schema": {"fields": [{"name": "x", "type": "int"}]},
        "tags": {"tags": [{"key": "gold"}]},
        "outputStatistics": {"rowCount": 3},
    }
    heard(
        database_url,
        completed(
            "step2",
            inputs=["raw"],
            outputs=["d2"],
            run=run,
            output_facets=facets,
            at=T0 + dt.timedelta(hours=1),
        ),
    )
    return run


def test_what_the_catalog_knows_is_told_as_before(database_url: str, tmp_path: Path) -> None:
    runs = chained(database_url)
    run = told_by(database_url)

    async def story(ask: Asking) -> None:
        before, of_run = await answers(ask, runs), (await ask.data(OF_RUN, {"id": str(run)}))["run"]
        assert before[0]["dataset"]["facets"][0]["runId"] == str(run)
        assert of_run["removedEvents"] == 0
        assert [each["body"]["eventType"] for each in of_run["events"]["nodes"]] == ["START", "COMPLETE"]
        assert (await ask.data(REMOVED))["status"]["eventsRemoved"] is None
        listed = await ask.web.client.get("/api/v1/events/lineage")
        assert (listed.json()["totalCount"], HEADER in listed.headers) == (6, False)

        heard(database_url, completed("last"))
        with connect(database_url) as connection:
            done = retained(database_url, everything(connection))
        assert await answers(ask, runs) == before

        # The run says that its facets are not all there, and its events that their bodies are not.
        after = (await ask.data(OF_RUN, {"id": str(run)}))["run"]
        assert (after["removedEvents"], after["facets"]) == (2, [])
        assert [each["body"] for each in after["events"]["nodes"]] == [None, None]
        for answer in (of_run, after):
            answer.pop("facets")
            answer.pop("removedEvents")
            for output in answer["outputs"]:
                output.pop("facets")
            for event in answer["events"]["nodes"]:
                event.pop("body")
        assert after == of_run
        removed = (await ask.data(REMOVED))["status"]["eventsRemoved"]
        assert (removed["until"], removed["actor"]) == (done.until, "test")

        listed = await ask.web.client.get("/api/v1/events/lineage")
        # The last event was followed last, and so it is kept, and its run's first with it.
        assert (listed.json()["totalCount"], len(listed.json()["events"])) == (2, 2)
        assert dt.datetime.fromisoformat(listed.headers[HEADER]) == dt.datetime.fromisoformat(
            removed["receivedBefore"]
        )
        for path in (f"jobs/runs/{run}", f"jobs/runs/{run}/facets?type=run", "namespaces/ns/jobs/step2/runs"):
            response = await ask.web.client.get(f"/api/v1/{path}")
            assert (response.status_code, HEADER in response.headers) == (200, True)
        assert HEADER not in (await ask.web.client.get("/api/v1/namespaces")).headers

    asked(database_url, tmp_path, story)
