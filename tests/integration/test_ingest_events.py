"""`POST /api/v1/lineage`: what is taken, what is refused and why, and that nothing of a refused request is kept."""

import asyncio
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from catalog.ledger import read_facts
from tests.support.openlineage_events import dataset, dataset_event, job_event, run_event
from tests.support.spine import connect
from tests.support.web import ledger, problem_of, running_web

JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024


async def posted(
    database_url: str, tmp_path: Path, content: Any, headers: dict[str, str] = JSON, **settings: Any
) -> Any:
    async with running_web(database_url, tmp_path, **settings) as web:
        return await web.client.post("/api/v1/lineage", content=content, headers=headers)


def stored_bodies(database_url: str) -> list[bytes]:
    with connect(database_url) as connection:
        return [fact.body for fact in read_facts(connection, after=0, limit=100)]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (run_event(), "openlineage.run"),
        (job_event(), "openlineage.job"),
        (dataset_event(), "openlineage.dataset"),
        (run_event(schemaURL=None), "openlineage.run"),
        (job_event(schemaURL=None), "openlineage.job"),
        (dataset_event(schemaURL=None), "openlineage.dataset"),
    ],
)
def test_an_event_is_acknowledged_with_its_position_and_no_body(
    database_url: str, tmp_path: Path, event: Any, kind: str
) -> None:
    response = asyncio.run(posted(database_url, tmp_path, json.dumps(event)))
    assert (response.status_code, response.content) == (201, b"")
    [(position, stored_kind, actor)] = ledger(database_url)
    assert (stored_kind, actor) == (kind, "loopback")
    assert response.headers["headwater-position"] == str(position)


@pytest.mark.parametrize(
    "event",
    [
        run_event(eventTime="2024-10-17T09:18:27.123456789+02:00"),
        run_event(eventTime="2024-10-17T09:18:27"),
        run_event(eventTime="2999-01-01T00:00:00Z"),
        run_event(unheardOf={"a": [1, 2.5, None]}, run={"runId": "not a uuid", "facets": {"odd": {"x": 1}}}),
        run_event(outputs=[dataset("a:b/c#d ü 漢 🚰", namespace="s3://bucket:9000")]),
        run_event(run={"runId": "0d3bbb80-a8d1-41c3-9a8d-5d7d0e6ed9ab", "facets": {"n": {"big": 2**80}}}),
    ],
)
def test_sloppy_events_are_kept_byte_for_byte(database_url: str, tmp_path: Path, event: Any) -> None:
    content = json.dumps(event, ensure_ascii=False, indent=1).encode()
    response = asyncio.run(posted(database_url, tmp_path, content))
    assert response.status_code == 201, response.text
    assert stored_bodies(database_url) == [content]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]
)
def test_json_has_many_names(database_url: str, tmp_path: Path, content_type: str) -> None:
    content = json.dumps(run_event())
    response = asyncio.run(posted(database_url, tmp_path, content, {"Content-Type": content_type}))
    assert response.status_code == 201


WRONG_EVENTS: list[tuple[bytes, str, str | None]] = [
    (b"", "invalid-json", None),
    (b"{", "invalid-json", None),
    (b"\xff\xfe", "invalid-json", None),
    (b"null", "invalid-event", None),
    (json.dumps([run_event()]).encode(), "invalid-event", None),
    (json.dumps(run_event(eventTime=None)).encode(), "invalid-event", "/eventTime"),
    (json.dumps(run_event(eventTime=1729156707)).encode(), "invalid-event", "/eventTime"),
    (json.dumps(run_event(eventTime="1729156707")).encode(), "invalid-event", "/eventTime"),
    (json.dumps(run_event(job={"namespace": "n", "name": ""})).encode(), "invalid-event", "/job/name"),
    (
        json.dumps(run_event(job={"namespace": "", "name": "n"})).encode(),
        "invalid-event",
        "/job/namespace",
    ),
    (json.dumps(run_event(outputs=[dataset("")])).encode(), "invalid-event", "/outputs/0/name"),
    (json.dumps(run_event(outputs=[dataset("a\0b")])).encode(), "invalid-event", "/outputs/0/name"),
    (json.dumps(run_event(deep=json.loads("[" * 70 + "]" * 70))).encode(), "invalid-event", None),
    (b'{"a":' + b"[" * 100_000, "invalid-event", None),
]


