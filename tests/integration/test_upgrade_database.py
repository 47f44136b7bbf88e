"""A data folder of an older PostgreSQL: refused with a way on, and carried over with everything in it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.database import create_database_engine
from catalog.embedded import EmbeddedPostgreSQL
from catalog.embedded.account import server_account
from catalog.embedded.binaries import find_binaries
from catalog.errors import ConfigurationError, DatabaseVersionMismatch, DataFolderInUse, NotFound
from catalog.migrations import migrate
from catalog.progress import no_progress
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from tests.services.old_cluster import MAJOR, make_old_cluster, one, server_program
from tests.services.postgresql import temporary_data_folder
from tests.support.history import history, plain
from tests.support.spine import connect, state_follower
from web import upgrading
from web.upgrading import Upgraded, upgrade_database
from web.verification import verify


def quiet(_: str) -> None:
    pass


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_data_folder() as folder:
        yield folder
        # As root the clusters lie elsewhere, and only their links here.
        for kept in folder.glob("postgresql-*"):
            if kept.is_symlink():
                cluster = kept.resolve()
                shutil.rmtree(cluster)
                cluster.with_name(f"{cluster.name}.lock").unlink(missing_ok=True)


def upgrade(data_dir: Path) -> Upgraded | None:
    return upgrade_database(data_dir, state_follower(), programs=None, say=quiet, progress=no_progress)


def runs(url: str) -> list[Any]:
    with connect(url) as connection:
        return connection.execute(
            "SELECT id, state, attempt, reason FROM pipeline_run ORDER BY id"
        ).fetchall()


def live(data_dir: Path) -> list[Any]:
    """Let an installation live on the old server; return its runs."""
    make_old_cluster(data_dir)
    old = EmbeddedPostgreSQL(data_dir, progress=quiet, program=server_program(server_account()))
    url = old.start()
    try:
        assert str(one(url, "SELECT current_setting('server_version')")).startswith(f"{MAJOR}.")
        engine = create_database_engine(url, pool_size=2, application_name="headwater-test")
        migrate(engine)
        with history(url, engine):
            pass
        engine.dispose()
        return runs(url)
    finally:
        old.stop()


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_database_of_an_older_postgresql_is_refused_and_then_carried_over(data_dir: Path) -> None:
    before = live(data_dir)
    cluster = (data_dir / "postgresql").resolve()
    untouched = files_of(cluster)
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    with pytest.raises(
        DatabaseVersionMismatch, match=f"made by PostgreSQL {MAJOR}.*headwater upgrade-database"
    ) as refused:
        database.start()
    assert refused.value.code == "database-version"
    assert files_of(cluster) == untouched

    upgraded = upgrade(data_dir)
    assert upgraded is not None
    assert (upgraded.before, upgraded.now) == (MAJOR, find_binaries().major)
    assert upgraded.rows > 100
    # The old one is kept, whole; nothing else is left of the work.
    assert (upgraded.kept / "PG_VERSION").read_text().strip() == MAJOR
    assert {path.name for path in data_dir.iterdir()} <= {
        "postgresql",
        upgraded.kept.name,
        "lock",
        "postgresql.log",
    }

    url = database.start()
    try:
        assert str(one(url, "SELECT current_setting('server_version')")).startswith(f"{upgraded.now}.")
        # Nothing was held or lost: Headwater did not run in between.
        assert runs(url) == before
        engine = create_database_engine(url, pool_size=1, application_name="headwater-test")
        assert verify(plain(url), PostgresqlGraphMaintenance(engine)).holds
        engine.dispose()
        with pytest.raises(DataFolderInUse):
            upgrade(data_dir)
    finally:
        database.stop()
    assert upgrade(data_dir) is None


def test_an_upgrade_that_is_killed_goes_on(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = live(data_dir)

    class Killed(BaseException):
        pass

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    # Before anything has changed places: the folder is as it was, and what was begun is begun anew.
    monkeypatch.setattr(upgrading, "_exchange", kill)
    with pytest.raises(Killed):
        upgrade(data_dir)
    assert (data_dir / "postgresql" / "PG_VERSION").read_text().strip() == MAJOR
    monkeypatch.undo()

    # Between the two renames there is no database, and none is made in its place.
    monkeypatch.setattr(upgrading, "sync_folder", kill)
    with pytest.raises(Killed):
        upgrade(data_dir)
    monkeypatch.undo()
    (data_dir / "postgresql").rename(data_dir / "upgrading" / "postgresql")
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    with pytest.raises(
        ConfigurationError, match="an upgrade was interrupted, so run `headwater upgrade-database` again"
    ):
        database.start()
    assert not (data_dir / "postgresql").exists()
    upgraded = upgrade(data_dir)
    assert upgraded is not None
    assert upgraded.kept == data_dir / f"postgresql-{MAJOR}"
    url = database.start()
    try:
        assert runs(url) == before
    finally:
        database.stop()


def test_what_cannot_be_upgraded_is_left_alone(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="there is no database in"):
        upgrade(data_dir)
    with pytest.raises(NotFound, match="there is no database in"):
        upgrade(data_dir / "nowhere")
    assert not (data_dir / "nowhere").exists()
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    database.start()
    database.stop()
    version = data_dir / "postgresql" / "PG_VERSION"
    for found, told in (
        # Nobody has the programs of this one, and none is tried.
        ("14", "found no server program of PostgreSQL 14 on this machine: install its package"),
        ("99", "none goes back"),
        ("strange", "none goes back"),
    ):
        version.write_text(f"{found}\n")
        cluster = (data_dir / "postgresql").resolve()
        untouched = files_of(cluster)
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(DatabaseVersionMismatch, match=told):
            upgrade(data_dir)
        monkeypatch.undo()
        assert files_of(cluster) == untouched
    version.write_text("99\n")
    with pytest.raises(DatabaseVersionMismatch, match="run it with a release that has PostgreSQL 99"):
        database.start()
