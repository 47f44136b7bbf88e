"""201 means committed: shared transactions, commits that fail, pressure, a database that is away, a full disk."""

import asyncio
import contextlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from catalog.ledger import APPEND_LOCK, NewFact
from tests.support.openlineage_events import received, run_event
from tests.support.spine import connect
from tests.support.web import database_away, held_append_lock, ledger, problem_of, running_web, transactions

NEVER = 2**62

#: A commit that fails: the check is deferred to the commit itself, as a constraint's may be.
FAILING_COMMIT = """
CREATE TABLE poison (digest bytea);
CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM poison WHERE digest = NEW.digest) THEN
        RAISE EXCEPTION 'this commit fails';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refuse_poison AFTER INSERT ON fact_digest
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_poison();
"""


def event(name: str, **members: Any) -> dict[str, Any]:
    return run_event(run={"runId": str(uuid.uuid4())}, job={"namespace": "n", "name": name}, **members)


def poison(database_url: str, events: list[Any]) -> None:
    """Let every commit with one of the events fail."""
    with connect(database_url) as connection:
        connection.execute(FAILING_COMMIT)
        for one in events:
            connection.execute("INSERT INTO poison VALUES (%s)", (received(one).digest,))


def test_requests_that_wait_share_one_transaction_and_are_all_kept(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        async with running_web(database_url, tmp_path) as web:
            with held_append_lock(database_url, APPEND_LOCK) as other:
                posts = [asyncio.create_task(web.post_event(event(f"job {number}"))) for number in range(200)]
                await asyncio.sleep(0.5)
                # Nothing is acknowledged while nothing is committed.
                assert not any(post.done() for post in posts)
                assert ledger(database_url) == []
                other.execute("SELECT pg_advisory_unlock(%s)", (APPEND_LOCK,))
                responses = await asyncio.gather(*posts)
            assert {response.status_code for response in responses} == {201}
            return [int(response.headers["headwater-position"]) for response in responses]

    positions = asyncio.run(scenario())
    assert sorted(positions) == [position for position, _, _ in ledger(database_url)]
    assert len(set(positions)) == 200
    # The first goes alone, while the rest gathers behind it.
    assert 1 <= transactions(database_url) <= 4


def test_an_event_is_acknowledged_after_its_commit_and_not_before(database_url: str, tmp_path: Path) -> None:
    wrong = event("wrong")
    poison(database_url, [wrong])

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            # The insert works, the commit does not.
            response = await web.post_event(wrong)
            assert response.status_code == 500
            problem = problem_of(response)
            assert problem["code"] == "internal"
            assert "this commit fails" not in response.text
            assert "headwater-position" not in response.headers

    asyncio.run(scenario())
    assert ledger(database_url) == []


def test_one_that_cannot_be_stored_does_not_take_its_group_along(database_url: str, tmp_path: Path) -> None:
    good, wrong = [event(f"good {number}") for number in range(5)], event("wrong")
    poison(database_url, [wrong])

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            with held_append_lock(database_url, APPEND_LOCK):
                posts = [asyncio.create_task(web.post_event(one)) for one in (*good[:3], wrong, *good[3:])]
                await asyncio.sleep(0.3)
            responses = await asyncio.gather(*posts)
            assert [response.status_code for response in responses] == [201, 201, 201, 500, 201, 201]

    asyncio.run(scenario())
    assert len(ledger(database_url)) == 5


def test_pressure_is_answered_and_not_kept_in_memory(database_url: str, tmp_path: Path) -> None:
    size = 20_000

    async def scenario() -> None:
        async with running_web(database_url, tmp_path, ingest_queue_bytes=5 * size) as web:
            with held_append_lock(database_url, APPEND_LOCK):
                posts = [
                    asyncio.create_task(web.post_event(event(f"job {number}", padding="x" * size)))
                    for number in range(20)
                ]
                await asyncio.sleep(0.5)
                refused = [post.result() for post in posts if post.done()]
                # Nobody who was refused waited for the database.
                assert 14 <= len(refused) <= 17
                assert web.services.group_commit.waiting_bytes <= 6 * size
            for response in refused:
                assert response.status_code == 503
                assert int(response.headers["retry-after"]) >= 1
                problem = problem_of(response)
                assert (problem["code"], problem["retryable"]) == ("ingest-queue-full", True)
            responses = await asyncio.gather(*posts)
            accepted = [response for response in responses if response.status_code == 201]
            assert len(accepted) == 20 - len(refused) == len(ledger(database_url))
            # The room is given back.
            assert (await web.post_event(event("later", padding="x" * size))).status_code == 201

    asyncio.run(scenario())


def test_a_database_that_is_away_is_a_retryable_refusal(
    database_url: str, cluster_url: str, tmp_path: Path
) -> None:
    one = event("one")

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            assert (await web.post_event(event("before"))).status_code == 201
            with database_away(database_url, cluster_url):
                response = await web.post_event(one)
                assert response.status_code == 503
                assert "retry-after" in response.headers
                problem = problem_of(response)
                assert (problem["code"], problem["retryable"]) == ("database-unavailable", True)
                ready = await web.client.get("/readyz")
                assert ready.status_code == 503
                assert ready.json()["checks"]["database"]["ok"] is False
            # The same request succeeds later, although every pooled connection had died.
            assert (await web.post_event(one)).status_code == 201

    asyncio.run(scenario())
    assert len(ledger(database_url)) == 2


def test_a_connection_that_died_while_idle_costs_nobody_an_error(
    database_url: str, cluster_url: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            assert (await web.post_event(event("before"))).status_code == 201
            with database_away(database_url, cluster_url):
                pass
            assert (await web.post_event(event("after"))).status_code == 201

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/lineage", run_event()),
        ("/api/v1/lineage/batch", [run_event()]),
        ("/api/v1/versions", {"dataset": {"namespace": "n", "name": "t"}, "idempotencyKey": "k"}),
    ],
)
def test_ingest_stops_before_the_disk_is_full(
    database_url: str, tmp_path: Path, path: str, body: Any
) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path, min_free_disk_bytes=NEVER) as web:
            response = await web.client.post(path, json=body, headers=web.local)
            assert response.status_code == 503
            problem = problem_of(response)
            assert (problem["code"], problem["minimum_bytes"]) == ("disk-full", NEVER)
            assert "retry-after" in response.headers
            ready = await web.client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["checks"]["disk"]["ok"] is False
            # Reading goes on.
            assert (await web.client.get("/healthz")).status_code == 200

    asyncio.run(scenario())
    assert ledger(database_url) == []


