"""`POST /api/v1/versions`: reports of producers that speak no OpenLineage."""

import asyncio
from pathlib import Path
from typing import Any

import orjson

from catalog.ledger import read_facts
from tests.support.spine import connect
from tests.support.web import ledger, problem_of, running_web


def report(**members: Any) -> dict[str, Any]:
    return {"dataset": {"namespace": "db", "name": "t"}, "idempotencyKey": "2024-10", **members}


async def posted(database_url: str, tmp_path: Path, content: bytes) -> Any:
    async with running_web(database_url, tmp_path) as web:
        headers = {"Content-Type": "application/json", **web.local}
        return await web.client.post("/api/v1/versions", content=content, headers=headers)


def test_a_report_is_a_fact_with_its_actor(database_url: str, tmp_path: Path) -> None:
    full = report(partition="2024-10", time="2024-10-17T09:18:27", rows=336_776, bytes=12, digest="sha256:ab")
    response = asyncio.run(posted(database_url, tmp_path, orjson.dumps(full)))
    assert response.status_code == 201
    [(position, kind, actor)] = ledger(database_url)
    assert (kind, actor) == ("version.report", "local")
    assert response.json() == {"position": position, "duplicate": False}
    assert response.headers["headwater-position"] == str(position)
    with connect(database_url) as connection:
        [fact] = read_facts(connection, after=0, limit=2)
    assert orjson.loads(fact.body) == {
        "namespace": "db",
        "name": "t",
        "partition": "2024-10",
        "time": "2024-10-17T09:18:27+00:00",
        "rows": 336_776,
        "bytes": 12,
        "digest": "sha256:ab",
        "key": "2024-10",
    }


def test_the_same_key_is_the_same_report(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            first = await web.client.post("/api/v1/versions", json=report(), headers=web.local)
            again = await web.client.post("/api/v1/versions", json=report(rows=5), headers=web.local)
            assert again.status_code == 201
            assert again.json() == {"position": first.json()["position"], "duplicate": True}
            other = await web.client.post("/api/v1/versions", json=report(partition="p"), headers=web.local)
            assert other.json()["duplicate"] is False

    asyncio.run(scenario())
    assert len(ledger(database_url)) == 2


WRONG_REPORTS: list[tuple[bytes, str, str | None]] = [
    (b"{", "invalid-json", None),
    (b"[]", "invalid-input", None),
    (orjson.dumps({"dataset": {"namespace": "db", "name": "t"}}), "invalid-input", "/idempotencyKey"),
    (orjson.dumps(report(dataset={"namespace": "db", "name": ""})), "invalid-input", "/dataset/name"),
    (orjson.dumps(report(rowz=1)), "invalid-input", "/rowz"),
    (orjson.dumps(report(rows=-1)), "invalid-input", "/rows"),
    (
        b'{"dataset":{"namespace":"d","name":"t"},"idempotencyKey":"k","rows":1e30}',
        "invalid-input",
        "/rows",
    ),
    (orjson.dumps(report(time=1729156707)), "invalid-input", "/time"),
    (orjson.dumps(report(time="1729156707")), "invalid-input", "/time"),
    (orjson.dumps(report(time="yesterday")), "invalid-input", "/time"),
    (orjson.dumps(report(partition="a\0b")), "invalid-input", "/partition"),
    # What is no number is not read as one.
    (orjson.dumps(report(rows=True)), "invalid-input", "/rows"),
    (orjson.dumps(report(bytes="5")), "invalid-input", "/bytes"),
    (orjson.dumps(report(rows=2**63)), "invalid-input", "/rows"),
    # A name is no longer than one in an event, which counts bytes.
    (
        orjson.dumps(report(dataset={"namespace": "db", "name": "\u0301" * 4097})),
        "invalid-input",
        "/dataset/name",
    ),
]


def test_wrong_reports_are_refused_and_leave_nothing(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            headers = {"Content-Type": "application/json", **web.local}
            for body, code, pointer in WRONG_REPORTS:
                response = await web.client.post("/api/v1/versions", content=body, headers=headers)
                assert response.status_code == 400, body
                problem = problem_of(response)
                assert problem["code"] == code, body
                assert "Value error" not in problem["detail"], body
                if pointer is not None:
                    assert problem["pointer"] == pointer, body

    asyncio.run(scenario())
    assert ledger(database_url) == []


def test_the_longest_name_and_the_greatest_count_are_taken(database_url: str, tmp_path: Path) -> None:
    full = report(dataset={"namespace": "n" * 8192, "name": "\u0301" * 4096}, rows=2**63 - 1, bytes=5.0)
    assert asyncio.run(posted(database_url, tmp_path, orjson.dumps(full))).status_code == 201


def test_a_report_over_its_limit_is_refused(database_url: str, tmp_path: Path) -> None:
    response = asyncio.run(posted(database_url, tmp_path, orjson.dumps(report(digest="x" * 300_000))))
    assert response.status_code == 413


def test_what_a_report_holds_of_credentials_is_redacted(database_url: str, tmp_path: Path) -> None:
    address = "postgresql://me:hunter2@db/shop"
    full = report(partition=address, digest=address, dataset={"namespace": address, "name": "t"})
    assert asyncio.run(posted(database_url, tmp_path, orjson.dumps(full))).status_code == 201

    with connect(database_url) as connection:
        [fact] = read_facts(connection, after=0, limit=1)
    body = orjson.loads(fact.body)
    assert {body["namespace"], body["partition"], body["digest"]} == {"postgresql://me:[redacted]@db/shop"}
