"""Beside a newer release: this one goes on with what it knows, leaves what it does not, and parks nothing."""

import asyncio
import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from sqlalchemy import Engine

import catalog.follower
from catalog.archive.writing import snapshot, write_archive
from catalog.documents.kinds import parse_document
from catalog.errors import NotUnderstood, SchemaTooNew
from catalog.facts import FactKind, command, natural_digest
from catalog.follower import Follower, run_follower
from catalog.forms import GRAPH_FORM, STATE_FORM
from catalog.ledger import NewFact
from catalog.migrations import HEAD, current_revision, migrate
from catalog.schema import Schema, Standing, read_schema
from catalog.settings import Settings
from graph.following import GraphLog
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from hooks.job_app import job_app
from hooks.state_follower import STATE_FOLLOWER_LOCK
from hooks.tasks import LEFT_SECONDS, TASKS
from tests.support.command_line import CommandLine, clean_environment
from tests.support.history import History, documents, history, plain, report
from tests.support.newer_release import REVISION, contract, expand, newer_fact, newer_follower
from tests.support.spine import (
    T0,
    append,
    connect,
    fact_of_event,
    parked,
    pipeline_body,
    run_event,
    state_follower,
)
from tests.support.web import running_web
from web.bootstrap import worker_parts
from web.doctor import Status, diagnose
from web.verification import verify


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url) as found:
        expand(found)
        yield found


def cursor(connection: psycopg.Connection[Any], name: str = "state") -> tuple[int, Any, Any]:
    row = connection.execute(
        "SELECT position, left_position, left_reason FROM follower WHERE name = %s", (name,)
    ).fetchone()
    assert row is not None
    return row


# The schema -------------------------------------------------------------------------------------------------


def test_a_schema_is_usable_where_it_fits_or_only_adds() -> None:
    older, newer = "0001", REVISION
    assert Schema(None).standing is Standing.NONE
    assert Schema(older).standing is Standing.OLDER
    assert Schema(HEAD, HEAD).standing is Standing.CURRENT
    assert Schema(newer, HEAD).standing is Standing.NEWER
    assert Schema(newer, newer).standing is Standing.TOO_NEW
    assert Schema(newer).standing is Standing.TOO_NEW
    assert [Schema(*told).usable for told in ((older,), (HEAD,), (newer, older), (newer, newer))] == [
        False,
        True,
        True,
        False,
    ]


def test_everything_goes_on_beside_what_a_newer_release_added(
    connection: psycopg.Connection[Any], database_url: str, engine: Engine, tmp_path: Path
) -> None:
    assert read_schema(connection).standing is Standing.NEWER
    # Nobody migrates back.
    assert migrate(engine) is False
    assert current_revision(engine) == REVISION
    with history(database_url, engine) as lived:
        assert parked(lived.connection) == []
    found = verify(plain(database_url), PostgresqlGraphMaintenance(engine))
    assert {each.check: each.told for each in found.findings if each.wrong} == {}
    # What is in tables that this release does not know would be missing from its backup.
    with pytest.raises(SchemaTooNew, match=REVISION), snapshot(plain(database_url)) as seen:
        write_archive(seen, tmp_path / "one.tar")


def test_what_a_newer_release_changed_too_far_is_left_alone(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as connection:
        contract(connection)
    headwater = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=database_url))
    for arguments in (["worker"], ["serve", "--port", "0"], ["up", "--port", "0"], ["verify"]):
        said = headwater(*arguments)
        assert (said.code, said.err.split(": ")[1]) == (2, "schema-too-new"), said
    findings = {each.check: each for each in diagnose(Settings(data_dir=tmp_path), database_url)}
    assert findings["migrations"].status is Status.PROBLEM
    assert findings["follower"].status is Status.UNKNOWN

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            response = await web.client.get("/readyz")
            assert response.status_code == 503
            assert REVISION in response.json()["checks"]["migrations"]["found"]

    asyncio.run(scenario())


