"""How an attempt stands when files and processes change between two looks at them."""

import uuid
from pathlib import Path

import pytest

from hooks.launchers.command import boot_identity
from hooks.launchers.command.attempt_folder import AttemptFolder
from hooks.launchers.command.process import ProcessIdentity
from hooks.launchers.command.standing import Orphaned, look
from hooks.launchers.port import Exited


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    """An attempt whose shim, which nobody is, took the marker."""
    folder = AttemptFolder.of(tmp_path, uuid.uuid4(), 1)
    folder.prepare(boot_identity(), durable=False)
    folder.reserve_exit()
    (folder.path / "marker").write_text(f"{2**22 + 1} 1\n")
    return folder


def test_a_shim_that_is_gone_without_an_exit_code_leaves_an_orphan(folder: AttemptFolder) -> None:
    found = look(folder)
    assert isinstance(found, Orphaned)
    assert found.shim == ProcessIdentity(2**22 + 1, "1")


def test_a_shim_that_ends_between_two_looks_has_written_the_exit_code(
    folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_and_end(_shim: ProcessIdentity) -> bool:
        (folder.path / "exit").write_text("6\n")
        return False

    monkeypatch.setattr(ProcessIdentity, "is_alive", write_and_end)
    found = look(folder)
    assert isinstance(found, Exited)
    assert found.code == 6


@pytest.mark.parametrize(
    ("code", "signal"),
    [(0, None), (1, None), (128, None), (129, 1), (137, 9), (192, 64), (193, None), (255, None)],
)
def test_an_exit_code_above_128_names_a_signal(folder: AttemptFolder, code: int, signal: int | None) -> None:
    (folder.path / "exit").write_text(f"{code}\n")
    found = look(folder)
    assert isinstance(found, Exited)
    assert (found.code, found.signal) == (code, signal)
