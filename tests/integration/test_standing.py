"""How the catalog stands: every surface that tells of lag or counts pipelines tells the same."""

import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from catalog.facts import FactKind, command
from tests.support.graphql import Asking, asked, completed, follow_all, heard
from tests.support.spine import append, apply_fact, connect, follow, pipeline_body
from web.doctor import diagnose

STATUS = """{ status {
  position ledgerPosition parkedCount lag { positions oldestAt seconds } counts { pipelines }
  followers { name cursor lag { positions oldestAt seconds } parked } } }"""

FOLLOWERS = ("state", "graph", "webhooks")


async def lags_told(ask: Asking, database_url: str) -> dict[str, dict[str, int]]:
    """Return what each surface says about how far each follower is behind."""
    status = (await ask.data(STATUS))["status"]
    assert status["lag"] == {**status["followers"][0]["lag"], "seconds": status["lag"]["seconds"]}
    told = {"graphql": {found["name"]: found["lag"]["positions"] for found in status["followers"]}}
    metrics = (await ask.web.client.get("/metrics")).text
    told["metrics"] = {
        sample.labels["follower"]: int(sample.value)
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == "headwater_follower_lag_positions"
    }
    checks = (await ask.web.client.get("/readyz")).json()["checks"]
    told["readyz"] = {name: behind(checks[f"follower.{name}"]["found"]) for name in FOLLOWERS}
    findings = {found.check: found.found for found in diagnose(ask.web.services.settings, database_url)}
    told["doctor"] = {name: behind(findings[f"follower.{name}"]) for name in FOLLOWERS}
    page = (await ask.web.client.get("/")).text
    told["page"] = dict.fromkeys(FOLLOWERS, 0) | {
        name: int(lag) for name, lag in re.findall(r"the (\w+) is (\d+) positions behind", page)
    }
    return told


def behind(text: str) -> int:
    found = re.search(r"(\d+) positions behind", text)
    assert found is not None, text
    return int(found[1])


def test_lag_is_the_same_everywhere(database_url: str, tmp_path: Path) -> None:
    first, second, third = completed("load", outputs=["raw"]), completed("a"), completed("b")
    heard(database_url, first)
    with connect(database_url) as connection:
        # What is told again draws positions that no fact bears: 3 and 4. Then come 5 to 8, of which two are taken.
        append(connection, first)
        append(connection, second)
        follow(connection)
        append(connection, third)

    async def story(ask: Asking) -> None:
        told = await lags_told(ask, database_url)
        assert set(map(str, told.values())) == {str(told["graphql"])}, told
        assert told["graphql"]["state"] == 2
        assert told["graphql"]["graph"] > 0

    asked(database_url, tmp_path / "behind", story)
    with connect(database_url) as connection:
        follow_all(connection)

    async def caught_up(ask: Asking) -> None:
        told = await lags_told(ask, database_url)
        assert set(map(str, told.values())) == {str(dict.fromkeys(FOLLOWERS, 0))}, told
        status = (await ask.data(STATUS))["status"]
        assert status["lag"] == {"positions": 0, "oldestAt": None, "seconds": 0.0}
        assert status["position"] == status["ledgerPosition"] == 8
        assert "It knows everything that it was told." in (await ask.web.client.get("/")).text

    asked(database_url, tmp_path / "caught-up", caught_up)


def test_the_oldest_fact_that_waits_is_the_same_for_every_surface(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as connection:
        append(connection, completed("load", outputs=["raw"]))
        connection.execute("UPDATE fact SET received_at = now() - interval '90 seconds' * (3 - position)")

    async def story(ask: Asking) -> None:
        status = (await ask.data(STATUS))["status"]
        assert 180 <= status["lag"]["seconds"] < 200
        # An observation that does not exist yet keeps nobody waiting.
        assert [found["lag"]["seconds"] > 0 for found in status["followers"]] == [True, False, False]
        assert (
            "the oldest 18"
            in (await ask.web.client.get("/readyz")).json()["checks"]["follower.state"]["found"]
        )
        assert re.search(r"waits for 1[89]\d s", (await ask.web.client.get("/")).text)

    asked(database_url, tmp_path, story)


def test_a_deleted_pipeline_is_counted_nowhere(database_url: str, tmp_path: Path) -> None:
    async def counts(ask: Asking) -> dict[str, Any]:
        page = (await ask.web.client.get("/")).text
        shown = re.search(r"<dt>Pipelines</dt><dd>(\d+)</dd>", page)
        assert shown is not None
        findings = {found.check: found.found for found in diagnose(ask.web.services.settings, database_url)}
        found = re.search(
            r"(\d+) pipelines run commands|no (pipeline) that runs commands", findings["launches"]
        )
        assert found is not None, findings["launches"]
        data = await ask.data("{ status { counts { pipelines } } pipelines { totalCount nodes { name } } }")
        return {
            "page": int(shown[1]),
            "doctor": int(found[1] or 0),
            "status": data["status"]["counts"]["pipelines"],
            "list": data["pipelines"]["totalCount"],
            "listed": len(data["pipelines"]["nodes"]),
        }

    def delete(name: str) -> Any:
        return command(FactKind.DOCUMENT_DELETE, {"kind": "Pipeline", "name": name}, actor="test", key=name)

    # (facts, how many pipelines there are after them); a paused one is registered.
    steps = [
        ([apply_fact(pipeline_body("p", "a"), pipeline_body("q", "a"))], 2),
        ([command(FactKind.PIPELINE_PAUSE, {"pipeline": "p"}, actor="test", key="pause"), delete("q")], 1),
        ([delete("p")], 0),
        ([apply_fact(pipeline_body("q", "b"))], 1),
    ]
    for number, (facts, expected) in enumerate(steps):
        heard(database_url, facts)

        async def story(ask: Asking, expected: int = expected) -> None:
            found = await counts(ask)
            assert set(found.values()) == {expected}, found

        asked(database_url, tmp_path / str(number), story)
