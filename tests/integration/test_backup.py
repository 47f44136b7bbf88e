"""A backup restores to what it was taken of, and nothing that may have started since starts again."""

import gzip
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from catalog.archive.form import Manifest
from catalog.archive.reading import open_archive
from catalog.archive.writing import archived_tables, snapshot, write_archive
from catalog.database import create_database_engine
from catalog.errors import Conflict, InvalidArchive, NewerArchive, NotFound
from catalog.migrations import HEAD
from catalog.tables import TABLES
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from tests.services.postgresql import drop_database, fresh_database
from tests.support.history import History, history, plain, report
from tests.support.spine import append, connect, state_follower
from web.restoring import Restored, prove, restore
from web.verification import verify


@pytest.fixture
def lived(database_url: str, engine: Engine) -> Iterator[History]:
    with history(database_url, engine) as found:
        yield found


@pytest.fixture
def empty_url(cluster_url: str) -> Iterator[str]:
    url = fresh_database(cluster_url)
    yield url
    drop_database(url)


@pytest.fixture
def elsewhere(empty_url: str) -> Iterator[Engine]:
    engine = create_database_engine(empty_url, pool_size=5, application_name="headwater-test")
    yield engine
    engine.dispose()


def back_up(lived: History, file: Path) -> Manifest:
    with snapshot(lived.url) as connection:
        return write_archive(connection, file)


def restored(file: Path, url: str, elsewhere: Engine, *, continued: bool = False) -> Restored:
    with open_archive(file) as archive:
        graph = PostgresqlGraphMaintenance(elsewhere)
        return restore(url, archive, state_follower(), graph, continued=continued, actor="test")


def findings(engine: Engine, url: str) -> dict[str, list[str]]:
    found = verify(plain(url), PostgresqlGraphMaintenance(engine)).findings
    return {each.check: each.told for each in found if each.wrong}


def states(connection: psycopg.Connection[Any]) -> dict[tuple[str, int], tuple[str, int]]:
    rows = connection.execute("SELECT pipeline, number, state, attempt FROM pipeline_run")
    return {(pipeline, number): (state, attempt) for pipeline, number, state, attempt in rows}


def rows_of(connection: psycopg.Connection[Any], table: str) -> list[Any]:
    statement = psycopg.sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(
        psycopg.sql.Identifier(table)
    )
    return connection.execute(statement).fetchall()