def test_wrong_events_are_refused_with_a_pointer_and_leave_nothing(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for content, code, pointer in WRONG_EVENTS:
                response = await web.client.post("/api/v1/lineage", content=content, headers=JSON)
                assert response.status_code == 400, content[:300]
                problem = problem_of(response)
                assert (problem["code"], problem["retryable"]) == (code, False), content[:300]
                if pointer is not None:
                    assert problem["pointer"] == pointer, content[:300]

    asyncio.run(scenario())
    assert ledger(database_url) == []


OTHER_MEDIA: list[dict[str, str]] = [
    {},
    {"Content-Type": "text/plain"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {**JSON, "Content-Encoding": "br"},
]


def test_only_json_plain_or_gzip_is_taken(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for headers in OTHER_MEDIA:
                content = json.dumps(run_event()).encode()
                response = await web.client.post("/api/v1/lineage", content=content, headers=headers)
                assert response.status_code == 415, headers
                assert problem_of(response)["code"] == "unsupported-media-type"

    asyncio.run(scenario())
    assert ledger(database_url) == []


def test_gzip_is_taken_and_is_the_same_event(database_url: str, tmp_path: Path) -> None:
    content = json.dumps(run_event()).encode()

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            gzipped = await web.client.post(
                "/api/v1/lineage",
                content=gzip.compress(content),
                headers={**JSON, "Content-Encoding": "gzip"},
            )
            plain = await web.client.post("/api/v1/lineage", content=content, headers=JSON)
            assert (gzipped.status_code, plain.status_code) == (201, 201)
            assert gzipped.headers["headwater-position"] == plain.headers["headwater-position"]

    asyncio.run(scenario())
    assert stored_bodies(database_url) == [content]


BOMBS_AND_RUINS = [
    (gzip.compress(b"[" + b" " * (64 * MIB)), 413, "payload-too-large"),
    (gzip.compress(gzip.compress(json.dumps(run_event()).encode())), 400, "invalid-json"),
    (gzip.compress(json.dumps(run_event()).encode())[:-10], 400, "invalid-input"),
    (b"no gzip", 400, "invalid-input"),
    (zlib.compress(b"{}"), 400, "invalid-input"),
]


def test_bombs_and_broken_streams_are_refused(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            for content, status, code in BOMBS_AND_RUINS:
                headers = {**JSON, "Content-Encoding": "gzip"}
                response = await web.client.post("/api/v1/lineage", content=content, headers=headers)
                assert response.status_code == status, content[:50]
                assert problem_of(response)["code"] == code, content[:50]

    asyncio.run(scenario())
    assert ledger(database_url) == []


def test_a_body_over_the_limit_is_refused_whether_it_says_its_length_or_not(
    database_url: str, tmp_path: Path
) -> None:
    event = json.dumps(run_event(padding="x" * 20_000)).encode()
    taken = 0

    async def in_chunks() -> Any:
        nonlocal taken
        for start in range(0, len(event), 1000):
            taken += 1
            yield event[start : start + 1000]

    async def scenario() -> None:
        async with running_web(database_url, tmp_path, max_event_bytes=10_000) as web:
            for content in (event, in_chunks()):
                response = await web.client.post("/api/v1/lineage", content=content, headers=JSON)
                assert response.status_code == 413
                problem = problem_of(response)
                assert (problem["code"], problem["limit"]) == ("payload-too-large", 10_000)
            # The rest was not waited for.
            assert taken < 15
            small = json.dumps(run_event()).encode()
            assert (await web.client.post("/api/v1/lineage", content=small, headers=JSON)).status_code == 201

    asyncio.run(scenario())
    assert len(ledger(database_url)) == 1


def test_the_same_event_twice_is_one_fact_and_both_senders_succeed(database_url: str, tmp_path: Path) -> None:
    event = run_event(run={"runId": "0d3bbb80-a8d1-41c3-9a8d-5d7d0e6ed9ab", "facets": {}})
    other_order = dict(reversed(list(event.items())))

    async def scenario() -> list[str]:
        async with running_web(database_url, tmp_path) as web:
            together = await asyncio.gather(*(web.post_event(event) for _ in range(8)))
            later = await web.post_event(other_order)
            assert {response.status_code for response in (*together, later)} == {201}
            return [response.headers["headwater-position"] for response in (*together, later)]

    positions = asyncio.run(scenario())
    assert len(set(positions)) == 1
    assert len(ledger(database_url)) == 1


def test_a_password_in_an_event_is_stored_nowhere(database_url: str, tmp_path: Path) -> None:
    event = run_event(producer="https://user:hunter2@example.com/x")
    response = asyncio.run(posted(database_url, tmp_path, json.dumps(event)))
    assert response.status_code == 201
    [body] = stored_bodies(database_url)
    assert b"hunter2" not in body


def test_other_methods_and_routes_are_problems_too(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            wrong_method = await web.client.get("/api/v1/lineage/batch")
            assert problem_of(wrong_method)["code"] == "method-not-allowed"
            nowhere = await web.client.post("/api/v2/lineage", json=run_event())
            assert problem_of(nowhere)["code"] == "not-found"

    asyncio.run(scenario())
