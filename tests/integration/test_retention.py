"""Retention: bodies of old events go once a checkpoint stands for them; whatever was made of them stays."""

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from catalog.archive.reading import open_archive
from catalog.archive.writing import snapshot, write_archive
from catalog.database import create_database_engine
from catalog.errors import Conflict, PositionNotReached
from catalog.facts import FactKind
from catalog.follower import retry_parked
from catalog.ledger import NewFact, compress
from catalog.progress import Progress
from catalog.tables import TableRole, tables_of
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from hooks.retention import rounds
from hooks.retention.bodies import takeable
from hooks.retention.horizon import horizon
from hooks.retention.rounds import run_rounds
from hooks.retention.standing import read_standing
from tests.services.postgresql import drop_database, fresh_database
from tests.support.history import History, plain, report
from tests.support.retention import events, everything, instant_behind, retained
from tests.support.simulation import CrashingConnection, SimulatedCrash
from tests.support.spine import append, connect, fact_of_event, follow, parked, run_event, state_follower
from tests.support.verification import faults, verified
from web.restoring import restore
from web.verification import verify

#: What a round adds to the state: the fact's own row, and its verdict.
ADDED = ("events_removed", "command_result")


@pytest.fixture
def database_url(lived_database: str) -> str:
    """A database in which an installation has lived."""
    return lived_database


