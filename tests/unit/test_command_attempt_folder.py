"""The files of one attempt: each says one thing, and says it whole or not at all."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hooks.launchers.command.attempt_folder import AttemptFolder, CommandRecord, Refusal
from hooks.launchers.command.process import ProcessIdentity


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    folder = AttemptFolder.of(tmp_path / "runs", uuid.uuid4(), 3)
    folder.prepare("boot one", durable=True)
    return folder


def test_an_empty_folder_says_nothing(tmp_path: Path) -> None:
    folder = AttemptFolder.of(tmp_path / "runs", uuid.uuid4(), 1)
    assert folder.boot() is None
    assert folder.marker() is None
    assert folder.exit() is None
    assert folder.command() is None
    assert folder.stop_reason() is None
    assert folder.lost() is None


def test_preparing_twice_keeps_what_is_there(folder: AttemptFolder) -> None:
    assert folder.refuse(Refusal(126, "no"))
    folder.prepare("boot two", durable=False)
    assert folder.boot() == "boot two"
    assert folder.marker() is not None


def test_the_marker_is_taken_once(folder: AttemptFolder) -> None:
    refusals = [Refusal(code, f"reason of {code}") for code in range(40)]
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(folder.refuse, refusals))
    assert taken.count(True) == 1
    marker = folder.marker()
    assert marker is not None
    assert marker.holder == refusals[taken.index(True)]


def test_a_reason_stands_on_one_line(folder: AttemptFolder) -> None:
    folder.refuse(Refusal(127, "first\nsecond  'a b' \udcff"))
    marker = folder.marker()
    assert marker is not None
    assert marker.holder == Refusal(127, "first second 'a b' \\udcff")


@pytest.mark.parametrize("written", ["", "12", "12 345"])
def test_a_marker_names_nobody_until_it_is_whole(folder: AttemptFolder, written: str) -> None:
    (folder.path / "marker").write_text(written)
    marker = folder.marker()
    assert marker is not None
    assert marker.holder is None


def test_a_marker_names_the_shim(folder: AttemptFolder) -> None:
    (folder.path / "marker").write_text("12 Sat  Nov 21 11:00:00 2026\n")
    marker = folder.marker()
    assert marker is not None
    assert marker.holder == ProcessIdentity(12, "Sat Nov 21 11:00:00 2026")


def test_the_exit_code_counts_once_it_is_whole(folder: AttemptFolder) -> None:
    folder.reserve_exit()
    size = (folder.path / "exit").stat().st_size
    assert folder.exit() is None
    with (folder.path / "exit").open("r+") as file:
        file.write("25")
        file.flush()
        assert folder.exit() is None
        file.write("5\n")
    record = folder.exit()
    assert record is not None
    assert record.code == 255
    assert (folder.path / "exit").stat().st_size == size
    # Another starter that comes too late does not wipe it out.
    folder.reserve_exit()
    assert folder.exit() == record


@pytest.mark.parametrize("written", ["", "1 2 3", "1 2\n", "1 2 3 4\n"])
def test_a_command_is_named_once_it_is_whole(folder: AttemptFolder, written: str) -> None:
    (folder.path / "command").write_text(written)
    assert folder.command() is None
    (folder.path / "command").write_text("1 2 3\n")
    assert folder.command() == CommandRecord(ProcessIdentity(1, "2"), 3)


def test_the_first_reasons_stay(folder: AttemptFolder) -> None:
    for reason in ("first", "second"):
        folder.write_stop(f"stop: {reason}")
        folder.write_lost(f"lost: {reason}")
    assert (folder.stop_reason(), folder.lost()) == ("stop: first", "lost: first")


def test_a_trigger_is_replaced_whole_and_no_draft_stays(folder: AttemptFolder) -> None:
    folder.write_trigger(b"{}")
    folder.write_trigger(b'{"a":1}')
    folder.write_stop("r")
    folder.write_stop("r")
    assert folder.trigger.read_bytes() == b'{"a":1}'
    assert folder.trigger.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in folder.path.iterdir()} == {"boot", "trigger.json", "stop"}


def test_all_folders_are_found_and_strangers_passed_over(folder: AttemptFolder, tmp_path: Path) -> None:
    for name in ("x.1", f"{uuid.uuid4()}.x", f"{uuid.uuid4()}", ".tmp", f"{uuid.uuid4()}.1.bak"):
        (tmp_path / "runs" / name).mkdir()
    assert list(AttemptFolder.all_in(tmp_path / "runs")) == [folder]
    assert list(AttemptFolder.all_in(tmp_path / "none")) == []