# Facts ------------------------------------------------------------------------------------------------------


def run_row(statement: str) -> Callable[[psycopg.Connection[Any]], None]:
    def change(connection: psycopg.Connection[Any]) -> None:
        assert connection.execute(statement.encode()).rowcount > 0

    return change


def newer_document() -> NewFact:
    """A command that a newer release took: its kind of document is not known here."""
    body = {"apiVersion": "headwater/v2", "kind": "Comet", "metadata": {"name": "halley"}, "spec": {}}
    told = orjson.dumps({"documents": [body], "expected": {}, "schema": REVISION})
    return NewFact(FactKind.DOCUMENTS_APPLY, natural_digest("newer document"), "test", told)


def newer_field() -> NewFact:
    """A command that a newer release took: this one does not know a field of the document."""
    known = parse_document(pipeline_body("newer", "a"), source="test").body
    body = {**known, "spec": {**known["spec"], "tail": "long"}}
    told = orjson.dumps({"documents": [body], "expected": {}, "schema": REVISION})
    return NewFact(FactKind.DOCUMENTS_APPLY, natural_digest("newer field"), "test", told)


def newer_outcome(connection: psycopg.Connection[Any]) -> NewFact:
    """An outcome that this release does not have, of an attempt that runs."""
    row = connection.execute("SELECT id, attempt FROM pipeline_run WHERE state = 'queued' LIMIT 1").fetchone()
    assert row is not None
    body = {"attempt": row[1], "outcome": "evaporated", "exitCode": None, "reason": "", "at": T0}
    return NewFact(
        FactKind.ATTEMPT_ENDED, natural_digest("newer outcome"), "test", orjson.dumps(body), run_id=row[0]
    )


FACTS: dict[str, Callable[[psycopg.Connection[Any]], NewFact]] = {
    "a kind": lambda _: newer_fact(1),
    "a kind of document": lambda _: newer_document(),
    "a field of a document": lambda _: newer_field(),
    "an outcome": newer_outcome,
}


@pytest.mark.parametrize("what", FACTS)
def test_a_fact_of_a_newer_release_is_left_where_it_is(
    connection: psycopg.Connection[Any], database_url: str, engine: Engine, tmp_path: Path, what: str
) -> None:
    with history(database_url, engine):
        pass
    # Before it stands what this release knows, behind it too.
    places = append(connection, [report("b", 50), FACTS[what](connection), report("b", 51)])
    follower = state_follower()
    steps = [follower.step(connection) for _ in range(3)]
    assert [(step.taken, step.left) for step in steps] == [(1, False), (0, True), (0, True)]
    position, left, reason = cursor(connection)
    assert (position, left) == (places[0].position, places[1].position)
    assert reason
    assert parked(connection) == []

    # It is told, as work for another and not as a fault of this one.
    findings = {each.check: each for each in diagnose(Settings(data_dir=tmp_path), database_url)}
    assert findings["parked"].status is Status.OK

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            response = await web.client.get("/readyz")
            assert response.status_code == 200
            assert response.json()["status"] == "degraded"
            check = response.json()["checks"]["left.state"]
            assert not check["ok"]
            assert check["found"].startswith(f"{places[1].position} is left to a newer release since 20")

    asyncio.run(scenario())


def test_a_command_that_no_release_can_read_is_refused(connection: psycopg.Connection[Any]) -> None:
    broken = command(
        FactKind.DOCUMENTS_APPLY, {"documents": [{"kind": "Comet"}], "expected": {}}, actor="test"
    )
    (place,) = append(connection, [broken])
    assert state_follower().step(connection).taken == 1
    verdict = connection.execute(
        "SELECT accepted, code FROM command_result WHERE position = %s", (place.position,)
    )
    assert verdict.fetchone() == (False, "invalid-document")


