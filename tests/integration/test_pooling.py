"""Poolers between Headwater and its database: sessions of one's own where they are needed, or a clear refusal."""

import contextlib
import sys
from pathlib import Path

import psycopg
import pytest

from catalog.database import create_database_engine, driver_connection
from catalog.errors import ConfigurationError
from catalog.pooling import has_shared_sessions, refuse_shared_sessions
from tests.services.pgbouncer import pgbouncer
from tests.services.pooler import session_pooler, transaction_pooler
from tests.support.command_line import (
    CommandLine,
    clean_environment,
    installation,
    pipeline_yaml,
    running_process,
)
from tests.support.history import history
from web.bootstrap import conninfo


def test_a_session_of_ones_own_is_told_from_a_shared_one(database_url: str) -> None:
    assert has_shared_sessions(conninfo(database_url)) is False
    for sessions in (1, 2, 5):
        with transaction_pooler(database_url, sessions=sessions) as pooled:
            assert has_shared_sessions(pooled) is True
            with pytest.raises(
                ConfigurationError, match=r"^HEADWATER_X leads .* HEADWATER_DATABASE_DIRECT_URL"
            ):
                refuse_shared_sessions(pooled, setting="HEADWATER_X")


def test_every_start_refuses_a_pooler_of_transactions_and_says_what_to_do(
    database_url: str, tmp_path: Path
) -> None:
    with transaction_pooler(database_url) as pooled:
        headwater = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=pooled))
        for command in (["serve", "--port", "0"], ["worker"], ["migrate"], ["up", "--port", "0"]):
            said = headwater(*command)
            assert said.code == 2, (command, said)
            assert "headwater: configuration: HEADWATER_DATABASE_URL leads through a pooler" in said.err
            assert "HEADWATER_DATABASE_DIRECT_URL" in said.err
        # The direct one must be direct.
        both = headwater.with_environment(HEADWATER_DATABASE_DIRECT_URL=pooled)
        assert "HEADWATER_DATABASE_DIRECT_URL leads through a pooler" in both("worker").err
        findings = {found["check"]: found for found in headwater("doctor", "--json").json["findings"]}
        assert findings["sessions"]["status"] == "problem"
        assert "HEADWATER_DATABASE_DIRECT_URL" in findings["sessions"]["advice"]


def test_a_direct_url_alone_is_half_of_what_is_needed(database_url: str, tmp_path: Path) -> None:
    headwater = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_DIRECT_URL=database_url))
    for command in (("up", "--port", "0"), ("token", "list"), ("doctor",)):
        said = headwater(*command)
        assert said.code == 2, (command, said)
        assert "expected HEADWATER_DATABASE_URL beside" in said.err


def test_everything_works_through_it_with_a_direct_url_beside(database_url: str, tmp_path: Path) -> None:
    # Two sessions for all pooled connections: what one transaction left in a session, another client finds.
    with transaction_pooler(database_url, sessions=2) as pooled:
        with installation(pooled, tmp_path, HEADWATER_DATABASE_DIRECT_URL=database_url) as there:
            (tmp_path / "p.yaml").write_text(pipeline_yaml("p", "raw", sys.executable, "-c", "print('ran')"))
            there.headwater.done("apply", "-f", str(tmp_path / "p.yaml"))
            for number in range(12):
                there.headwater.done("emit", "version", "--dataset", "ns", "raw", "--key", str(number))
            there.headwater.done("trigger", "p", "--wait")
            assert there.headwater.done("runs", "logs", "p/1").out == "ran\n"
            runs = there.headwater.done("runs", "list", "--json").json["runs"]
            assert len(runs) == 13
            there.headwater.done("lineage", "dataset:ns:raw")
            there.headwater.done("why", "last")
        administration = CommandLine(
            clean_environment(
                tmp_path, HEADWATER_DATABASE_URL=pooled, HEADWATER_DATABASE_DIRECT_URL=database_url
            )
        )
        administration.done("graph", "rebuild")
        administration.done("graph", "verify")
        findings = {found["check"]: found for found in administration("doctor", "--json").json["findings"]}
        assert findings["sessions"]["status"] == "ok"


#: As many as a command has at once.
SESSIONS = 6


def commands_that_take_long(pooled: str, folder: Path, database_url: str) -> None:
    """Check the laws twice and back everything up through a pooler of sessions, each on a session used before."""
    engine = create_database_engine(database_url, pool_size=2, application_name="headwater-test")
    with history(database_url, engine):
        pass
    engine.dispose()
    # Somebody's temporary tables in every session: it keeps the room that it had for them.
    with contextlib.ExitStack() as stack:
        for _ in range(SESSIONS):
            other = stack.enter_context(psycopg.connect(pooled, autocommit=True))
            other.execute("CREATE TEMPORARY TABLE mine AS SELECT 1 AS number")
    headwater = CommandLine(clean_environment(folder, HEADWATER_DATABASE_URL=pooled))
    for _ in range(2):
        found = headwater.done("verify", "--json").json
        assert found["holds"] is True
    headwater.done("backup", str(folder / "one.tar"))


def test_what_takes_long_works_through_a_pooler_of_sessions(database_url: str, tmp_path: Path) -> None:
    with session_pooler(database_url, sessions=SESSIONS) as pooled:
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
            psycopg.connect(pooled, options="-c timezone=UTC")
        commands_that_take_long(pooled, tmp_path, database_url)


@pytest.mark.pgbouncer
def test_what_takes_long_works_through_pgbouncer(database_url: str, tmp_path: Path) -> None:
    with pgbouncer(database_url, tmp_path) as pooled:
        assert has_shared_sessions(pooled) is False
        commands_that_take_long(pooled, tmp_path, database_url)


def test_a_pooled_engine_keeps_nothing_in_a_session_that_another_lacks(database_url: str) -> None:
    with transaction_pooler(database_url, sessions=3) as pooled:
        engine = create_database_engine(
            pooled, pool_size=3, application_name="headwater-test", through_pooler=True
        )
        for number in range(30):
            with engine.begin() as connection:
                raw = driver_connection(connection)
                # A statement that was prepared in one session would be unknown in the next.
                row = raw.execute("SELECT %s::int, current_setting('TimeZone')", (number,)).fetchone()
                assert row == (number, "UTC")
        engine.dispose()


def test_a_url_of_something_else_is_refused_without_its_password(tmp_path: Path) -> None:
    for url in ("mysql://me:hunter2@db/x", "hunter2", "postgresql://me:hunter2@db:port/x"):
        said = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=url))("migrate")
        assert said.code == 2, said
        assert said.err.startswith("headwater: configuration: ")
        assert "hunter2" not in said.err


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path, HEADWATER_DATABASE_URL="postgresql://127.0.0.1:1/x")
    with running_process(["worker"], environment, tmp_path / "worker.log") as line:
        assert line == "worker ready\n"
    assert "connections.not_checked" in (tmp_path / "worker.log").read_text()
