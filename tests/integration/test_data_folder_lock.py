"""The lock on a data folder: exclusive, named, and free only when nobody who inherited it lives."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from catalog.embedded import DataFolderLock
from catalog.errors import ConfigurationError, DataFolderInUse

PROJECT = Path(__file__).parents[2]

#: Takes the lock, leaves a child with it for some seconds, and says that it has.
HOLD = """
import os, sys, time
from pathlib import Path
from catalog.embedded import DataFolderLock
lock = DataFolderLock(Path(sys.argv[1]))
lock.acquire()
lock.announce("http://127.0.0.1:8642")
child = os.fork()
if child == 0:
    os.close(1)
    time.sleep(float(sys.argv[2]))
    os._exit(0)
print(child, flush=True)
time.sleep(600)
"""


def holding(folder: Path, child_seconds: float) -> tuple[subprocess.Popen[str], psutil.Process]:
    """Return a process that holds the folder, and its child, which has the lock by inheritance."""
    command = [sys.executable, "-c", HOLD, str(folder), str(child_seconds)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, psutil.Process(int(process.stdout.readline()))


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_the_folder_is_made_private_and_held_once(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with DataFolderLock(folder) as lock:
        assert lock.held
        assert folder.stat().st_mode & 0o777 == 0o700
        with pytest.raises(DataFolderInUse) as caught:
            DataFolderLock(folder).acquire()
        assert caught.value.details["pid"] == os.getpid()
    with DataFolderLock(folder) as again:
        assert again.held


def test_the_mode_of_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    tmp_path.chmod(0o751)
    with DataFolderLock(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o751


def test_the_second_is_told_process_command_and_url_of_the_first(tmp_path: Path) -> None:
    process, _ = holding(tmp_path, 0)
    try:
        with pytest.raises(DataFolderInUse) as caught:
            DataFolderLock(tmp_path).acquire()
        assert caught.value.details["url"] == "http://127.0.0.1:8642"
        for part in (f"process {process.pid}", "at http://127.0.0.1:8642", str(tmp_path), "--data-dir"):
            assert part in caught.value.message
    finally:
        end(process)


def test_a_killed_holder_does_not_block_but_its_last_child_is_waited_for(tmp_path: Path) -> None:
    process, child = holding(tmp_path, 1.0)
    end(process)
    assert child.is_running()

    said: list[str] = []
    lock = DataFolderLock(tmp_path)
    lock.acquire(said.append)
    lock.release()

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert len(said) == 1
    assert str(process.pid) in said[0]


def test_a_child_that_does_not_end_holds_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.embedded.folder_lock.INHERITED_SECONDS", 0.2)
    process, child = holding(tmp_path, 600)
    end(process)
    try:
        with pytest.raises(DataFolderInUse):
            DataFolderLock(tmp_path).acquire()
    finally:
        child.kill()


def test_a_stale_file_that_names_a_living_stranger_does_not_block(tmp_path: Path) -> None:
    with DataFolderLock(tmp_path) as lock:
        content = json.loads(lock.file.read_text())
    lock.file.write_text(json.dumps(content | {"pid": os.getppid()}))
    with DataFolderLock(tmp_path) as again:
        holder = again.holder()
        assert holder is not None
        assert holder.pid == os.getpid()


def test_a_file_that_says_nothing_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("{")
    with DataFolderLock(tmp_path) as lock:
        assert lock.held


def test_of_many_at_once_one_gets_the_folder(tmp_path: Path) -> None:
    locks = [DataFolderLock(tmp_path) for _ in range(8)]
    refused: list[DataFolderInUse] = []
    barrier = threading.Barrier(len(locks))

    def take(lock: DataFolderLock) -> None:
        barrier.wait()
        try:
            lock.acquire()
        except DataFolderInUse as exc:
            refused.append(exc)

    threads = [threading.Thread(target=take, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [lock.held for lock in locks].count(True) == 1
    assert len(refused) == 7
    for lock in locks:
        lock.release()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file/data cannot be used"):
        DataFolderLock(tmp_path / "file" / "data").acquire()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigurationError):
        DataFolderLock(tmp_path).acquire()
    assert (tmp_path / "victim").read_text() == "precious"
