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
    version_report,
)
from catalog.keys import DatasetKey
from catalog.ledger import NewFact
from tests.support.graphql import Asking, asked, completed, heard
from tests.support.spine import T0, apply_fact, connect, fact_of_event, pipeline_body, run_event

MINUTE = dt.timedelta(minutes=1)


def latest_run(database_url: str, pipeline: str) -> uuid.UUID:
    with connect(database_url) as connection:
        ((found,),) = connection.execute(
            "SELECT id FROM pipeline_run WHERE pipeline = %s ORDER BY number DESC LIMIT 1", (pipeline,)
        ).fetchall()
    return uuid.UUID(str(found))


def within(run: uuid.UUID, pipeline: str, job: str, **options: Any) -> list[NewFact]:
    """Return the facts of a run that was started within a pipeline run."""
    facts = []
    child = uuid.uuid4()
    at = options.pop("at", T0)
    for kind, instant in (("START", at), ("COMPLETE", at + dt.timedelta(seconds=1))):
        event = run_event(child, kind, job=job, parent=(run, pipeline), at=instant, **options)
        event["run"]["facets"]["parent"]["job"]["namespace"] = "headwater"
        facts.append(fact_of_event(event))
    return facts


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


def chained(database_url: str) -> list[uuid.UUID]:
    """Let three pipelines cause each other, the first by a report; return their runs, the first cause first."""
    heard(database_url, [apply_fact(*(pipeline_body(f"p{number}", f"d{number}") for number in range(3)))])
    report = version_report(DatasetKey("ns", "d0"), actor="ada", time=T0, key="k")
    heard(database_url, [report])
    runs = [latest_run(database_url, "p0")]
    for number in (1, 2):
        at = T0 + number * MINUTE
        heard(
            database_url, within(runs[-1], f"p{number - 1}", f"step{number}", outputs=[f"d{number}"], at=at)
        )
        runs.append(latest_run(database_url, f"p{number}"))
    return runs


CAUSES = """query ($id: ID!, $depth: Int! = 50, $most: Int! = 1000) { pipelineRun(id: $id) {
  causes(depth: $depth, maxNodes: $most) { complete reason nodes {
    index parent level kind text position repeated at
    version { id dataset { id } } run { id } pipelineRun { id number } fact { kind actor position } } } } }"""


def test_why_goes_back_to_the_first_cause(database_url: str, tmp_path: Path) -> None:
    runs = chained(database_url)

    async def story(ask: Asking) -> None:
        causes = (await ask.data(CAUSES, {"id": str(runs[2])}))["pipelineRun"]["causes"]
        assert (causes["complete"], causes["reason"]) == (True, None)
        nodes = causes["nodes"]
        assert [(node["level"], node["kind"]) for node in nodes] == [
            (0, "VERSION"),
            (1, "RUN"),
            (2, "PIPELINE_RUN"),
            (3, "VERSION"),
            (4, "RUN"),
            (5, "PIPELINE_RUN"),
            (6, "VERSION"),
            (7, "FACT"),
        ]
        assert [(node["index"], node["parent"]) for node in nodes] == [
            (index, None if index == 0 else index - 1) for index in range(8)
        ]
        assert [node["version"]["dataset"]["id"] for node in nodes if node["version"]] == [
            "dataset:ns:d2",
            "dataset:ns:d1",
            "dataset:ns:d0",
        ]
        assert [node["pipelineRun"]["id"] for node in nodes if node["pipelineRun"]] == [
            str(runs[1]),
            str(runs[0]),
        ]
        first = nodes[-1]
        assert first["text"] == "version.report by ada"
        assert first["fact"] == {"kind": "version.report", "actor": "ada", "position": first["position"]}
        assert "of job:ns:step2 (COMPLETE)" in nodes[1]["text"]
        assert nodes[1]["fact"]["kind"] == "openlineage.run"

    asked(database_url, tmp_path, story)


def test_a_chain_that_is_cut_says_where_and_why(database_url: str, tmp_path: Path) -> None:
    runs = chained(database_url)

    async def story(ask: Asking) -> None:
        shallow = (await ask.data(CAUSES, {"id": str(runs[2]), "depth": 1}))["pipelineRun"]["causes"]
        assert [node["kind"] for node in shallow["nodes"]] == ["VERSION", "RUN", "PIPELINE_RUN"]
        assert (shallow["complete"], shallow["reason"]) == (False, "DEPTH")
        short = (await ask.data(CAUSES, {"id": str(runs[2]), "most": 4}))["pipelineRun"]["causes"]
        assert len(short["nodes"]) == 4
        assert (short["complete"], short["reason"]) == (False, "NODE_LIMIT")
        whole = (await ask.data(CAUSES, {"id": str(runs[2]), "most": 8, "depth": 3}))["pipelineRun"]["causes"]
        assert (len(whole["nodes"]), whole["complete"]) == (8, True)
        for wrong in ("depth: 0", "depth: 1001", "maxNodes: 0", "maxNodes: 10001"):
            bounded = f'{{ pipelineRun(id: "{runs[2]}") {{ causes({wrong}) {{ complete }} }} }}'
            assert await ask.code(bounded) == "invalid-input"

    asked(database_url, tmp_path, story)


def test_a_cause_of_two_versions_is_explained_once(database_url: str, tmp_path: Path) -> None:
    both = {"all": [{"dataset": {"namespace": "ns", "name": name}} for name in ("left", "right")]}
    heard(database_url, [apply_fact(pipeline_body("split", "raw"), pipeline_body("join", both))])
    heard(
        database_url,
        [command(FactKind.PIPELINE_TRIGGER, {"pipeline": "split", "reason": "test"}, actor="ada")],
    )
    split = latest_run(database_url, "split")
    heard(database_url, within(split, "split", "writes", outputs=["left", "right"]))

    async def story(ask: Asking) -> None:
        run = latest_run(database_url, "join")
        nodes = (await ask.data(CAUSES, {"id": str(run)}))["pipelineRun"]["causes"]["nodes"]
        assert [(node["level"], node["kind"], node["repeated"]) for node in nodes] == [
            (0, "VERSION", False),
            (1, "RUN", False),
            (2, "PIPELINE_RUN", False),
            (3, "FACT", False),
            (0, "VERSION", False),
            (1, "RUN", False),
            (2, "PIPELINE_RUN", True),
        ]
        assert nodes[3]["text"] == "pipeline.trigger by ada"
        # Who was triggered by hand has that as its only cause.
        by_hand = (await ask.data(CAUSES, {"id": str(split)}))["pipelineRun"]["causes"]["nodes"]
        assert [node["text"] for node in by_hand] == ["pipeline.trigger by ada"]

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