def test_a_backup_says_what_it_holds_and_any_tool_can_read_it(lived: History, tmp_path: Path) -> None:
    file = tmp_path / "one.tar"
    manifest = back_up(lived, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["one.tar"]
    assert manifest.header.revision == HEAD
    last = lived.connection.execute("SELECT max(position) FROM fact").fetchone()
    assert (manifest.header.ledger_position,) == last
    assert [table.name for table in manifest.tables] == archived_tables()
    with tarfile.open(file) as tar:
        names = tar.getnames()
        assert (names[0], names[-1]) == ("headwater-backup.json", "manifest.json")
        with tar.extractfile("tables/fact/00000.copy.gz") as member:  # type: ignore[union-attr]  # it is a file
            lines = gzip.decompress(member.read()).splitlines()
    assert len(lines) == next(table.rows for table in manifest.tables if table.name == "fact") > 20
    # The views are made anew, everything else is there.
    assert set(TABLES) - set(archived_tables()) == {
        name for name in TABLES if name.startswith(("graph", "search"))
    }


def test_what_was_not_going_on_is_restored_to_the_row(
    lived: History, tmp_path: Path, empty_url: str, elsewhere: Engine
) -> None:
    back_up(lived, tmp_path / "one.tar")
    done = restored(tmp_path / "one.tar", empty_url, elsewhere, continued=True)
    with connect(empty_url) as connection:
        for table in sorted(set(archived_tables()) - {"fact", "fact_digest", "command_result", "follower"}):
            assert rows_of(connection, table) == rows_of(lived.connection, table), table
        # Whoever follows is there again; nobody would make a follower's row anew.
        followers = "SELECT name FROM follower ORDER BY name"
        assert connection.execute(followers).fetchall() == lived.connection.execute(followers).fetchall()
        # The ledger has one fact more, which tells of it.
        told = connection.execute(
            "SELECT kind, actor FROM fact WHERE position = %s", (done.position,)
        ).fetchall()
        assert told == [("installation.restored", "test")]
        assert (done.held, done.lost) == (0, 0)
    assert findings(elsewhere, empty_url) == {}


def test_nothing_that_may_have_started_since_starts_again(
    lived: History, tmp_path: Path, empty_url: str, elsewhere: Engine
) -> None:
    # One attempt is running on its host, others hold slots, others wait.
    lived.engine.crash = "after"
    assert lived.worker.work(lived.chooser, "after")
    lived.follow()
    before = states(lived.connection)
    assert {"launching", "queued", "pending"} <= {state for state, _ in before.values()}
    back_up(lived, tmp_path / "one.tar")
    # What is lost: everything goes on after the backup was written.
    lived.tell(report("a", 50))
    lived.work()
    lost_starts = set(lived.engine.starts)
    lost_runs = {run for (run,) in lived.connection.execute("SELECT id FROM pipeline_run")}

    done = restored(tmp_path / "one.tar", empty_url, elsewhere)

    with connect(empty_url) as connection:
        after = states(connection)
        assert done.held == sum(state == "pending" for state, _ in before.values()) > 0
        assert done.lost == sum(state in ("queued", "retrying") for state, _ in before.values()) > 0
        for name, (state, attempt) in before.items():
            match state:
                case "pending":
                    assert after[name] == ("held", attempt)
                case "queued" | "retrying":
                    # By its policy: `each_a` may be attempted again, the others not.
                    again = name[0] == "each_a" and attempt == 1
                    assert after[name] == (("retrying", attempt + 1) if again else ("lost", attempt))
                case _:
                    assert after[name] == (state, attempt)
    assert findings(elsewhere, empty_url) == {}

    # Another host does all jobs that there are, and new data comes.
    other = History(empty_url, elsewhere, failing_share=0, restored=True)
    try:
        other.tell(report("a", 51))
        other.connection.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")
        other.work()
        started = set(other.engine.starts)
        assert started
        assert started & lost_starts == set()
        new = {
            run
            for (run,) in other.connection.execute(
                "SELECT id FROM pipeline_run WHERE due_position > %s", (done.position,)
            )
        }
        assert new
        assert new & lost_runs == set()
        # The attempt that a host had claimed is that host's to judge: no other has touched it.
        assert "launching" in {state for state, _ in states(other.connection).values()}
        boots = other.connection.execute(
            "SELECT DISTINCT boot FROM attempt_claim c JOIN pipeline_run r ON r.id = c.run_id AND r.attempt = c.attempt"
            " WHERE r.state = 'launching' AND c.host <> ''"
        ).fetchall()
        assert boots == [("restored from an archive",)]
        # Who is held goes on when somebody says so.
        other.release_held()
        other.work()
        assert "held" not in {state for state, _ in states(other.connection).values()}
        assert set(other.engine.starts.values()) == {1}
        other.follow_graph()
    finally:
        other.close()
    assert findings(elsewhere, empty_url) == {}


def test_facts_that_waited_for_the_state_follower_count_as_what_may_have_gone_on(
    lived: History, tmp_path: Path, empty_url: str, elsewhere: Engine
) -> None:
    append(lived.connection, [report("a", 60)])
    manifest = back_up(lived, tmp_path / "one.tar")
    assert manifest.header.state_position < manifest.header.ledger_position
    done = restored(tmp_path / "one.tar", empty_url, elsewhere)
    with connect(empty_url) as connection:
        due = connection.execute(
            "SELECT DISTINCT state FROM pipeline_run WHERE due_position = %s",
            (manifest.header.ledger_position,),
        ).fetchall()
        assert due == [("held",)]
        assert connection.execute("SELECT position FROM follower WHERE name = 'state'").fetchone() == (
            done.position,
        )
    assert findings(elsewhere, empty_url) == {}


def test_a_backup_holds_one_instant_while_others_write(lived: History, tmp_path: Path) -> None:
    stop = threading.Event()
    told = 0

    def tell() -> None:
        nonlocal told
        while not stop.is_set():
            lived.tell(report("b", 1000 + told), report("a", 1000 + told))
            told += 1

    writer = threading.Thread(target=tell)
    writer.start()
    try:
        for number in range(3):
            file = tmp_path / f"{number}.tar"
            with snapshot(lived.url) as connection:
                manifest = write_archive(connection, file)
            rows = {table.name: table.rows for table in manifest.tables}
            assert rows["fact"] == rows["fact_digest"]
    finally:
        stop.set()
        writer.join()
    assert told > 0
    with open_archive(tmp_path / "2.tar") as archive:
        assert prove(archive).holds


def rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Return a copy of the archive with changed members, or without those for which nothing is returned."""
    target = file.with_name("rewritten.tar")
    with tarfile.open(file) as source, tarfile.open(target, "w") as tar:
        for member in source.getmembers():
            with source.extractfile(member) as content:  # type: ignore[union-attr]  # all are files
                changed = change(member.name, content.read())
            if changed is not None:
                member.size = len(changed)
                tar.addfile(member, io.BytesIO(changed))
    return target


def with_manifest(**header: Any) -> Callable[[str, bytes], bytes]:
    def change(name: str, content: bytes) -> bytes:
        if not name.endswith(".json"):
            return content
        told = json.loads(content)
        (told["header"] if name == "manifest.json" else told).update(header)
        return json.dumps(told).encode()

    return change


def test_what_is_not_what_was_written_is_refused_and_leaves_nothing(
    lived: History, tmp_path: Path, empty_url: str, elsewhere: Engine
) -> None:
    file = tmp_path / "one.tar"
    back_up(lived, file)
    part = "tables/fact/00000.copy.gz"
    other_rows = gzip.compress(b"")
    refused: list[tuple[Path, type[Exception], str]] = [
        (tmp_path / "none.tar", NotFound, "there is no file"),
        (Path(__file__), InvalidArchive, "expected an archive"),
    ]
    for path, error, told in refused:
        with pytest.raises(error, match=told), open_archive(path):
            pass
    changes: list[tuple[Callable[[str, bytes], bytes | None], type[Exception], str]] = [
        (lambda name, content: None if name == "manifest.json" else content, InvalidArchive, "was cut short"),
        (
            lambda name, content: other_rows if name == part else content,
            InvalidArchive,
            "its SHA-256 differs",
        ),
        (lambda name, content: None if name == part else content, InvalidArchive, f"has no readable {part}"),
        (with_manifest(form=2), NewerArchive, "this release reads forms up to 1"),
        (with_manifest(revision="9999"), NewerArchive, "has schema 9999"),
    ]
    for change, error, told in changes:
        with pytest.raises(error, match=told):
            restored(rewritten(file, change), empty_url, elsewhere)
    content = file.read_bytes()
    (tmp_path / "short.tar").write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidArchive):
        restored(tmp_path / "short.tar", empty_url, elsewhere)
    with connect(empty_url) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)
    # It was the file that was wrong, not the database.
    restored(file, empty_url, elsewhere)


def test_neither_file_nor_database_is_written_over(
    lived: History, tmp_path: Path, database_url: str, engine: Engine
) -> None:
    file = tmp_path / "one.tar"
    back_up(lived, file)
    content = file.read_bytes()
    with pytest.raises(Conflict, match="expected no file at"):
        back_up(lived, file)
    assert file.read_bytes() == content
    before = rows_of(lived.connection, "fact")
    with pytest.raises(Conflict, match="expected an empty database, found the table"):
        restored(file, database_url, engine)
    assert rows_of(lived.connection, "fact") == before


def test_an_engine_is_asked_before_anything_is_sent_to_it_again(
    lived: History, tmp_path: Path, empty_url: str, elsewhere: Engine
) -> None:
    lived.connection.execute(
        "INSERT INTO engine_attempt (run_id, attempt, launcher, phase, deadline)"
        " SELECT id, 1, 'http', phase, now() FROM pipeline_run, unnest(ARRAY['ready', 'accepted']) AS phase"
        " WHERE number = CASE phase WHEN 'ready' THEN 1 ELSE 2 END AND pipeline = 'each_a'"
    )
    back_up(lived, tmp_path / "one.tar")
    restored(tmp_path / "one.tar", empty_url, elsewhere)
    with connect(empty_url) as connection:
        rows = connection.execute(
            "SELECT phase, doubtful, trouble FROM engine_attempt ORDER BY phase"
        ).fetchall()
    assert rows == [
        ("accepted", False, ""),
        ("unsure", True, "it may have been sent: restored from an archive"),
    ]