STORED = {
    "a state of a run": "UPDATE pipeline_run SET state = 'frozen' WHERE state = 'queued'",
    "a stored document": "UPDATE document SET body = jsonb_set(body, '{spec,tail}', '1') WHERE name = 'each_a'",
    "a format of a merged run": "UPDATE run SET merged = '{\"format\": 99}'",
}


@pytest.mark.parametrize("what", STORED)
def test_rows_of_a_newer_release_are_left_as_they_are(
    connection: psycopg.Connection[Any], database_url: str, engine: Engine, what: str
) -> None:
    with history(database_url, engine):
        pass
    run_row(STORED[what])(connection)
    row = connection.execute("SELECT id FROM pipeline_run WHERE state = 'frozen' LIMIT 1").fetchone()
    facts = {
        "a state of a run": [command(FactKind.RUN_CANCEL, {}, actor="test", run_id=row and row[0])],
        "a stored document": [report("a", 50)],
        "a format of a merged run": [_event(uuid.UUID(int=1))],
    }[what]
    append(connection, facts)
    assert state_follower().step(connection).left
    assert parked(connection) == []


def _event(run: uuid.UUID) -> NewFact:
    return fact_of_event(run_event(run, "OTHER", job="j0"))


def test_an_observation_of_a_newer_release_is_left_where_it_is(
    connection: psycopg.Connection[Any], database_url: str, engine: Engine
) -> None:
    with history(database_url, engine):
        pass
    end = cursor(connection, "graph")[0]
    connection.execute("INSERT INTO observation (position, kind, body) VALUES (1, 'comet', '[]')")
    follower: Follower[Any] = Follower(GraphLog(), batch=100, holder="test")
    assert follower.step(connection).left
    position, left, reason = cursor(connection, "graph")
    assert position == end
    assert left > end
    assert "'comet'" in reason
    maintenance = PostgresqlGraphMaintenance(engine)
    with pytest.raises(NotUnderstood, match="rebuild the graph with that"):
        maintenance.rebuild()
    assert parked(connection) == []
    # A graph that was made anew by somebody who can leaves nothing.
    connection.execute("DELETE FROM observation WHERE kind = 'comet'")
    maintenance.rebuild()
    assert cursor(connection, "graph")[1:] == (None, None)


# Followers --------------------------------------------------------------------------------------------------


def test_once_a_newer_release_has_followed_in_its_form_this_one_follows_no_more(
    connection: psycopg.Connection[Any],
) -> None:
    assert (STATE_FORM, GRAPH_FORM) == (1, 1)
    append(connection, [documents(), newer_fact(1), report("a", 1)])
    older = state_follower()
    assert [older.step(connection).left for _ in range(2)] == [False, True]
    newer = newer_follower()
    while newer.step(connection).taken:
        pass
    # What was left has been done, and nobody talks of it any more.
    position, left, _ = cursor(connection)
    assert left is None
    assert connection.execute("SELECT form FROM follower WHERE name = 'state'").fetchone() == (2,)
    append(connection, [report("a", 2)])
    step = older.step(connection)
    assert (step.taken, step.left) == (0, True)
    assert cursor(connection)[1] == position + 1
    assert "wrote in form 2, this one knows forms up to 1" in cursor(connection)[2]
    assert newer.step(connection).taken == 1
    assert cursor(connection)[:2] == (position + 1, None)
    # Who says too late what it leaves is not heard: that has been done.
    older._leave(connection, position + 1, NotUnderstood())
    assert cursor(connection)[1] is None
    assert parked(connection) == []


