"""Lineage over GraphQL: the graph's answer as it is, and that it says whether it is everything."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import pytest

from catalog.keys import DatasetKey
from tests.support.chains import LINEAGE
from tests.support.graphql import Asking, asked, completed, heard
from tests.support.spine import T0, append, apply_fact, connect, follow, pipeline_body


def chain(length: int) -> list[Any]:
    return [
        fact
        for number in range(length)
        for fact in completed(
            f"j{number}",
            inputs=[f"d{number}"],
            outputs=[f"d{number + 1}"],
            at=T0 + dt.timedelta(minutes=number),
        )
    ]


def test_both_ways_are_the_two_closures_and_never_a_sibling(database_url: str, tmp_path: Path) -> None:
    heard(database_url, [*chain(2), *completed("sibling", inputs=["d0"], outputs=["other"])])

    async def story(ask: Asking) -> None:
        lineage = (await ask.data(LINEAGE, {"node": "dataset:ns:d1"}))["lineage"]
        assert lineage["nodeIds"] == [
            "dataset:ns:d1",
            "job:ns:j0",
            "job:ns:j1",
            "dataset:ns:d0",
            "dataset:ns:d2",
        ]
        assert lineage["nodes"][1] == {"id": "job:ns:j0", "kind": "JOB", "name": "j0", "namespace": "ns"}
        assert lineage["nodes"][3]["kind"] == "DATASET"
        assert [node["id"] for node in lineage["nodes"]] == lineage["nodeIds"]
        assert {(edge["origin"], edge["destination"], edge["kind"]) for edge in lineage["edges"]} == {
            ("dataset:ns:d0", "job:ns:j0", "consumes"),
            ("job:ns:j0", "dataset:ns:d1", "produces"),
            ("dataset:ns:d1", "job:ns:j1", "consumes"),
            ("job:ns:j1", "dataset:ns:d2", "produces"),
        }
        assert lineage["completeness"] == {"complete": True, "reason": None, "frontier": []}
        up = (await ask.data(LINEAGE, {"node": "dataset:ns:d1", "direction": "UPSTREAM"}))["lineage"]
        assert up["nodeIds"] == ["dataset:ns:d1", "job:ns:j0", "dataset:ns:d0"]

    asked(database_url, tmp_path, story)


def test_an_answer_that_is_not_everything_says_why_and_where_it_stopped(
    database_url: str, tmp_path: Path
) -> None:
    heard(database_url, chain(3))

    async def story(ask: Asking) -> None:
        async def completeness(**variables: Any) -> dict[str, Any]:
            found = await ask.data(LINEAGE, {"node": "dataset:ns:d0", "direction": "DOWNSTREAM", **variables})
            told: dict[str, Any] = found["lineage"]["completeness"]
            return told

        assert await completeness(depth=2) == {
            "complete": False,
            "reason": "DEPTH",
            "frontier": ["dataset:ns:d1"],
        }
        assert await completeness(most=3) == {
            "complete": False,
            "reason": "NODE_LIMIT",
            "frontier": ["dataset:ns:d1"],
        }
        assert (await completeness(depth=6))["complete"] is True
        assert (await completeness(depth=0))["frontier"] == ["dataset:ns:d0"]

    asked(database_url, tmp_path, story)


def test_a_parked_observation_shows_in_the_answers_that_it_touches(database_url: str, tmp_path: Path) -> None:
    heard(database_url, chain(2))
    with connect(database_url) as connection:
        connection.execute(
            "INSERT INTO parked (follower, position, error_code, error) SELECT 'graph', sequence, 'internal', 'broken'"
            " FROM observation WHERE kind = 'shape' ORDER BY sequence LIMIT 1"
        )

    async def story(ask: Asking) -> None:
        touched = (await ask.data(LINEAGE, {"node": "dataset:ns:d1"}))["lineage"]["completeness"]
        assert (touched["complete"], touched["reason"]) == (False, "PARKED")
        assert "job:ns:j0" in touched["frontier"]
        status = (await ask.data("{ status { parkedCount parked { follower code message } } }"))["status"]
        assert status == {
            "parkedCount": 1,
            "parked": [{"follower": "graph", "code": "internal", "message": "broken"}],
        }

    asked(database_url, tmp_path, story)


def test_nodes_lead_on_to_what_is_stored_about_them(database_url: str, tmp_path: Path) -> None:
    heard(database_url, chain(1))

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """query ($node: ID!) { lineage(nodeId: $node) { ...parts } }
            fragment parts on Lineage { ... on Lineage { nodes { id dataset { name currentVersion { state } }
              job { name latestRun { state } } } } }""",
            {"node": "job:ns:j0"},
        )
        assert found["lineage"]["nodes"] == [
            {"id": "job:ns:j0", "dataset": None, "job": {"name": "j0", "latestRun": {"state": "COMPLETE"}}},
            {"id": "dataset:ns:d0", "dataset": {"name": "d0", "currentVersion": None}, "job": None},
            {
                "id": "dataset:ns:d1",
                "dataset": {"name": "d1", "currentVersion": {"state": "PUBLISHED"}},
                "job": None,
            },
        ]

    asked(database_url, tmp_path, story)


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"node": "dataset:ns:nothing"}, "not-found"),
        ({"node": "table:ns:d0"}, "invalid-node-id"),
        ({"node": "dataset:"}, "invalid-node-id"),
        ({"node": f"run:{uuid.UUID(int=7)}"}, "invalid-input"),
        ({"node": "dataset:ns:d0", "depth": -1}, "invalid-input"),
        ({"node": "dataset:ns:d0", "most": 0}, "invalid-input"),
        ({"node": "dataset:ns:d0", "direction": "SIDEWAYS"}, "invalid-query"),
        ({"node": "dataset:ns:d0", "depth": 2**40}, "invalid-query"),
        ({"node": "dataset:ns:d\0"}, "invalid-input"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_a_code(
    database_url: str, tmp_path: Path, variables: dict[str, Any], code: str
) -> None:
    heard(database_url, chain(1))

    async def story(ask: Asking) -> None:
        assert await ask.code(LINEAGE, variables) == code

    asked(database_url, tmp_path, story)


def test_lineage_can_wait_for_the_graph_and_not_only_for_the_state(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as connection:
        append(connection, chain(1))
        # The state is there, the graph has not followed.
        follow(connection)

    async def story(ask: Asking) -> None:
        node = 'nodeId: "dataset:ns:d0"'
        late = f"{{ lineage({node}, minPosition: 2) {{ nodeIds }} }}"
        assert await ask.code(late) == "position-not-reached"
        soon = await ask.data('{ dataset(nodeId: "dataset:ns:d0", minPosition: 2) { id } }')
        assert soon == {"dataset": {"id": "dataset:ns:d0"}}
        status = (await ask.data("{ status { position graphPosition ledgerPosition } }"))["status"]
        assert status["position"] == status["ledgerPosition"] == 2
        assert status["graphPosition"] < 2
        # What the graph has not heard of is not there yet, and no error where it is a part of the answer.
        assert await ask.code(f"{{ lineage({node}) {{ nodeIds }} }}") == "not-found"
        part = await ask.data('{ dataset(nodeId: "dataset:ns:d0") { consumers { jobs { id } position } } }')
        assert part["dataset"]["consumers"]["jobs"] == []
        heard(database_url, [])
        assert (await ask.data(late))["lineage"]["nodeIds"][1] == "job:ns:j0"

    asked(database_url, tmp_path, story, query_timeout_seconds=1.5)


def test_a_dataset_in_a_document_alone_is_no_node(database_url: str, tmp_path: Path) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "never_heard_of"))])

    async def story(ask: Asking) -> None:
        key = DatasetKey("ns", "never_heard_of")
        assert await ask.code(LINEAGE, {"node": key.node_id}) == "not-found"

    asked(database_url, tmp_path, story)
