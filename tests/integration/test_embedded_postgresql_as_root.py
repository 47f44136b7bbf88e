"""The embedded PostgreSQL as root: a user of its own, and clusters under /var/lib/headwater.

As an ordinary user there is nothing of this to prove: the tests are deselected then, and the run says so.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.embedded import EmbeddedPostgreSQL, account, binaries
from catalog.embedded.account import server_account
from catalog.embedded.binaries import LIBRARIES, PACKAGE, binaries_for, find_binaries
from catalog.errors import ConfigurationError, DataFolderInUse
from tests.services.postgresql import connect, temporary_data_folder
from tests.services.postgresql_holder import holder_of

pytestmark = pytest.mark.root


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_data_folder() as folder:
        yield folder


def quiet(_: str) -> None:
    pass


def start_and_stop(folder: Path, statement: str | None = None) -> list[tuple[object, ...]]:
    database = EmbeddedPostgreSQL(folder, progress=quiet)
    with connect(database.start()) as connection:
        cursor = connection.execute(statement.encode()) if statement else None
        rows = cursor.fetchall() if cursor is not None and cursor.description else []
    database.stop()
    return rows


def test_the_server_runs_as_a_user_of_its_own_and_the_folder_links_to_its_cluster(data_dir: Path) -> None:
    with holder_of(data_dir) as holder:
        assert holder.postmaster.username() == "headwater"
        assert holder.guard.username() == "headwater"
        link = data_dir / "postgresql"
        assert link.is_symlink()
        assert link.resolve().parent == Path("/var/lib/headwater/postgresql")
        assert link.resolve().owner() == "headwater"
    entry = pwd.getpwnam("headwater")
    assert entry.pw_shell.endswith("nologin")


def test_another_user_cannot_reach_the_sockets(data_dir: Path) -> None:
    with holder_of(data_dir) as holder:
        sockets = holder.execute("SHOW unix_socket_directories")[0][0].strip('"')
        listed = subprocess.run(["ls", sockets], user="nobody", capture_output=True, check=False)
        assert listed.returncode != 0
        assert b"Permission denied" in listed.stderr


def test_root_and_another_user_run_at_once(data_dir: Path) -> None:
    with temporary_data_folder() as other:
        shutil.chown(other, "nobody")
        with holder_of(data_dir) as first, holder_of(other, "nobody") as second:
            assert first.execute("SELECT 1") == second.execute("SELECT 1") == [[1]]


def test_root_leaves_the_folder_of_another_user_alone_and_the_other_way_round(data_dir: Path) -> None:
    with temporary_data_folder() as other:
        shutil.chown(other, "nobody")
        with holder_of(other, "nobody") as holder:
            holder.execute("CREATE TABLE kept ()")
        with pytest.raises(ConfigurationError, match="run Headwater as that user"):
            EmbeddedPostgreSQL(other, progress=quiet).start()
        with holder_of(other, "nobody") as holder:
            assert holder.execute("SELECT to_regclass('kept')") == [["kept"]]

    start_and_stop(data_dir)
    data_dir.chmod(0o777)
    (data_dir / "lock").chmod(0o666)
    with holder_of(data_dir, "nobody") as holder:
        assert holder.answer["error"] == "configuration"


def test_a_moved_data_folder_keeps_its_database(data_dir: Path) -> None:
    before, after = data_dir / "before", data_dir / "after"
    start_and_stop(before, "CREATE TABLE kept ()")
    before.rename(after)
    try:
        assert start_and_stop(after, "SELECT to_regclass('kept')::text") == [("kept",)]
    finally:
        (after / "postgresql").rename(data_dir / "postgresql")  # so that it is removed at the end


def test_two_copies_of_a_data_folder_do_not_run_one_cluster_twice(data_dir: Path) -> None:
    start_and_stop(data_dir)
    copy = data_dir / "copy"
    copy.mkdir()
    (copy / "postgresql").symlink_to((data_dir / "postgresql").resolve())
    with holder_of(data_dir) as holder:
        with pytest.raises(DataFolderInUse, match=f"process {holder.process.pid}"):
            EmbeddedPostgreSQL(copy, progress=quiet).start()
        assert holder.execute("SELECT 1") == [[1]]


def test_a_removed_data_folder_does_not_come_back(data_dir: Path) -> None:
    folder = data_dir / "data"
    start_and_stop(folder, "CREATE TABLE gone ()")
    (folder / "postgresql").rename(data_dir / "postgresql")  # so that it is removed at the end
    shutil.rmtree(folder)
    try:
        assert start_and_stop(folder, "SELECT to_regclass('gone')::text") == [(None,)]
    finally:
        cluster = (folder / "postgresql").resolve()
        shutil.rmtree(cluster)
        cluster.with_name(f"{cluster.name}.lock").unlink()


def test_a_kill_between_the_making_of_a_cluster_and_its_link_leaves_one_cluster(data_dir: Path) -> None:
    start_and_stop(data_dir, "CREATE TABLE kept ()")
    link = data_dir / "postgresql"
    link.rename(data_dir / "postgresql.new")  # as it is just before the link is set
    assert start_and_stop(data_dir, "SELECT to_regclass('kept')::text") == [("kept",)]
    assert not (data_dir / "postgresql.new").is_symlink()


def test_a_link_that_somebody_else_planted_is_refused(data_dir: Path) -> None:
    start_and_stop(data_dir)
    planted = data_dir / "planted"
    planted.mkdir()
    (planted / "postgresql").symlink_to((data_dir / "postgresql").resolve())
    os.chown(planted / "postgresql", pwd.getpwnam("nobody").pw_uid, -1, follow_symlinks=False)
    with pytest.raises(ConfigurationError):
        EmbeddedPostgreSQL(planted, progress=quiet).start()


def test_binaries_out_of_reach_are_copied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    original = find_binaries()
    with tempfile.TemporaryDirectory() as folder:
        hidden, state = Path(folder) / "hidden", Path(folder) / "state"
        Path(folder).chmod(0o755)
        hidden.mkdir(mode=0o700)
        (hidden / PACKAGE).mkdir()
        (hidden / PACKAGE / "__init__.py").touch()
        shutil.copytree(original.folder, hidden / PACKAGE / original.install)
        if (original.site / LIBRARIES).exists():
            shutil.copytree(original.site / LIBRARIES, hidden / LIBRARIES)
        monkeypatch.syspath_prepend(hidden)
        monkeypatch.setattr(binaries, "STATE_FOLDER", state)

        (state / "postgresql-x.new-killed").mkdir(parents=True)
        copy = binaries_for(server_account())
        assert copy.folder.is_relative_to(state)
        assert not (state / "postgresql-x.new-killed").exists()
        with server_account().popen([str(copy.initdb), "--version"]) as process:
            assert process.wait() == 0
        made = copy.postgres.stat().st_ino
        assert binaries_for(server_account()) == copy
        assert copy.postgres.stat().st_ino == made

        with temporary_data_folder() as data_dir:
            start_and_stop(data_dir)


def test_a_user_that_cannot_be_made_is_explained(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "DEDICATED_NAME", "no such: user")
    with pytest.raises(ConfigurationError, match="ordinary user, or set HEADWATER_DATABASE_URL"):
        EmbeddedPostgreSQL(data_dir, progress=quiet).start()
