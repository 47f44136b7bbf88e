"""The embedded PostgreSQL after kills: the next start recovers alone and harms nobody."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from catalog.embedded import EmbeddedPostgreSQL
from catalog.embedded.account import server_account
from catalog.embedded.leftovers import server_processes
from catalog.embedded.places import cluster_place
from catalog.errors import ServerFailed
from tests.services.postgresql import connect, temporary_data_folder
from tests.services.postgresql_holder import ROOT, holder_command, holder_of


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_data_folder() as folder:
        yield folder


def quiet(_: str) -> None:
    pass


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def rows(data_dir: Path) -> list[int]:
    """Start, read the table, stop."""
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    try:
        with connect(database.start()) as connection:
            return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY 1")]
    finally:
        database.stop()


def test_a_killed_postmaster_starts_again_with_its_data(data_dir: Path) -> None:
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    url = database.start()
    try:
        with connect(url) as connection:
            connection.execute("CREATE TABLE kept (number int)")
        for number in range(3):
            with connect(url) as connection:
                connection.execute("INSERT INTO kept VALUES (%s)", (number,))
                assert database.pid is not None
                os.kill(database.pid, signal.SIGKILL)
                eventually(lambda: database.pid is None)
                connection.close()
            assert database.start() == url
        with connect(url) as connection:
            assert connection.execute("SELECT number FROM kept ORDER BY 1").fetchall() == [(0,), (1,), (2,)]
    finally:
        database.stop()


def test_postgresql_ends_when_the_process_that_started_it_is_killed(data_dir: Path) -> None:
    with holder_of(data_dir) as holder:
        holder.execute("CREATE TABLE kept AS SELECT 1 AS number")
        postmaster, guard = holder.postmaster, holder.guard
        assert guard.memory_info().rss < 4 * 1024 * 1024
        holder.kill()
        eventually(lambda: ended(postmaster) and ended(guard))
    # It ended orderly: nothing is left to recover from.
    assert not (data_dir / "postgresql" / "postmaster.pid").exists()
    assert rows(data_dir) == [1]


def test_a_server_that_lost_supervisor_and_guard_is_replaced(data_dir: Path) -> None:
    with holder_of(data_dir) as holder:
        holder.execute("CREATE TABLE kept AS SELECT 1 AS number")
        postmaster = holder.postmaster
        holder.guard.kill()
        holder.kill()
        assert not ended(postmaster)

    said: list[str] = []
    database = EmbeddedPostgreSQL(data_dir, progress=said.append)
    with connect(database.start()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(1,)]
        assert ended(postmaster)
        assert any(str(postmaster.pid) in message for message in said)
    database.stop()


def guards(data_dir: Path) -> list[psutil.Process]:
    """The running guards of this folder's cluster; the suite's own server has one in this process as well."""
    cluster = str((data_dir / "postgresql").resolve())
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            command = child.cmdline()
            if "headwater-guard" in command and cluster in command:
                found.append(child)
    return found


def test_a_killed_guard_is_replaced(data_dir: Path) -> None:
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    database.start()
    try:
        [guard] = guards(data_dir)
        guard.kill()
        eventually(lambda: ended(guard))
        database.maintain()
        [other] = guards(data_dir)
        assert other.pid != guard.pid
    finally:
        database.stop()


def test_everything_killed_at_once_recovers(data_dir: Path) -> None:
    with holder_of(data_dir) as holder:
        holder.execute("CREATE TABLE kept AS SELECT 1 AS number")
        victims = [*holder.postmaster.children(), holder.postmaster, holder.guard]
        holder.kill()
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
    assert rows(data_dir) == [1]


def kill_all_of(data_dir: Path) -> None:
    """Make a cluster with a row and kill its postmaster, its guard and its holder."""
    with holder_of(data_dir) as holder:
        holder.execute("CREATE TABLE kept AS SELECT 1 AS number")
        postmaster = holder.postmaster
        holder.guard.kill()
        postmaster.kill()
        holder.kill()
    cluster, account = (data_dir / "postgresql").resolve(), server_account()
    eventually(lambda: not server_processes(cluster, account))


@contextlib.contextmanager
def stranger_of_the_server_account(folder: Path) -> Iterator[psutil.Process]:
    """A process that the server takes for its own, were it to go by user and process id."""
    account = server_account()
    with subprocess.Popen(
        ["sleep", "600"], cwd=folder, user=account.uid if account.dedicated else None
    ) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def test_a_stranger_with_the_recorded_process_id_lives_on(data_dir: Path) -> None:
    kill_all_of(data_dir)
    cluster = (data_dir / "postgresql").resolve()
    # The stranger even stands in the cluster's folder, as somebody who looks around there does.
    with stranger_of_the_server_account(cluster) as stranger:
        pid_file = cluster / "postmaster.pid"
        recorded = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(stranger.pid), *recorded[1:]]) + "\n")
        [lock_file] = Path(recorded[4]).glob(".s.PGSQL.*.lock")
        lock_file.write_text("\n".join([str(stranger.pid), *lock_file.read_text().splitlines()[1:]]) + "\n")

        assert rows(data_dir) == [1]
        assert stranger.status() == psutil.STATUS_SLEEPING


@pytest.mark.parametrize("content", ["", "not a number\n"])
def test_a_pid_file_cut_short_does_not_stop_the_start(data_dir: Path, content: str) -> None:
    kill_all_of(data_dir)
    (data_dir / "postgresql" / "postmaster.pid").write_text(content)
    assert rows(data_dir) == [1]


def test_a_busy_backend_without_postmaster_ends_before_the_next_start(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.embedded.leftovers.ORPHAN_STEPS", [(1.0, signal.SIGQUIT)])
    said: list[str] = []
    database = EmbeddedPostgreSQL(data_dir, progress=said.append)
    url = database.start()

    def compute() -> None:
        with contextlib.suppress(psycopg.OperationalError), connect(url) as connection:
            connection.execute("SELECT count(*) FROM generate_series(1, 1000000000000)")

    client = threading.Thread(target=compute)
    client.start()
    cluster, account = (data_dir / "postgresql").resolve(), server_account()

    def busy() -> list[psutil.Process]:
        processes = server_processes(cluster, account)
        return [process for process in processes if "SELECT" in " ".join(process.cmdline())]

    eventually(lambda: bool(busy()))
    [backend] = busy()
    assert database.pid is not None
    os.kill(database.pid, signal.SIGKILL)
    try:
        database.start()
        assert ended(backend)
        assert any(str(backend.pid) in message for message in said)
    finally:
        client.join()
        database.stop()


@pytest.mark.parametrize("milliseconds", [0, 100, 250, 400])
def test_a_kill_during_the_first_start_leaves_nothing_broken(data_dir: Path, milliseconds: int) -> None:
    with subprocess.Popen(holder_command(data_dir), cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "creates the database\n"
        time.sleep(milliseconds / 1000)
        process.kill()

    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    database.start()
    database.stop()
    # What an initdb that went on alone has left is gone after one more start.
    place = cluster_place(data_dir, server_account())
    eventually(lambda: not processes_that_name(str(place.cluster.with_name(f"{place.stem}.new-"))))
    database.start()
    database.stop()
    assert list(place.cluster.parent.glob(f"{place.stem}.new-*")) == []


def processes_that_name(path: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if path in " ".join(process.cmdline()):
                found.append(process.pid)
    return found


def test_a_long_recovery_is_waited_for_with_progress(data_dir: Path) -> None:
    kill_all_of(data_dir)
    cluster = data_dir / "postgresql"
    # Recovery from an archive whose every answer takes a while: nobody can connect meanwhile.
    (cluster / "local.conf").write_text("restore_command = 'sleep 0.8; exit 1'\nhot_standby = off\n")
    (cluster / "recovery.signal").touch()
    said: list[str] = []
    database = EmbeddedPostgreSQL(data_dir, progress=said.append)
    with connect(database.start()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(1,)]
    database.stop()
    assert [message for message in said if message.startswith("PostgreSQL recovers from a crash (1 s): ")]


def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    kill_all_of(data_dir)
    (data_dir / "postgresql" / "local.conf").write_text("shared_buffers = 'much'\n")
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    with pytest.raises(ServerFailed, match='invalid value for parameter "shared_buffers"'):
        database.start()
    assert database.pid is None
    assert not database.lock.held
