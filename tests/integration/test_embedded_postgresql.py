"""The embedded PostgreSQL: what a start leaves in place, for root and for an ordinary user."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.embedded import EmbeddedPostgreSQL
from catalog.embedded.account import server_account
from catalog.embedded.leftovers import server_processes
from catalog.errors import DataFolderInUse
from tests.services.postgresql import connect, remove_data_folder, temporary_data_folder
from tests.services.postgresql_holder import holder_of

#: Who runs Headwater in a test: this user, and when that is root an ordinary one too.
USERS = [None, "nobody"] if os.geteuid() == 0 else [None]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_data_folder() as folder:
        yield folder


def quiet(_: str) -> None:
    pass


def one(url: str, statement: str) -> object:
    with connect(url) as connection:
        row = connection.execute(statement).fetchone()  # type: ignore[call-overload]
        assert row is not None
        return row[0]


def test_first_start_makes_the_database_and_a_warm_start_keeps_it(data_dir: Path) -> None:
    said: list[str] = []
    database = EmbeddedPostgreSQL(data_dir, progress=said.append)

    url = database.start()
    assert said == ["creates the database"]
    assert one(url, "SELECT current_user || ' ' || current_database()") == "headwater headwater"
    with connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    database.stop()
    assert database.pid is None
    assert not (data_dir / "postgresql" / "postmaster.pid").exists()

    began = time.monotonic()
    assert database.start() == url
    assert time.monotonic() - began < 3
    assert one(url, "SELECT answer FROM kept") == 42
    assert said == ["creates the database"]
    database.stop()


def test_acknowledged_is_durable_and_nobody_listens_on_the_network(data_dir: Path) -> None:
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    url = database.start()
    try:
        expected = {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "listen_addresses": "",
            "jit": "off",
            "TimeZone": "UTC",
        }
        found = {name: one(url, f"SELECT current_setting('{name}')") for name in expected}
        assert found == expected
        locale = "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'headwater'"
        assert one(url, locale) == "bC.UTF-8"
        methods = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
        assert one(database.administrator_url, methods) == ["peer"]
    finally:
        database.stop()


def test_the_role_of_the_catalog_is_no_superuser(data_dir: Path) -> None:
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    url = database.start()
    try:
        assert one(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert one(url, "SELECT pg_has_role('pg_monitor', 'member')") is True
    finally:
        database.stop()


@pytest.mark.parametrize("user", USERS)
def test_only_the_server_account_reaches_cluster_and_sockets(data_dir: Path, user: str | None) -> None:
    if user:
        shutil.chown(data_dir, user)
    with holder_of(data_dir, user) as holder:
        account = holder.postmaster.username()
        assert account == ("headwater" if os.geteuid() == 0 and user is None else user or account)
        sockets = Path(holder.execute("SHOW unix_socket_directories")[0][0].strip('"'))
        for private in (sockets, sockets / ".s.PGSQL.5432", data_dir / "postgresql"):
            status = private.stat()
            assert stat.S_IMODE(status.st_mode) == 0o700
            assert status.st_uid == holder.postmaster.uids().real
        assert len(os.fsencode(sockets / ".s.PGSQL.5432")) <= 100
    assert not sockets.exists()


def test_settings_of_the_user_win_and_survive(data_dir: Path) -> None:
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    database.start()
    database.stop()
    (data_dir / "postgresql" / "local.conf").write_text("work_mem = '33MB'\n")
    url = database.start()
    try:
        assert one(url, "SHOW work_mem") == "33MB"
    finally:
        database.stop()


def test_the_log_is_in_the_data_folder_and_bounded(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.embedded.log_file.LIMIT_BYTES", 4000)
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    database.start()
    try:
        for number in range(60):
            with connect(database.administrator_url) as connection:
                connection.execute(f"DO $$ BEGIN RAISE LOG 'line {number}'; END $$")
            database.maintain()
            assert (data_dir / "postgresql.log").stat().st_size < 5000
        assert "line 59" in (data_dir / "postgresql.log").read_text()
        assert (data_dir / "postgresql.log.1").stat().st_size < 6000
    finally:
        database.stop()


def test_a_second_holder_is_told_who_the_first_is(data_dir: Path) -> None:
    with holder_of(data_dir) as holder:
        second = EmbeddedPostgreSQL(data_dir, progress=quiet)
        with pytest.raises(DataFolderInUse, match=rf"process {holder.process.pid} \(.*postgresql_holder"):
            second.start()
        assert holder.execute("SELECT 1") == [[1]]


def test_two_data_folders_run_at_once(data_dir: Path) -> None:
    with temporary_data_folder() as other, holder_of(data_dir) as first, holder_of(other) as second:
        assert first.answer["url"] != second.answer["url"]
        first.execute("CREATE TABLE only_here ()")
        assert second.execute("SELECT to_regclass('only_here')") == [[None]]


@pytest.mark.parametrize("user", USERS)
def test_spaces_strange_letters_and_long_paths_work(data_dir: Path, user: str | None) -> None:
    folder = data_dir / "two  spaces" / "ünïcödé, comma 'quote' \"double\" $dollar" / "/".join(["x" * 45] * 4)
    if user:
        shutil.chown(data_dir, user)
    try:
        with holder_of(folder, user) as holder:
            holder.execute("CREATE TABLE kept ()")
        with holder_of(folder, user) as holder:
            assert holder.execute("SELECT to_regclass('kept')") == [["kept"]]
    finally:
        remove_data_folder(folder)


def test_nothing_runs_after_a_stop(data_dir: Path) -> None:
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    database.start()
    account = server_account()
    cluster = (data_dir / "postgresql").resolve()
    assert server_processes(cluster, account)
    database.stop()
    assert server_processes(cluster, account) == []


def test_a_stop_does_not_wait_for_clients(data_dir: Path) -> None:
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    with connect(database.start()) as connection:
        connection.execute("BEGIN")
        began = time.monotonic()
        database.stop(timeout=4)
        assert time.monotonic() - began < 4
        connection.close()
