"""Pipelines over GraphQL: documents, conditions, warnings, decisions."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

from catalog.facts import FactKind, command
from tests.support.graphql import Asking, asked, completed, heard
from tests.support.spine import T0, apply_fact, fact_of_event, pipeline_body, run_event

MINUTE = dt.timedelta(minutes=1)


def dataset(name: str) -> dict[str, Any]:
    return {"dataset": {"namespace": "ns", "name": name}}


def test_a_pipeline_shows_its_document_and_its_history(database_url: str, tmp_path: Path) -> None:
    produced = [{"namespace": "ns", "name": "mart"}]
    heard(
        database_url,
        [
            apply_fact(pipeline_body("p", "raw")),
            apply_fact(
                pipeline_body(
                    "p", "raw", produces=produced, job={"namespace": "ns", "name": "model"}, batching="latest"
                )
            ),
            apply_fact(pipeline_body("gone", "raw")),
            command(FactKind.PIPELINE_PAUSE, {"pipeline": "p"}, actor="test"),
            command(FactKind.DOCUMENT_DELETE, {"kind": "Pipeline", "name": "gone"}, actor="test"),
            *completed("load", outputs=["raw"]),
        ],
    )

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """{
              pipeline(name: "p") {
                name state paused documentVersion owner description labels batching concurrency
                inputs { id dataset { id } } produces { id dataset { id } } job { id job { id } }
                document { kind name version actor deleted body history { nodes { version } } }
                history { totalCount nodes { version position } } latestRun { id } warnings { code }
              }
              gone: pipeline(name: "gone") {
                state condition { satisfied } documentVersion history { nodes { version deleted } } }
              nothing: pipeline(name: "nothing") { name }
              pipelines { totalCount nodes { name } }
              everything: pipelines(filter: { states: [ACTIVE, PAUSED, DELETED] }) { nodes { name } }
              document(kind: "Pipeline", name: "p", version: 1) { version body }
              newest: document(kind: "Pipeline", name: "p") { version }
              missing: document(kind: "Pipeline", name: "p", version: 9) { version }
              documents { totalCount nodes { name version } }
              all: documents(filter: { kind: "Pipeline", deleted: true }) { totalCount nodes { name version deleted } }
            }"""
        )
        pipeline = found["pipeline"]
        assert (pipeline["state"], pipeline["paused"], pipeline["documentVersion"]) == ("PAUSED", True, 2)
        assert (pipeline["owner"], pipeline["description"], pipeline["labels"]) == ("team", "", {})
        assert (pipeline["batching"], pipeline["concurrency"]) == ("latest", 1)
        assert pipeline["inputs"] == [{"id": "dataset:ns:raw", "dataset": {"id": "dataset:ns:raw"}}]
        # What a document names need not exist.
        assert pipeline["produces"] == [{"id": "dataset:ns:mart", "dataset": None}]
        assert pipeline["job"] == {"id": "job:ns:model", "job": None}
        assert pipeline["document"]["version"] == 2
        assert pipeline["document"]["body"]["spec"]["batching"] == "latest"
        assert [node["version"] for node in pipeline["history"]["nodes"]] == [2, 1]
        assert pipeline["document"]["history"]["nodes"] == [{"version": 2}, {"version": 1}]
        assert (pipeline["latestRun"], pipeline["warnings"]) == (None, [])
        assert found["gone"] == {
            "state": "DELETED",
            "condition": None,
            "documentVersion": 1,
            "history": {"nodes": [{"version": 2, "deleted": True}, {"version": 1, "deleted": False}]},
        }
        assert found["nothing"] is None
        assert found["pipelines"] == {"totalCount": 1, "nodes": [{"name": "p"}]}
        assert found["everything"]["nodes"] == [{"name": "gone"}, {"name": "p"}]
        assert "batching" not in found["document"]["body"]["spec"]
        assert (found["newest"], found["missing"]) == ({"version": 2}, None)
        assert found["documents"] == {"totalCount": 1, "nodes": [{"name": "p", "version": 2}]}
        assert found["all"]["totalCount"] == 2
        assert found["all"]["nodes"][0] == {"name": "gone", "version": 2, "deleted": True}

    asked(database_url, tmp_path, story)


def test_why_not_says_that_what_a_run_gave_back_waits_for_the_next_version(
    database_url: str, tmp_path: Path
) -> None:
    both = {"all": [dataset("a"), dataset("b")]}
    heard(
        database_url,
        [
            apply_fact(pipeline_body("p", both, onFailure="release")),
            *completed("one", outputs=["a"]),
            *completed("two", outputs=["b"]),
        ],
    )
    query = """{ pipeline(name: "p") { latestRun { id state } condition { satisfied waitingFor } } }"""

    def asks(expected: tuple[str, bool, str | None]) -> str:
        async def story(ask: Asking) -> None:
            found = (await ask.data(query))["pipeline"]
            run, condition = found["latestRun"], found["condition"]
            runs.append(run["id"])
            assert (run["state"], condition["satisfied"], condition["waitingFor"]) == expected

        runs: list[str] = []
        asked(database_url, tmp_path, story)
        return runs[-1]

    either = "a new version of dataset:ns:a or dataset:ns:b"
    first = asks(("QUEUED", False, "a new version of dataset:ns:a and dataset:ns:b"))
    heard(database_url, [command(FactKind.RUN_CANCEL, {}, actor="test", run_id=uuid.UUID(first))])
    # The condition holds, and yet nothing starts before the next version comes.
    assert asks(("CANCELLED", True, either)) == first
    heard(database_url, [command(FactKind.PIPELINE_PAUSE, {"pipeline": "p"}, actor="test")])
    asks(("CANCELLED", True, None))
    heard(database_url, [command(FactKind.PIPELINE_RESUME, {"pipeline": "p"}, actor="test")])
    second = asks(("QUEUED", False, "a new version of dataset:ns:a and dataset:ns:b"))
    heard(database_url, [command(FactKind.RUN_CANCEL, {}, actor="test", run_id=uuid.UUID(second))])
    assert asks(("CANCELLED", True, either)) == second
    heard(database_url, completed("three", outputs=["b"], at=T0 + MINUTE))
    assert asks(("QUEUED", False, "a new version of dataset:ns:a")) != second


def test_why_not_says_what_is_there_and_what_is_lacking(database_url: str, tmp_path: Path) -> None:
    when = {"all": [dataset("a"), {"any": [dataset("b"), dataset("c")]}]}
    heard(database_url, [apply_fact(pipeline_body("p", when))])

    query = """{ pipeline(name: "p") { condition {
      level kind label satisfied waitingFor queued dataset since durationSeconds
      children { kind children { label } }
      descendants { level kind label satisfied since waitingFor queued leaf dataset }
    } } }"""

    async def nothing_yet(ask: Asking) -> None:
        condition = (await ask.data(query))["pipeline"]["condition"]
        assert (condition["level"], condition["kind"], condition["satisfied"]) == (0, "ALL", False)
        assert condition["waitingFor"] == ("a new version of dataset:ns:a and (dataset:ns:b or dataset:ns:c)")
        # Nothing was ever consumed, so it waits since its registration.
        assert condition["since"] is not None
        assert condition["durationSeconds"] >= 0
        assert [(node["level"], node["label"]) for node in condition["descendants"]] == [
            (1, "dataset:ns:a"),
            (1, "any of 2"),
            (2, "dataset:ns:b"),
            (2, "dataset:ns:c"),
        ]
        assert condition["children"][1] == {
            "kind": "ANY",
            "children": [{"label": "dataset:ns:b"}, {"label": "dataset:ns:c"}],
        }
        assert {node["since"] for node in condition["descendants"]} == {condition["since"]}

    asked(database_url, tmp_path, nothing_yet)
    heard(database_url, [*completed("one", outputs=["a"]), *completed("two", outputs=["a"], at=T0 + MINUTE)])

    async def half(ask: Asking) -> None:
        condition = (await ask.data(query))["pipeline"]["condition"]
        assert (condition["satisfied"], condition["queued"]) == (False, 2)
        assert condition["waitingFor"] == "a new version of dataset:ns:b or dataset:ns:c"
        a, group, b, _ = condition["descendants"]
        assert (a["satisfied"], a["queued"], a["waitingFor"], a["leaf"], a["dataset"]) == (
            True,
            2,
            None,
            0,
            "dataset:ns:a",
        )
        assert (group["satisfied"], group["leaf"], group["dataset"]) == (False, None, None)
        assert (b["satisfied"], b["queued"]) == (False, 0)

    asked(database_url, tmp_path, half)
    heard(database_url, completed("three", outputs=["b"], at=T0 + 2 * MINUTE))

    async def fired(ask: Asking) -> None:
        found = await ask.data(
            query.replace("condition {", "runs { totalCount nodes { dueAt } } condition {", 1)
        )
        pipeline = found["pipeline"]
        assert pipeline["runs"]["totalCount"] == 1
        a, _, b, c = pipeline["condition"]["descendants"]
        # One version of `a` is left; `b` was emptied by the run, `c` never had anything.
        assert (a["queued"], b["queued"]) == (1, 0)
        (run,) = pipeline["runs"]["nodes"]
        assert b["since"] == run["dueAt"]
        assert dt.datetime.fromisoformat(c["since"]) < dt.datetime.fromisoformat(b["since"])

    asked(database_url, tmp_path, fired)


def test_a_paused_and_a_deleted_pipeline_say_that_nothing_fires(database_url: str, tmp_path: Path) -> None:
    gone = {"kind": "Pipeline", "name": "gone"}
    heard(
        database_url,
        [
            *(apply_fact(pipeline_body(name, "raw")) for name in ("active", "paused", "gone")),
            command(FactKind.PIPELINE_PAUSE, {"pipeline": "paused"}, actor="captain"),
            command(FactKind.DOCUMENT_DELETE, gone, actor="pirate"),
            *completed("load", outputs=["raw"]),
        ],
    )
    query = """query($name: String!) { pipeline(name: $name) {
      state halted condition { satisfied halted descendants { halted } } history(first: 1) { nodes { at } }
    } }"""

    async def story(ask: Asking) -> None:
        active = (await ask.data(query, {"name": "active"}))["pipeline"]
        assert (active["state"], active["halted"], active["condition"]["halted"]) == ("ACTIVE", None, None)
        paused = (await ask.data(query, {"name": "paused"}))["pipeline"]
        assert paused["halted"] == "paused: versions queue up, and nothing fires until it is resumed"
        # What holds is told as ever, and that it does not matter now.
        assert (paused["condition"]["satisfied"], paused["condition"]["halted"]) == (True, paused["halted"])
        deleted = (await ask.data(query, {"name": "gone"}))["pipeline"]
        at = dt.datetime.fromisoformat(deleted["history"]["nodes"][0]["at"])
        assert (deleted["state"], deleted["condition"]) == ("DELETED", None)
        assert deleted["halted"] == (
            f"deleted on {at:%Y-%m-%d at %H:%M:%SZ} by pirate: nothing fires until it is applied again"
        )

    asked(database_url, tmp_path, story)
    heard(
        database_url,
        [
            apply_fact(pipeline_body("gone", "raw", concurrency=2)),
            command(FactKind.PIPELINE_RESUME, {"pipeline": "paused"}, actor="captain"),
        ],
    )

    async def again(ask: Asking) -> None:
        for name in ("gone", "paused"):
            found = (await ask.data(query, {"name": name}))["pipeline"]
            assert (found["state"], found["halted"], found["condition"]["halted"]) == ("ACTIVE", None, None)

    asked(database_url, tmp_path, again)


def test_what_runs_are_seen_to_do_beyond_their_document_is_a_warning(
    database_url: str, tmp_path: Path
) -> None:
    symlinks = {
        "symlinks": {"identifiers": [{"namespace": "hive", "name": "raw", "type": "TABLE"}]},
    }
    produced = [{"namespace": "ns", "name": "mart"}]
    raw_by_alias = {"dataset": {"namespace": "hive", "name": "raw"}}
    model = {"namespace": "ns", "name": "model"}
    dag = uuid.uuid4()
    heard(
        database_url,
        [
            apply_fact(pipeline_body("p", raw_by_alias, produces=produced, job=model)),
            apply_fact(pipeline_body("quiet", "other")),
            *completed("load", outputs=["raw"], output_facets=symlinks),
            fact_of_event(run_event(dag, "COMPLETE", job="model")),
            # Two steps within the job: what the first writes and the second reads is no input of the pipeline.
            *completed("step1", inputs=["raw", "side"], outputs=["stage"], parent=(dag, "model")),
            *completed("step2", inputs=["stage"], outputs=["mart"], parent=(dag, "model")),
        ],
    )

    async def story(ask: Asking) -> None:
        found = await ask.data("{ pipelines { nodes { name warnings { code message dataset } } } }")
        noisy, quiet = found["pipelines"]["nodes"]
        assert [(warning["code"], warning["dataset"]) for warning in noisy["warnings"]] == [
            ("reads-undeclared", "dataset:ns:side"),
            ("writes-undeclared", "dataset:ns:stage"),
        ]
        assert "stands in no `when`" in noisy["warnings"][0]["message"]
        assert quiet == {"name": "quiet", "warnings": []}

    asked(database_url, tmp_path, story)


def test_decisions_and_runs_of_a_pipeline_page_latest_first(database_url: str, tmp_path: Path) -> None:
    heard(
        database_url,
        [apply_fact(pipeline_body("p", "raw", concurrency=2)), apply_fact(pipeline_body("q", "raw"))],
    )
    heard(
        database_url,
        [fact for number in range(7) for fact in completed("load", outputs=["raw"], at=T0 + number * MINUTE)],
    )

    async def story(ask: Asking) -> None:
        query = """query ($decisions: String, $runs: String) { pipeline(name: "p") {
          decisions(first: 3, after: $decisions) { totalCount
            nodes { position verdict reason rules pipeline { name } pipelineRun { number }
                    inputs { leaf sequence dataset { id } version { state } } }
            pageInfo { hasNextPage endCursor } }
          runs(first: 3, after: $runs) { totalCount nodes { number state } pageInfo { hasNextPage endCursor } }
          queued: runs(states: [QUEUED]) { totalCount } } }"""
        numbers, decided = [], []
        cursors: dict[str, Any] = {"decisions": None, "runs": None}
        more = True
        while more:
            pipeline = (await ask.data(query, cursors))["pipeline"]
            decided += pipeline["decisions"]["nodes"]
            numbers += [node["number"] for node in pipeline["runs"]["nodes"]]
            assert pipeline["runs"]["totalCount"] == pipeline["decisions"]["totalCount"] == 7
            assert pipeline["queued"]["totalCount"] == 2
            more = pipeline["runs"]["pageInfo"]["hasNextPage"]
            assert pipeline["decisions"]["pageInfo"]["hasNextPage"] is more
            cursors = {name: pipeline[name]["pageInfo"]["endCursor"] for name in cursors}
        assert numbers == [7, 6, 5, 4, 3, 2, 1]
        assert [decision["pipelineRun"]["number"] for decision in decided] == numbers
        assert {decision["verdict"] for decision in decided} == {"start"}
        assert {decision["pipeline"]["name"] for decision in decided} == {"p"}
        (given,) = decided[0]["inputs"]
        assert (given["leaf"], given["dataset"]["id"], given["version"]["state"]) == (
            0,
            "dataset:ns:raw",
            "PUBLISHED",
        )
        assert decided[0]["rules"][0]["document"] == "Pipeline/p"

    asked(database_url, tmp_path, story)


def test_pipeline_runs_list_by_when_they_became_due(database_url: str, tmp_path: Path) -> None:
    heard(database_url, [apply_fact(pipeline_body(name, "raw")) for name in ("p", "q", "r")])
    heard(
        database_url,
        [fact for number in range(3) for fact in completed("load", outputs=["raw"], at=T0 + number * MINUTE)],
    )

    async def story(ask: Asking) -> None:
        query = """query ($after: String, $filter: PipelineRunFilter) {
          pipelineRuns(first: 2, after: $after, filter: $filter) {
            totalCount nodes { id pipelineName number duePosition pipeline { name } }
            pageInfo { hasNextPage endCursor } } }"""

        async def every(chosen: dict[str, Any] | None) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            after, more = None, True
            while more:
                page = (await ask.data(query, {"after": after, "filter": chosen}))["pipelineRuns"]
                found += page["nodes"]
                after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
            assert page["totalCount"] == len(found)
            return found

        everything = await every(None)
        # Three runs became due at each of three positions.
        positions = [run["duePosition"] for run in everything]
        assert positions == sorted(positions, reverse=True)
        assert len({run["id"] for run in everything}) == 9
        assert [run["number"] for run in await every({"pipeline": "q"})] == [3, 2, 1]
        assert len(await every({"states": ["QUEUED"]})) == 3
        assert [run["number"] for run in await every({"pipeline": "r", "states": ["PENDING"]})] == [3, 2]
        assert await every({"pipeline": "nothing"}) == []

    asked(database_url, tmp_path, story)