def test_a_worker_gives_the_lock_to_one_that_understands(
    connection: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog.follower, "LEFT_SECONDS", 0.3)
    stop = threading.Event()
    url = plain(database_url)
    append(connection, [documents(), newer_fact(1), report("a", 1)])

    def follow(follower: Follower[Any]) -> threading.Thread:
        keywords = {"poll_seconds": 0.05, "lock_key": STATE_FOLLOWER_LOCK}
        thread = threading.Thread(
            target=run_follower, args=(follower, lambda: psycopg.connect(url), stop), kwargs=keywords
        )
        thread.start()
        return thread

    threads = [follow(state_follower())]
    try:
        wait_until(lambda: cursor(connection)[1] is not None)
        threads.append(follow(newer_follower()))
        wait_until(lambda: cursor(connection)[:2] == (3, None))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert parked(connection) == []


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Jobs and answers -------------------------------------------------------------------------------------------


def take_launches(settings: Settings, database_url: str) -> None:
    """Take the jobs that are due in the queue of launches, once each."""
    parts = worker_parts(settings, database_url)

    async def work() -> None:
        app = job_app(parts.launch, parts.engines, parts.webhooks, parts.conninfo)
        assert {name for name in app.tasks if name.startswith("headwater.")} == TASKS
        async with app.open_async():
            await app.run_worker_async(
                queues=["launch"], wait=False, install_signal_handlers=False, delete_jobs="successful"
            )

    asyncio.run(work())
    parts.engine.dispose()


JOBS = "SELECT task_name, status::text, scheduled_at BETWEEN now() AND now() + %s FROM procrastinate_jobs"


def test_a_job_of_a_newer_release_stays_in_the_queue(
    connection: psycopg.Connection[Any], database_url: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES"
        " ('launch', 'headwater.comet', '{\"tail\": \"long\"}'),"
        " ('launch', 'headwater.launch', '{\"attempts\": []}')"
    )
    take_launches(settings, database_url)
    soon = dt.timedelta(seconds=LEFT_SECONDS)
    assert connection.execute(JOBS, [soon]).fetchall() == [("headwater.comet", "todo", True)]
    findings = {each.check: each for each in diagnose(settings, database_url)}
    assert findings["queue.left"].found == "left to a newer release: 1 headwater.comet"
    assert "newest release" in findings["queue.left"].advice


def test_a_job_that_meets_what_a_newer_release_stored_stays_in_the_queue(
    connection: psycopg.Connection[Any], database_url: str, tmp_path: Path
) -> None:
    append(connection, [documents(), report("a", 1)])
    follower = state_follower()
    while follower.step(connection).taken:
        pass
    started = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()
    run_row("UPDATE document SET body = jsonb_set(body, '{spec,tail}', '1') WHERE kind = 'Pipeline'")(
        connection
    )
    take_launches(Settings(data_dir=tmp_path, allow_commands=[tmp_path]), database_url)
    soon = dt.timedelta(seconds=LEFT_SECONDS)
    left = connection.execute(JOBS, [soon]).fetchall()
    assert (len(left),) == started
    assert set(left) == {("headwater.launch", "todo", True)}
    # Nothing was begun.
    assert connection.execute("SELECT count(*) FROM attempt_claim").fetchone() == (0,)


def test_an_answer_with_a_word_of_a_newer_release_asks_to_come_back(
    connection: psycopg.Connection[Any], database_url: str, engine: Engine, tmp_path: Path
) -> None:
    lived = History(database_url, engine)
    try:
        lived.tell(documents(), report("a", 1))
    finally:
        lived.close()
    connection.execute("UPDATE pipeline_run SET state = 'frozen'")

    async def scenario() -> None:
        async with running_web(database_url, tmp_path) as web:
            query = {"query": "{ pipelineRuns { nodes { number state } } }"}
            answer = (await web.client.post("/graphql", json=query)).json()
            extensions = answer["errors"][0]["extensions"]
            assert (extensions["code"], extensions["retryable"]) == ("not-understood", True)
            # What was asked wrongly stays the asker's fault.
            query = {"query": "query A($id: ID!) { run(id: $id) { id } }", "variables": {"id": ["x"]}}
            answer = (await web.client.post("/graphql", json=query)).json()
            assert answer["errors"][0]["extensions"]["code"] == "invalid-query"

    asyncio.run(scenario())
