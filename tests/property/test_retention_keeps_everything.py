"""A checkpoint and the facts behind it make what all facts make, wherever rounds of retention fell between them.

What GraphQL tells stays equal through each round.
"""

import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy import Engine

from catalog.database import create_database_engine
from catalog.facts import FactKind, Outcome, attempt_claimed, attempt_ended, command
from catalog.ledger import NewFact
from catalog.tables import TABLES
from hooks.replay.checkpoint import Checkpoint, newest_checkpoint
from hooks.retention.rounds import make_checkpoint
from tests.services.postgresql import drop_database, fresh_database
from tests.support import answers
from tests.support.graphql import follow_all
from tests.support.history import documents, plain, report
from tests.support.retention import events, everything, retained
from tests.support.spine import T0, append, connect, fact_of_event, follow, run_event
from tests.support.verification import faults

RUNS = [uuid.UUID(int=number) for number in range(1, 5)]
NAMES = ["a", "b", "raw"]
#: Pipelines whose runs are told of; a run's id is not known before.
TOLD_ATTEMPTS = "SELECT id, attempt FROM pipeline_run WHERE state = 'queued' ORDER BY number LIMIT 2"
ROUND = "round"
#: What goes with the bodies of a run's events, and what says so (decision 16).
GOES = {"Run": {"facets", "removedEvents"}, "RunDataset": {"facets"}, "Fact": {"body"}}


@st.composite
def told(draw: st.DrawFn) -> Any:
    """An event, a report, a command; or a round, after which nothing before it has its body."""
    kind = draw(st.sampled_from(["event"] * 6 + ["report", "report", "trigger", "attempts", "bad", ROUND]))
    if kind == "event":
        number = draw(st.integers(0, 3))
        event = run_event(
            RUNS[number],
            draw(st.sampled_from(["START", "RUNNING", "COMPLETE", "COMPLETE", "FAIL"])),
            job="jk"[number % 2],
            at=T0 + dt.timedelta(seconds=draw(st.integers(0, 5))),
            inputs=draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)),
            outputs=draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)),
            output_facets={"tags": {"tags": [{"key": draw(st.sampled_from(NAMES))}]}},
        )
        return fact_of_event(event)
    if kind == "report":
        return report(draw(st.sampled_from("ab")), draw(st.integers(0, 30)))
    if kind == "trigger":
        return command(
            FactKind.PIPELINE_TRIGGER, {"pipeline": draw(st.sampled_from(["each_a", "none"]))}, actor="test"
        )
    if kind == "bad":
        # One that cannot be applied: it is parked, and so it keeps its body.
        run = RUNS[draw(st.integers(0, 3))]
        digest = draw(st.binary(min_size=16, max_size=16))
        return NewFact(FactKind.OPENLINEAGE_RUN, digest, "test", b"[]", run_id=run)
    return kind


def live(connection: psycopg.Connection[Any], url: str, data_dir: Path, step: Any) -> None:
    if step == ROUND:
        follow_all(connection)
        before = answers.told(url, data_dir, without=GOES)
        retained(url, everything(connection), most_positions=12)
        after = answers.told(url, data_dir, without=GOES)
        assert answers.differences(before, after) == []
        return
    facts = [step]
    if step == "attempts":
        rows = connection.execute(TOLD_ATTEMPTS).fetchall()
        # As hosts do: the claim and the fact of it commit together.
        for run, attempt in rows:
            connection.execute(
                "INSERT INTO attempt_claim (run_id, attempt, host) VALUES (%s, %s, 'host')"
                " ON CONFLICT DO NOTHING",
                (run, attempt),
            )
        facts = [attempt_claimed(run, attempt, host="host") for run, attempt in rows]
        outcomes = zip(rows, (0, 1), strict=False)
        facts += [
            attempt_ended(run, attempt, Outcome.EXITED, actor="host:host", at=T0, exit_code=code)
            for (run, attempt), code in outcomes
        ]
    if facts:
        append(connection, facts)
        follow(connection)


@pytest.fixture(scope="module")
def database(cluster_url: str, template_database: str) -> Iterator[tuple[str, Engine]]:
    """One database for all examples."""
    url = fresh_database(cluster_url, template_database)
    engine = create_database_engine(url, pool_size=3, application_name="headwater-test")
    yield url, engine
    engine.dispose()
    drop_database(url)


def emptied(connection: psycopg.Connection[Any]) -> None:
    """Leave the database as a new installation has it."""
    kept = {"compatibility", "follower", "graph_generation", "installation", "removal"}
    names = sql.SQL(", ").join(map(sql.Identifier, sorted(set(TABLES) - kept)))
    connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names))
    connection.execute("ALTER SEQUENCE fact_position RESTART")
    connection.execute("UPDATE follower SET position = 0, processed = 0, holder = NULL")
    connection.execute("UPDATE removal SET done_to = 0, events = 0, bytes = 0")


def held_by(connection: psycopg.Connection[Any], until: int, *, of_its_run: bool) -> set[int]:
    """Events that are parked or lie behind the position themselves, or whose run has a fact that does."""
    rows = connection.execute(
        "SELECT position FROM fact f WHERE kind LIKE 'openlineage.%%' AND EXISTS ("
        " SELECT FROM fact o WHERE (o.position = f.position OR %(of_its_run)s AND o.run_id = f.run_id)"
        " AND (o.position > %(until)s OR o.position IN (SELECT position FROM parked)))",
        {"until": until, "of_its_run": of_its_run},
    )
    return {position for (position,) in rows}


def rows_of(checkpoint: Checkpoint) -> dict[str, tuple[int, str]]:
    """The rows of each table as a set: in which order they lie is no matter."""
    return {table.name: (table.rows, table.digest) for table in checkpoint.manifest.tables}


@given(st.lists(told(), min_size=8, max_size=18))
@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
def test_a_checkpoint_and_the_rest_make_what_all_facts_make(
    database: tuple[str, Engine], tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    url, engine = database
    data_dir = tmp_path_factory.mktemp("data")
    with connect(url) as connection:
        emptied(connection)
        append(connection, [documents()])
        follow(connection)
        bodies: dict[int, bytes] = {}
        for step in [*steps, ROUND]:
            kept = connection.execute("SELECT position, body FROM fact WHERE body <> ''").fetchall()
            bodies |= dict(kept)
            live(connection, url, data_dir, step)
        # What is kept and what is not agree with all that can be checked.
        assert faults(engine, "ledger.positions", "followers", "state") == {}
        held = {position for position, has_body in events(connection).items() if has_body}
        checkpoint = newest_checkpoint(connection)
        if checkpoint is None:
            return
        # With every body back, all of it followed at once gives the same rows.
        for position, body in bodies.items():
            connection.execute("UPDATE fact SET body = %s WHERE position = %s", (body, position))
        connection.execute("DELETE FROM checkpoint")
        whole = make_checkpoint(connection, plain(url), checkpoint.until)
        assert rows_of(whole) == rows_of(checkpoint)
        # Nothing was held that need not be, and whatever must be.
        needed = held_by(connection, checkpoint.until, of_its_run=False)
        assert needed <= held <= held_by(connection, checkpoint.until, of_its_run=True)
