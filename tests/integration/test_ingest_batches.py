"""`POST /api/v1/lineage/batch`: the specification's BatchResponse, and a wrong event that fails alone."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.openlineage_events import run_event
from tests.support.web import ledger, problem_of, running_web

JSON = {"Content-Type": "application/json"}


def events(count: int) -> list[dict[str, Any]]:
    return [run_event(job={"namespace": "n", "name": f"job {number}"}) for number in range(count)]


async def posted(
    database_url: str, tmp_path: Path, content: Any, headers: dict[str, str] = JSON, **settings: Any
) -> Any:
    async with running_web(database_url, tmp_path, **settings) as web:
        return await web.client.post("/api/v1/lineage/batch", content=content, headers=headers)


def test_a_good_batch_succeeds_whole(database_url: str, tmp_path: Path) -> None:
    response = asyncio.run(posted(database_url, tmp_path, json.dumps(events(3))))
    assert response.status_code == 200
    assert response.json() == {
        "status": "success",
        "summary": {"received": 3, "successful": 3, "failed": 0, "retriable": 0, "non_retriable": 0},
        "failed_events": [],
    }
    facts = ledger(database_url)
    assert len(facts) == 3
    assert response.headers["headwater-position"] == str(facts[-1][0])


def test_a_wrong_event_fails_alone_and_says_where(database_url: str, tmp_path: Path) -> None:
    good = events(2)
    batch = [good[0], run_event(eventTime=None), good[1], {"not": "an event"}, 17, good[0]]
    response = asyncio.run(posted(database_url, tmp_path, json.dumps(batch)))
    answer = response.json()
    assert response.status_code == 200
    assert answer["status"] == "partial_success"
    assert answer["summary"] == {
        "received": 6,
        "successful": 3,
        "failed": 3,
        "retriable": 0,
        "non_retriable": 3,
    }
    assert [failure["index"] for failure in answer["failed_events"]] == [1, 3, 4]
    assert all(failure["retriable"] is False and failure["reason"] for failure in answer["failed_events"])
    assert answer["failed_events"][0]["code"] == "invalid-event"
    assert answer["failed_events"][0]["pointer"] == "/eventTime"
    # The repetition at the end is a success and no second fact.
    assert len(ledger(database_url)) == 2


def test_a_batch_of_wrong_events_stores_nothing(database_url: str, tmp_path: Path) -> None:
    response = asyncio.run(posted(database_url, tmp_path, json.dumps([{}, {}])))
    assert response.json()["summary"]["failed"] == 2
    assert "headwater-position" not in response.headers
    assert ledger(database_url) == []


def test_an_empty_batch_is_a_success(database_url: str, tmp_path: Path) -> None:
    response = asyncio.run(posted(database_url, tmp_path, b"[]"))
    assert response.json()["status"] == "success"
    assert response.json()["summary"]["received"] == 0


@pytest.mark.interop
def test_answers_have_the_form_that_the_specification_gives(
    database_url: str, tmp_path: Path, interop_data: Path
) -> None:
    specification = yaml.safe_load((interop_data / "openlineage/spec/OpenLineage.yml").read_text())
    answer = specification["paths"]["/lineage/batch"]["post"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for batch in ([], events(2), [*events(1), {}]):
                response = await web.client.post("/api/v1/lineage/batch", json=batch)
                jsonschema.validate(response.json(), schema)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "invalid-input"),
        (b"{}", 400, "invalid-input"),
        (b"[", 400, "invalid-json"),
        (json.dumps(events(2)).encode()[:-1], 400, "invalid-json"),
        (json.dumps(events(1)).encode() + b"]", 400, "invalid-json"),
        (json.dumps(events(6)).encode(), 413, "payload-too-large"),
        (json.dumps([run_event(padding="x" * 100_000)]).encode(), 413, "payload-too-large"),
    ],
)
def test_a_batch_that_is_none_is_refused_whole(
    database_url: str, tmp_path: Path, content: bytes, status: int, code: str
) -> None:
    settings = {"max_batch_events": 5, "max_batch_bytes": 50_000}
    response = asyncio.run(posted(database_url, tmp_path, content, **settings))
    assert response.status_code == status
    assert problem_of(response)["code"] == code
    assert ledger(database_url) == []


def test_an_event_over_its_own_limit_fails_alone(database_url: str, tmp_path: Path) -> None:
    batch = [*events(1), run_event(padding="x" * 20_000)]
    response = asyncio.run(posted(database_url, tmp_path, json.dumps(batch), max_event_bytes=10_000))
    assert [failure["code"] for failure in response.json()["failed_events"]] == ["payload-too-large"]
    assert len(ledger(database_url)) == 1


def test_a_batch_may_be_compressed_and_a_bomb_may_not(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path, max_batch_bytes=100_000) as web:
            headers = {**JSON, "Content-Encoding": "gzip"}
            content = gzip.compress(json.dumps(events(10)).encode())
            taken = await web.client.post("/api/v1/lineage/batch", content=content, headers=headers)
            assert taken.json()["summary"]["successful"] == 10
            bomb = gzip.compress(b"[" + b" " * 10_000_000 + b"]")
            refused = await web.client.post("/api/v1/lineage/batch", content=bomb, headers=headers)
            assert problem_of(refused)["code"] == "payload-too-large"

    asyncio.run(scenario())
    assert len(ledger(database_url)) == 10