def test_an_orderly_end_commits_what_was_taken_in(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> int:
        async with running_web(database_url, tmp_path) as web:
            with held_append_lock(database_url, APPEND_LOCK):
                posts = [asyncio.create_task(web.post_event(event(f"job {number}"))) for number in range(20)]
                await asyncio.sleep(0.2)
        # The application has ended; every sender has its answer.
        responses = await asyncio.wait_for(asyncio.gather(*posts), 1)
        return sum(response.status_code == 201 for response in responses)

    assert asyncio.run(scenario()) == 20 == len(ledger(database_url))


def test_an_end_does_not_wait_for_a_commit_that_hangs(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        with contextlib.ExitStack() as held:
            async with running_web(database_url, tmp_path) as web:
                lock = held.enter_context(held_append_lock(database_url, APPEND_LOCK))
                post = asyncio.create_task(web.post_event(event("one")))
                await asyncio.sleep(0.2)
                started = asyncio.get_running_loop().time()
            assert asyncio.get_running_loop().time() - started < 2.5
            response = await asyncio.wait_for(post, 1)
            assert response.status_code == 503
            assert problem_of(response)["retryable"] is True
            lock.execute("SELECT pg_advisory_unlock(%s)", (APPEND_LOCK,))

    asyncio.run(scenario())


def test_after_the_end_nothing_is_taken_in(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            pass
        with pytest.raises(Exception, match="the server ends"):
            await web.services.group_commit.append([NewFact("x", b"x" * 16, "test", json.dumps({}).encode())])

    asyncio.run(scenario())