def contents(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Every row of the state but those of rounds, and all of the facts but bodies of events."""
    text = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1")
    found = {
        name: connection.execute(text.format(sql.Identifier(name))).fetchall()
        for name in tables_of(TableRole.STATE, TableRole.VIEW)
        if name not in ADDED
    }
    facts = connection.execute(
        "SELECT position, kind, received_at, event_time, actor, run_id, digest, redactions,"
        " CASE WHEN kind LIKE 'openlineage.%' THEN '' ELSE body END FROM fact WHERE kind <> 'events.remove'"
        " ORDER BY position"
    )
    return found | {"facts": facts.fetchall()}


def test_bodies_go_and_everything_else_stays(
    lived: psycopg.Connection[Any], database_url: str, engine: Engine
) -> None:
    before = contents(lived)
    done = retained(database_url, everything(lived), most_positions=20)
    # Some checkpoints were made one after another, and the last alone is kept.
    assert done.checkpoints > 1
    assert lived.execute("SELECT until FROM checkpoint").fetchall() == [(done.until,)]
    assert not any(kept for position, kept in events(lived).items() if position <= done.until)
    assert done.taken.events == len(events(lived))
    assert contents(lived) == before
    assert faults(engine) == {}
    # The graph is made anew from what was observed, and that stays.
    assert [found.wrong for found in verified(engine, "graph").findings] == [0]
    # A second time there is nothing to do.
    again = retained(database_url, everything(lived))
    assert (again.checkpoints, again.taken.events, again.until) == (0, 0, done.until)


def test_life_goes_on_from_a_checkpoint(
    lived: psycopg.Connection[Any], database_url: str, engine: Engine
) -> None:
    retained(database_url, everything(lived))
    told = fact_of_event(run_event(uuid.UUID(int=1), "START", job="j0", inputs=["raw"]))
    later = History(database_url, engine, restored=True)
    try:
        # What comes a second time is known as that, without its body.
        (again,) = append(lived, [told])
        assert again.duplicate
        # Runs of before the checkpoint go on, and what was queued before it starts runs behind it.
        later.tell(
            fact_of_event(run_event(uuid.UUID(int=1), "FAIL", job="j0")),
            fact_of_event(run_event(uuid.UUID(int=9), job="j1", inputs=["raw"], outputs=["path/b"])),
            report("a", 20),
            report("b", 21),
        )
        later.work()
        later.follow_graph()
        assert faults(engine) == {}
        until = retained(database_url, everything(lived)).until
        assert faults(engine) == {}
    finally:
        later.close()
    assert not any(kept for position, kept in events(lived).items() if position <= until)


def test_only_what_is_old_enough_and_followed_goes(lived: psycopg.Connection[Any], database_url: str) -> None:
    first, *_, last = events(lived)
    assert horizon(lived, instant_behind(lived, first)) == first
    assert horizon(lived, dt.datetime(2020, 1, 1, tzinfo=dt.UTC)) == 0
    (cursor,) = lived.execute("SELECT position FROM follower WHERE name = 'state'").fetchone() or (0,)
    assert horizon(lived, everything(lived)) == cursor - 1
    append(lived, [fact_of_event(run_event(uuid.UUID(int=77), job="j"))])
    assert horizon(lived, everything(lived)) == cursor - 1
    would = takeable(lived, cursor - 1)
    assert (would.events, would.bytes > 0) == (len(events(lived)) - 1, True)
    assert last < cursor
    done = retained(database_url, instant_behind(lived, first))
    # Its run has other events, that are younger.
    assert done.taken.events == 0
    assert read_standing(lived).waiting == 1


def test_events_of_a_run_keep_their_bodies_together(
    lived: psycopg.Connection[Any], database_url: str, engine: Engine
) -> None:
    run = uuid.UUID(int=50)
    start, other = append(
        lived, [fact_of_event(run_event(run, kind, job="long")) for kind in ("START", "RUNNING")]
    )
    follow(lived)
    append(lived, [fact_of_event(run_event(uuid.UUID(int=51), job="short"))])
    follow(lived)
    ended = append(lived, [fact_of_event(run_event(run, "COMPLETE", job="long"))])
    follow(lived)
    retained(database_url, instant_behind(lived, other.position + 1))
    found = events(lived)
    assert (found[start.position], found[other.position], found[ended[0].position]) == (True, True, True)
    assert found[other.position + 1] is False
    assert read_standing(lived).waiting == 2
    assert faults(engine) == {}
    # When all of them are old enough they go.
    append(lived, [report("a", 30)])
    retained(database_url, everything(lived))
    assert not any(kept for position, kept in events(lived).items() if position <= ended[0].position)
    assert read_standing(lived).waiting == 0


def test_what_is_parked_keeps_its_body_until_it_was_applied_before_a_checkpoint(
    lived: psycopg.Connection[Any], database_url: str, engine: Engine
) -> None:
    event = fact_of_event(run_event(uuid.UUID(int=60), job="late", outputs=["a"]))
    (bad,) = append(lived, [NewFact(event.kind, event.digest, "test", b"[]", run_id=event.run_id)])
    follow(lived)
    append(lived, [report("a", 40), report("b", 41)])
    follow(lived)
    assert [position for _, position, _, _ in parked(lived)] == [bad.position]
    retained(database_url, everything(lived))
    assert events(lived)[bad.position] is True
    # It is mended, and applied behind the checkpoint.
    lived.execute("UPDATE fact SET body = %s WHERE position = %s", (compress(event.body), bad.position))
    retry_parked(lived, state_follower(), bad.position)
    assert faults(engine) == {}
    standing = read_standing(lived)
    assert (standing.waiting, standing.unfinished) == (1, False)
    append(lived, [report("a", 42), fact_of_event(run_event(uuid.UUID(int=61), job="x")), report("a", 43)])
    follow(lived)
    retained(database_url, everything(lived))
    assert events(lived)[bad.position] is False
    assert faults(engine) == {}


def test_a_kill_at_any_statement_does_no_harm(
    lived: psycopg.Connection[Any], database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 0

    @contextmanager
    def session_to_die(conninfo: str, **_: Any) -> Iterator[psycopg.Connection[Any]]:
        with CrashingConnection.connect(conninfo, autocommit=True) as connection:
            connection.statements_left = left
            yield connection

    before = contents(lived)
    monkeypatch.setattr(rounds, "long_session", session_to_die)
    crashes = 0
    while True:
        try:
            done = retained(database_url, everything(lived), most_positions=40)
        except SimulatedCrash:
            crashes += 1
        else:
            break
        removed = read_standing(lived).removed
        until = 0 if removed is None else removed.until
        # No body is gone that no fact has given up, and for what is gone there is a checkpoint.
        assert all(kept for position, kept in events(lived).items() if position > until)
        reaching = lived.execute("SELECT FROM checkpoint WHERE until >= %s", (until,)).fetchone()
        assert until == 0 or reaching is not None
        # Every death comes some statements later than the last, so that in the end nobody dies.
        left += 9 if crashes % 4 else 2
    assert crashes > 5
    assert contents(lived) == before
    assert not any(kept for position, kept in events(lived).items() if position <= done.until)
    assert faults(engine) == {}


def test_whoever_watches_may_end_it(lived: psycopg.Connection[Any], database_url: str) -> None:
    def end(progress: Progress) -> None:
        if progress.phase == "checkpoint":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_rounds(plain(database_url), everything(lived), actor="test", progress=end)
    assert lived.execute("SELECT count(*) FROM checkpoint").fetchone() == (0,)
    assert retained(database_url, everything(lived)).taken.events > 0


def test_one_is_at_it_and_somebody_must_follow(
    lived: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "LOCK_SECONDS", 0.1)
    lived.execute("SELECT pg_advisory_lock(%s)", (rounds.RETENTION_LOCK,))
    with pytest.raises(Conflict, match="another process is at it"):
        run_rounds(plain(database_url), everything(lived), actor="test")
    lived.execute("SELECT pg_advisory_unlock(%s)", (rounds.RETENTION_LOCK,))
    monkeypatch.setattr(rounds, "FOLLOW_SECONDS", 0.1)
    monkeypatch.setattr(rounds, "LOCK_SECONDS", 5.0)
    with pytest.raises(PositionNotReached, match="the next run goes on"):
        run_rounds(plain(database_url), everything(lived), actor="test")
    assert all(events(lived).values())
    assert read_standing(lived).unfinished
    assert retained(database_url, everything(lived)).taken.events > 0


def test_a_round_beside_verify_changes_nothing_that_it_sees(
    lived: psycopg.Connection[Any], database_url: str, engine: Engine
) -> None:
    taken: list[int] = []

    def meanwhile(progress: Progress) -> None:
        # The first batch was followed; the bodies of all that comes next are taken now.
        if progress.phase == "replay" and not taken:
            assert progress.done < progress.total
            taken.append(retained(database_url, everything(lived)).taken.events)

    found = verify(plain(database_url), PostgresqlGraphMaintenance(engine), progress=meanwhile)
    assert {each.check: each.told for each in found.findings if each.wrong} == {}
    assert taken[0] > 0
    assert faults(engine) == {}


def test_a_backup_holds_the_checkpoint(
    lived: psycopg.Connection[Any], database_url: str, cluster_url: str, tmp_path: Path
) -> None:
    until = retained(database_url, everything(lived)).until
    file = tmp_path / "one.tar"
    with snapshot(plain(database_url)) as connection:
        write_archive(connection, file)
    url = fresh_database(cluster_url)
    elsewhere = create_database_engine(url, pool_size=2, application_name="headwater-test")
    try:
        with open_archive(file) as archive:
            graph = PostgresqlGraphMaintenance(elsewhere)
            restore(plain(url), archive, state_follower(), graph, continued=False, actor="test")
        assert faults(elsewhere) == {}
        with connect(url) as there:
            append(there, [fact_of_event(run_event(uuid.UUID(int=70), job="j")), report("a", 50)])
            follow(there)
            assert retained(url, everything(there)).until > until
        assert faults(elsewhere) == {}
    finally:
        elsewhere.dispose()
        drop_database(url)


#: What is done to a database after a round: the check that sees it, and what it says.
FAULTS = {
    "UPDATE checkpoint_part SET content = '\\x00' WHERE name LIKE 'run/%'": (
        "state",
        "run/00000 of the checkpoint at {until} is not what was written: its SHA-256 differs",
    ),
    "UPDATE checkpoint SET manifest = '{{}}'": (
        "state",
        "the manifest of the checkpoint at {until} is not what was written",
    ),
    "UPDATE checkpoint SET digest = encode(sha256('{{}}'), 'hex'), manifest = '{{}}'": (
        "state",
        "the checkpoint at {until} cannot be read: ",
    ),
    "DELETE FROM checkpoint": ("state", "tells of a checkpoint at {until}, and it is not there"),
    "UPDATE events_removed SET checkpoint = 'other'": ("state", "is not the one that fact"),
    "UPDATE dataset_version SET state = 'partial' WHERE position < 5": ("state", "different in state"),
    "DELETE FROM run WHERE position < 5": ("state", "missing"),
    "UPDATE fact SET body = '' WHERE kind = 'version.report'": (
        "ledger.digests",
        "has no body, and is no event",
    ),
    "DELETE FROM events_removed": ("ledger.digests", "has no body, and no fact says that it was removed"),
}


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_faults_of_what_is_not_kept_are_found(
    lived: psycopg.Connection[Any], database_url: str, engine: Engine, number: int
) -> None:
    statement, (check, told) = list(FAULTS.items())[number]
    until = retained(database_url, everything(lived)).until
    assert lived.execute(statement.replace("{{}}", "{}").encode()).rowcount > 0
    found = faults(engine, check)
    assert any(told.format(until=until) in text for text in found[check]), found


def test_a_fact_that_cannot_be_followed_again_keeps_its_body(
    lived: psycopg.Connection[Any], database_url: str
) -> None:
    lived.execute("UPDATE fact SET body = %s WHERE position = 1", (compress(b"[]"),))
    with pytest.raises(Exception, match=r"fact 1 \(documents.apply\) was applied and cannot be again"):
        retained(database_url, everything(lived))
    assert all(events(lived).values())
    kinds = lived.execute("SELECT DISTINCT kind FROM fact").fetchall()
    assert (FactKind.EVENTS_REMOVE.value,) not in kinds
