"""GraphQL over HTTP: what is taken and refused, how errors look, positions, time limits, the page."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import get_introspection_query

from catalog.facts import version_report
from catalog.keys import DatasetKey
from tests.support.graphql import Asking, asked, asking, completed, heard, keeping_up
from tests.support.spine import T0, connect, run_event
from tests.support.web import database_away, database_frozen, problem_of
from web.graphql.documents import read_document

JSON = {"Content-Type": "application/json"}


async def posted(ask: Asking, content: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    return await ask.web.client.post("/graphql", content=content, headers=headers)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "invalid-json"),
        (b"{", 400, "invalid-json"),
        (b"[]", 400, "invalid-input"),
        (b'[{"query": "{position}"}]', 400, "invalid-input"),
        (b"{}", 400, "invalid-input"),
        (b'{"query": 7}', 400, "invalid-input"),
        (b'{"query": "  "}', 400, "invalid-input"),
        (b'{"query": "{position}", "variables": []}', 400, "invalid-input"),
        (b'{"query": "{position}", "operationName": 1}', 400, "invalid-input"),
        (b'{"query": "{ position"}', 400, "invalid-query"),
        (b'{"query": "{ nothing }"}', 400, "invalid-query"),
        (b'{"query": "query A { position } query B { position }"}', 400, "invalid-query"),
        (b'{"query": "query A { position }", "operationName": "B"}', 400, "invalid-query"),
        (b'{"query": "fragment A on Query { position }"}', 400, "invalid-query"),
        (b'{"query": "subscription { position }"}', 400, "invalid-query"),
        (b'{"query": "query ($id: ID!) { run(id: $id) { id } }"}', 400, "invalid-query"),
        (
            b'{"query": "query ($n: Int!) { datasets(first: $n) { position } }", "variables": {"n": "x"}}',
            400,
            "invalid-query",
        ),
        (b'{"query": "{ dataset(namespace: \\"\\\\u0000\\", name: \\"n\\") { id } }"}', 400, "invalid-input"),
        (b'{"query": "{ datasets(after: \\"nonsense\\") { position } }"}', 200, "invalid-input"),
        (b'{"query": "{ datasets(first: 1001) { position } }"}', 200, "invalid-input"),
        (b'{"query": "{ datasets(first: -1) { position } }"}', 200, "invalid-input"),
        (b'{"query": "{ dataset(namespace: \\"n\\") { id } }"}', 200, "invalid-input"),
        (b'{"query": "{ dataset(nodeId: \\"job:a:b\\") { id } }"}', 200, "invalid-node-id"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_stable_code(
    database_url: str, tmp_path: Path, content: bytes, status: int, code: str
) -> None:
    async def story(ask: Asking) -> None:
        response = await posted(ask, content)
        answer = response.json()
        assert response.status_code == status, answer
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
        assert answer["errors"][0]["extensions"]["retryable"] is False
        assert answer["errors"][0]["message"]
        # A question that was not carried out has no data at all.
        assert ("data" in answer) is (status == 200)

    asked(database_url, tmp_path, story)


def test_a_large_question_is_read_like_a_small_one(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        padded = "{ position } #" + "x" * 100_000
        assert await ask.data(padded) == {"position": 0}
        assert await ask.code("{ nothing } #" + "x" * 100_000) == "invalid-query"
        assert await ask.code("{ position } #" + "x" * 300_000) == "query-too-expensive"
        long = "{" + " ".join(f"a{n}: datasets(first: 1000) {{ nodes {{ id }} }}" for n in range(150)) + "}"
        assert await ask.code(long) == "query-too-expensive"
        name = "n" * 100_000 + "\0"
        query = 'query ($name: String) { dataset(namespace: "n", name: $name) { id } }'
        assert await ask.code(query, {"name": name}) == "invalid-input"
        assert await ask.data(query, {"name": "n" * 100_000}) == {"dataset": None}

    asked(database_url, tmp_path, story)


def test_only_json_is_taken(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        body = b'{"query": "{position}"}'
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/graphql", ""):
            response = await posted(ask, body, {"Content-Type": content_type})
            assert response.status_code == 415, content_type
        assert (
            await posted(ask, body, {"Content-Type": "application/json; charset=utf-8"})
        ).status_code == 200
        # Questions do not come by GET, where any page could send them.
        page = await ask.web.client.get("/graphql", params={"query": "{position}"})
        assert page.headers["content-type"].startswith("text/html")
        assert (await ask.web.client.put("/graphql", content=body, headers=JSON)).status_code == 405

    asked(database_url, tmp_path, story)


def test_a_page_of_another_site_gets_no_answer(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        response = await posted(ask, b'{"query": "{position}"}', {**JSON, "Origin": "https://evil.example"})
        assert problem_of(response)["code"] == "untrusted-origin"

    asked(database_url, tmp_path, story)


def test_beyond_loopback_every_question_needs_a_token(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        made = await ask.web.client.post(
            "/api/v1/tokens", json={"name": "reporter", "role": "producer"}, headers=ask.web.local
        )
        producer = {"Authorization": f"Bearer {made.json()['token']}"}
        response = await posted(ask, b'{"query": "{position}"}', {**JSON, **producer})
        # A token that may only send events may not read.
        assert problem_of(response)["code"] == "forbidden"
        assert (await ask.web.client.get("/graphql", headers=producer)).status_code == 403

    asked(database_url, tmp_path, story)


def test_an_answer_says_at_which_position_it_was_computed(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("load", outputs=["raw"]))

    async def story(ask: Asking) -> None:
        response = await ask.response("{ position datasets { position } status { position graphPosition } }")
        answer = response.json()
        assert answer["data"] == {
            "position": 2,
            "datasets": {"position": 2},
            "status": {"position": 2, "graphPosition": 2},
        }
        assert (response.headers["headwater-position"], answer["extensions"]) == ("2", {"position": 2})
        # What reads nothing was computed at no position.
        static = await ask.response("{ __typename }")
        assert static.json() == {"data": {"__typename": "Query"}}
        assert "headwater-position" not in static.headers

    asked(database_url, tmp_path, story)


@pytest.mark.parametrize("way", ["header", "argument", "variable", "fragment"])
def test_an_answer_waits_for_what_was_just_written(database_url: str, tmp_path: Path, way: str) -> None:
    def question(position: int) -> dict[str, Any]:
        dataset = 'dataset(namespace: "ns", name: "raw"{0}) {{ id }}'
        match way:
            case "header":
                headers = {"Headwater-Min-Position": str(position)}
                return {"query": "{" + dataset.format("") + "}", "headers": headers}
            case "argument":
                return {"query": "{" + dataset.format(f", minPosition: {position}") + "}"}
            case "variable":
                query = "query ($p: Long) {" + dataset.format(", minPosition: $p") + "}"
                return {"query": query, "variables": {"p": position}}
            case _:
                return {
                    "query": "{...f} fragment f on Query {"
                    + dataset.format(f", minPosition: {position}")
                    + "}"
                }

    async def story(ask: Asking) -> None:
        sent = await ask.web.post_event(run_event(uuid.uuid4(), outputs=["raw"]))
        position = int(sent.headers["headwater-position"])
        assert await ask.code(**question(position)) == "position-not-reached"
        # What is no position is not waited for.
        assert await ask.code(**question(2**63)) in {"invalid-query", "invalid-input"}
        with keeping_up(database_url):
            found = await ask.data(**question(position))
        assert found == {"dataset": {"id": "dataset:ns:raw"}}

    asked(database_url, tmp_path, story, query_timeout_seconds=1.0)


def test_a_position_that_is_none_is_refused(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        for text in ("x", "-1", "1.5", "9" * 30, "²"):
            headers = {"Headwater-Min-Position": text.encode()}
            assert await ask.code("{ position }", headers=headers) == "invalid-input"

    asked(database_url, tmp_path, story)


def test_one_answer_is_one_snapshot(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("load", outputs=["raw"]))

    async def story(ask: Asking) -> None:
        aliases = " ".join(f"n{number}: datasets(first: 0) {{ totalCount }}" for number in range(40))
        query = f"{{ position {aliases} }}"

        def write() -> None:
            for number in range(40):
                report = version_report(DatasetKey("ns", f"new{number}"), actor="test", time=T0, key="k")
                heard(database_url, [report])

        writing = asyncio.create_task(asyncio.to_thread(write))
        seen = set()
        while not writing.done():
            found = await ask.data(query)
            position = found.pop("position")
            counts = {part["totalCount"] for part in found.values()}
            # Two events made one dataset; each report after them made one more.
            assert counts == {position - 1}
            seen |= counts
        await writing
        assert len(seen) > 1

    asked(database_url, tmp_path, story)


def test_a_question_that_takes_too_long_ends_with_a_code_and_leaves_nothing_behind(
    database_url: str, tmp_path: Path
) -> None:
    heard(database_url, completed("load", outputs=["raw"]))

    async def story(ask: Asking) -> None:
        with connect(database_url) as connection, connection.transaction():
            # Nobody may read the table meanwhile: the statement waits until it is cancelled.
            connection.execute("LOCK TABLE dataset IN ACCESS EXCLUSIVE MODE")
            started = time.monotonic()
            response = await ask.response("{ position datasets { nodes { id currentVersion { id } } } }")
            assert time.monotonic() - started < 5
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        answer = response.json()
        # The whole answer is given or none of it.
        assert answer["data"] is None
        (error,) = answer["errors"]
        assert (error["extensions"]["code"], error["extensions"]["retryable"]) == ("query-timed-out", True)
        # The connection serves again.
        assert await ask.data("{ datasets { totalCount } }") == {"datasets": {"totalCount": 1}}

    asked(database_url, tmp_path, story, query_timeout_seconds=1.5)


def test_a_database_that_is_away_is_said_so_and_found_again(
    database_url: str, cluster_url: str, tmp_path: Path
) -> None:
    heard(database_url, completed("load", outputs=["raw"]))

    async def story(ask: Asking) -> None:
        query = '{ datasets { totalCount } lineage(nodeId: "dataset:ns:raw") { nodeIds } }'
        before = await ask.data(query)
        with database_away(database_url, cluster_url):
            response = await ask.response(query)
            assert response.status_code == 503
            (error,) = response.json()["errors"]
            assert (error["extensions"]["code"], error["extensions"]["retryable"]) == (
                "database-unavailable",
                True,
            )
        # Connections that died while they were idle are no reason to fail.
        assert await ask.data(query) == before

    asked(database_url, tmp_path, story)


def test_what_nobody_expected_is_masked(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("load", outputs=["raw"]))
    with connect(database_url) as connection:
        connection.execute("UPDATE run SET merged = 'a secret that is no JSON'")

    async def story(ask: Asking) -> None:
        response = await ask.response(
            '{ job(namespace: "ns", name: "load") { name latestRun { id errorMessage } } }'
        )
        answer = response.json()
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "internal"
        assert "secret" not in response.text
        assert "went wrong in Headwater" in error["message"]
        assert error["path"] == ["job", "latestRun", "errorMessage"]
        # The rest of the answer is there.
        assert answer["data"]["job"]["name"] == "load"

    asked(database_url, tmp_path, story)


def test_questions_run_off_the_event_loop(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("load", outputs=["raw"]))

    async def story(ask: Asking) -> None:
        with connect(database_url) as connection, connection.transaction():
            connection.execute("LOCK TABLE dataset IN ACCESS EXCLUSIVE MODE")
            slow = [asyncio.create_task(ask.response("{ datasets { totalCount } }")) for _ in range(2)]
            await asyncio.sleep(0.1)
            # Two threads wait for the database; the third answers, and the loop takes events.
            assert await ask.data("{ __typename }") == {"__typename": "Query"}
            assert (await ask.web.post_event(run_event(uuid.uuid4(), outputs=["raw"]))).status_code == 201
            assert not any(task.done() for task in slow)
        for task in slow:
            assert (await task).status_code == 200

    asked(database_url, tmp_path, story)


def test_the_end_of_the_application_ends_questions_that_wait(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("load", outputs=["raw"]))

    async def told() -> float:
        with connect(database_url) as connection, connection.transaction():
            connection.execute("LOCK TABLE dataset IN ACCESS EXCLUSIVE MODE")
            async with asking(database_url, tmp_path) as ask:
                slow = asyncio.create_task(ask.response("{ datasets { totalCount } }"))
                await asyncio.sleep(0.2)
                started = time.monotonic()
            response = await slow
            assert response.json()["errors"][0]["extensions"]["code"] == "query-timed-out"
            return time.monotonic() - started

    assert asyncio.run(told()) < 2


def test_the_page_loads_nothing_from_elsewhere_and_nothing_inline(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        page = await ask.web.client.get("/graphql")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http://" not in page.text
        assert "https://" not in page.text
        assert "<style" not in page.text
        assert " style=" not in page.text
        assert " onclick=" not in page.text
        for name, media_type in (("query.js", "text/javascript"), ("query.css", "text/css")):
            assert f'"/graphql/{name}"' in page.text
            asset = await ask.web.client.get(f"/graphql/{name}")
            assert asset.status_code == 200
            assert asset.headers["content-type"].startswith(media_type)
            assert "http" not in asset.text.replace("https://example.com", "")
        for name in ("../query.html", "..%2f..%2fapp.py", "nothing.js"):
            assert (await ask.web.client.get(f"/graphql/{name}")).status_code == 404

    asked(database_url, tmp_path, story)


def test_the_examples_of_the_page_are_answered(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("load", outputs=["raw"]))

    async def story(ask: Asking) -> None:
        examples = (await ask.web.client.get("/graphql/examples.json")).json()
        assert len(examples) >= 3
        followed = [example for example in examples if example["query"].startswith("subscription")]
        assert followed
        for example in followed:
            # It has no end to be waited for; that it is a subscription of the schema is what matters.
            assert read_document(example["query"]).operations
        for example in (example for example in examples if example not in followed):
            variables = {**example["variables"], "node": "dataset:ns:raw"}
            await ask.data(example["query"], variables)

    asked(database_url, tmp_path, story)


def test_tools_may_ask_for_the_schema(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        for query in (
            get_introspection_query(),
            get_introspection_query(specified_by_url=True, input_value_deprecation=True),
        ):
            found = await ask.data(query)
            assert "Lineage" in {type_["name"] for type_ in found["__schema"]["types"]}

    asked(database_url, tmp_path, story)


def test_a_database_that_is_frozen_keeps_nobody_waiting_for_ever(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.graphql.readers.GRACE_SECONDS", 0.2)

    async def story(ask: Asking) -> None:
        # A session in the pool that was in use.
        assert (await posted(ask, b'{"query": "{ position }"}')).status_code == 200
        with database_frozen(database_url):
            frozen = await asyncio.wait_for(posted(ask, b'{"query": "{ position }"}'), 5)
            assert frozen.status_code == 503
            assert frozen.json()["errors"][0]["extensions"]["code"] == "query-timed-out"
        # Neither is its thread lost, nor its session.
        assert (await posted(ask, b'{"query": "{ position }"}')).status_code == 200

    asked(database_url, tmp_path, story, query_timeout_seconds=0.5)
