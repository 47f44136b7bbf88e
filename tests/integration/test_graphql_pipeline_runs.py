"""Pipeline runs over GraphQL: moves, attempts, output, what they consumed and made, and why they exist."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import pytest

from catalog.facts import (
    FactKind,
    Outcome,
    attempt_claimed,
    attempt_ended,
    attempt_started,
    command,
)
from tests.support.graphql import Asking, asked, completed, heard, latest_run, within
from tests.support.spine import T0, apply_fact, connect, pipeline_body

MINUTE = dt.timedelta(minutes=1)


def test_moves_and_attempts_are_told_as_they_happened(database_url: str, tmp_path: Path) -> None:
    heard(
        database_url,
        [apply_fact(pipeline_body("p", "raw", retries={"count": 1})), *completed("load", outputs=["raw"])],
    )
    run = latest_run(database_url, "p")
    with connect(database_url) as connection:
        connection.execute("INSERT INTO host (id, name, heartbeat_at) VALUES ('h1', 'worker-1', now())")
        connection.execute("INSERT INTO attempt_claim (run_id, attempt, host) VALUES (%s, 1, 'h1')", (run,))
    heard(
        database_url,
        [
            attempt_claimed(run, 1, host="h1"),
            attempt_started(run, 1, host="h1", pid=7, at=T0),
            attempt_ended(run, 1, Outcome.EXITED, actor="host:h1", at=T0 + MINUTE, exit_code=3),
            command(FactKind.RUN_CANCEL, {"reason": "enough"}, actor="ada", run_id=run),
        ],
    )

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """query ($id: ID!) { pipelineRun(id: $id) {
              id number state reason cause actor attempt attemptsLeft exitCode startedAt endedAt
              cancelRequested batchOpen
              documentVersion document { version } pipeline { name } causalDepth
              transitions { fromState toState attempt actor reason position }
              attempts { number hostId hostName startedAt endedAt outcome exitCode reason claimedAt }
              decisions { verdict } run { id reported } outputs { totalCount } } }""",
            {"id": str(run)},
        )
        told = found["pipelineRun"]
        assert (told["state"], told["reason"], told["cause"], told["actor"]) == (
            "CANCELLED",
            "enough",
            "VERSIONS",
            "headwater",
        )
        assert (told["attempt"], told["attemptsLeft"], told["causalDepth"]) == (2, 0, 1)
        assert (told["documentVersion"], told["document"], told["pipeline"]) == (
            1,
            {"version": 1},
            {"name": "p"},
        )
        moves = [(move["fromState"], move["toState"], move["actor"]) for move in told["transitions"]]
        assert moves == [
            (None, "PENDING", "headwater"),
            ("PENDING", "QUEUED", "headwater"),
            ("QUEUED", "LAUNCHING", "host:h1"),
            ("LAUNCHING", "RUNNING", "host:h1"),
            ("RUNNING", "RETRYING", "host:h1"),
            ("RETRYING", "CANCELLED", "ada"),
        ]
        (attempt,) = told["attempts"]
        assert attempt.pop("claimedAt") is not None
        assert dt.datetime.fromisoformat(attempt.pop("startedAt")) == T0
        assert dt.datetime.fromisoformat(attempt.pop("endedAt")) == T0 + MINUTE
        assert attempt == {
            "number": 1,
            "hostId": "h1",
            "hostName": "worker-1",
            "outcome": "EXITED",
            "exitCode": 3,
            "reason": None,
        }
        assert told["decisions"] == [{"verdict": "start"}]
        assert told["run"] == {"id": str(run), "reported": False}
        assert told["outputs"] == {"totalCount": 0}

    asked(database_url, tmp_path, story)


def test_a_batch_pages_through_what_it_consumed(database_url: str, tmp_path: Path) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "raw", batching="latest"))])
    # The first run holds the slot; the second one absorbs all that comes.
    heard(
        database_url,
        [
            fact
            for number in range(12)
            for fact in completed("load", outputs=["raw"], at=T0 + number * MINUTE)
        ],
    )
    run = latest_run(database_url, "p")

    async def story(ask: Asking) -> None:
        query = """query ($id: ID!, $after: String) { pipelineRun(id: $id) { batchOpen number
          consumedVersions(first: 4, after: $after) {
            totalCount nodes { time consumedBy { id number } } pageInfo { hasNextPage endCursor } }
          decisions { verdict } } }"""
        times: list[str] = []
        after, more = None, True
        while more:
            found = (await ask.data(query, {"id": str(run), "after": after}))["pipelineRun"]
            page = found["consumedVersions"]
            times += [node["time"] for node in page["nodes"]]
            assert {consumer["number"] for node in page["nodes"] for consumer in node["consumedBy"]} == {2}
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert (found["number"], found["batchOpen"], page["totalCount"]) == (2, True, 11)
        assert times == sorted(times)
        assert len(set(times)) == 11
        assert [decision["verdict"] for decision in found["decisions"]] == ["start", *["absorb"] * 10]

    asked(database_url, tmp_path, story)


def test_outputs_are_those_of_every_run_within(database_url: str, tmp_path: Path) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "raw")), *completed("load", outputs=["raw"])])
    run = latest_run(database_url, "p")
    facts = within(run, "p", "dbt", outputs=["one"])
    heard(database_url, facts)
    with connect(database_url) as connection:
        ((dbt,),) = connection.execute(
            "SELECT run_id FROM dataset_version ORDER BY position DESC LIMIT 1"
        ).fetchall()
    heard(
        database_url,
        [
            *completed("model", outputs=["two"], parent=(dbt, "dbt"), at=T0 + MINUTE),
            *completed("stranger", outputs=["three"], at=T0 + MINUTE),
        ],
    )

    async def story(ask: Asking) -> None:
        query = """query ($id: ID!, $after: String) { pipelineRun(id: $id) { outputs(first: 1, after: $after) {
          totalCount nodes { dataset { id } consumedVersions { nodes { basis version { dataset { id } } } } }
          pageInfo { hasNextPage endCursor } } } }"""
        first = (await ask.data(query, {"id": str(run)}))["pipelineRun"]["outputs"]
        consumed = [{"basis": "CONSUMED", "version": {"dataset": {"id": "dataset:ns:raw"}}}]
        assert first["totalCount"] == 2
        assert first["nodes"] == [
            {"dataset": {"id": "dataset:ns:one"}, "consumedVersions": {"nodes": consumed}}
        ]
        second = await ask.data(query, {"id": str(run), "after": first["pageInfo"]["endCursor"]})
        page = second["pipelineRun"]["outputs"]
        assert page["nodes"] == [
            {"dataset": {"id": "dataset:ns:two"}, "consumedVersions": {"nodes": consumed}}
        ]
        assert page["pageInfo"]["hasNextPage"] is False

    asked(database_url, tmp_path, story)


def test_output_is_shown_where_it_lies_and_its_host_named_elsewhere(
    database_url: str, tmp_path: Path
) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "raw")), *completed("load", outputs=["raw"])])
    run = latest_run(database_url, "p")

    async def story(ask: Asking) -> None:
        query = """query ($id: ID!, $attempt: Int, $most: Int! = 65536) { pipelineRun(id: $id) {
          logs(attempt: $attempt, maxBytes: $most) { attempt available reason text droppedBytes } } }"""

        async def logs(**options: Any) -> dict[str, Any]:
            found = await ask.data(query, {"id": str(run), **options})
            told: dict[str, Any] = found["pipelineRun"]["logs"]
            return told

        assert (await logs())["reason"] == "no host has claimed the attempt"
        with connect(database_url) as connection:
            connection.execute("INSERT INTO host (id, name, heartbeat_at) VALUES ('h1', 'worker-1', now())")
            connection.execute(
                "INSERT INTO attempt_claim (run_id, attempt, host) VALUES (%s, 1, 'h1')", (run,)
            )
        elsewhere = await logs()
        assert (elsewhere["available"], elsewhere["text"]) == (False, "")
        assert "worker-1" in elsewhere["reason"]

        folder = ask.web.services.settings.runs_dir / f"{run}.1"
        folder.mkdir(parents=True)
        assert (await logs()) == {
            "attempt": 1,
            "available": True,
            "reason": None,
            "text": "",
            "droppedBytes": 0,
        }
        (folder / "head").write_bytes(b"first line\n" + b"\xff" + "ü".encode() * 1000)
        here = await logs(attempt=1)
        assert here["text"].startswith("first line\n\N{REPLACEMENT CHARACTER}üü")
        cut = await logs(most=20)
        assert cut["droppedBytes"] == 2012 - 20
        assert cut["text"].startswith("first line")
        assert "1992 bytes are missing here" in cut["text"]
        assert (await logs(most=0))["text"].strip() == "[… 2012 bytes are missing here …]"
        for wrong in ({"attempt": 2}, {"attempt": -1}, {"most": -1}, {"most": 2**30}):
            assert await ask.code(query, {"id": str(run), **wrong}) == "invalid-input"

    asked(database_url, tmp_path, story)


@pytest.mark.parametrize("query", ["pipelineRun", "run", "version"])
def test_an_id_that_is_none_is_refused_and_an_unknown_one_is_null(
    database_url: str, tmp_path: Path, query: str
) -> None:
    async def story(ask: Asking) -> None:
        asking = f"query ($id: ID!) {{ {query}(id: $id) {{ id }} }}"
        assert await ask.data(asking, {"id": str(uuid.uuid4())}) == {query: None}
        assert await ask.code(asking, {"id": "12"}) == "invalid-node-id"

    asked(database_url, tmp_path, story)
