"""Attempts that an engine runs, over GraphQL: where they are, what the engine said last, and who starts a pipeline."""

import datetime as dt
from pathlib import Path
from typing import Any

from catalog.facts import Outcome, attempt_claimed, attempt_ended, attempt_started
from tests.support.graphql import Asking, asked, completed, heard, latest_run
from tests.support.spine import T0, apply_fact, connect, pipeline_body

ORIGIN = "https://engine.example"
QUERY = """query ($id: ID!) {
  pipelineRun(id: $id) {
    attempts { number hostId hostName outcome exitCode reason }
    logs { attempt available reason text droppedBytes }
  }
  pipelines { nodes { name launcher } }
}"""


def test_what_an_engine_has_is_told_by_what_it_said(database_url: str, tmp_path: Path) -> None:
    launch = {"http": {"url": f"{ORIGIN}/run"}}
    heard(
        database_url,
        [
            apply_fact(
                pipeline_body("by_request", "raw", launch=launch),
                pipeline_body("by_command", "other"),
                pipeline_body("in_airflow", "other", launch={"airflow": {"url": ORIGIN, "dag": "orders"}}),
            ),
            *completed("load", outputs=["raw"]),
        ],
    )
    run = latest_run(database_url, "by_request")
    with connect(database_url) as connection:
        connection.execute(
            "INSERT INTO attempt_claim (run_id, attempt, host) VALUES (%s, 1, 'engine')", (run,)
        )
        connection.execute(
            "INSERT INTO engine_attempt (run_id, attempt, launcher, phase, deadline)"
            " VALUES (%s, 1, 'http', 'sending', now())",
            (run,),
        )
    heard(database_url, [attempt_claimed(run, 1, host="h1")])

    async def story(ask: Asking) -> None:
        async def told() -> dict[str, Any]:
            found = await ask.data(QUERY, {"id": str(run)})
            assert sorted((node["name"], node["launcher"]) for node in found["pipelines"]["nodes"]) == [
                ("by_command", "COMMAND"),
                ("by_request", "HTTP"),
                ("in_airflow", "AIRFLOW"),
            ]
            answer: dict[str, Any] = found["pipelineRun"]
            return answer

        before = await told()
        (attempt,) = before["attempts"]
        assert (attempt["hostId"], attempt["hostName"], attempt["outcome"]) == ("engine", None, None)
        assert (before["logs"]["available"], before["logs"]["reason"]) == (
            False,
            "the engine has not answered yet",
        )
        with connect(database_url) as connection:
            connection.execute(
                "UPDATE engine_attempt SET origin = %s, told = 'GET /runs/1 answered 200'", (ORIGIN,)
            )
        after = await told()
        assert after["attempts"][0]["hostName"] == ORIGIN
        assert after["logs"] == {
            "attempt": 1,
            "available": True,
            "reason": None,
            "text": "GET /runs/1 answered 200\n",
            "droppedBytes": 0,
        }

    asked(database_url, tmp_path, story)
    ended = attempt_ended(
        run, 1, Outcome.FAILED, actor="host:h1", at=T0 + dt.timedelta(minutes=1), reason="state BAD"
    )
    started = attempt_started(run, 1, host=ORIGIN, pid=None, at=T0, actor="host:h1")
    heard(database_url, [started, ended])

    async def ending(ask: Asking) -> None:
        found = await ask.data(QUERY, {"id": str(run)})
        (attempt,) = found["pipelineRun"]["attempts"]
        assert (attempt["outcome"], attempt["exitCode"], attempt["reason"]) == ("FAILED", None, "state BAD")

    asked(database_url, tmp_path, ending)
