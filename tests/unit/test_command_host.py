"""Who this host is, and which boot this is."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hooks.launchers.command import boot_identity, host, host_identity


def test_the_identity_stays(tmp_path: Path) -> None:
    first = host_identity(tmp_path / "state")
    assert uuid.UUID(first)
    assert host_identity(tmp_path / "state") == first
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["host-id"]


def test_two_folders_are_two_hosts(tmp_path: Path) -> None:
    assert host_identity(tmp_path / "a") != host_identity(tmp_path / "b")


def test_two_machines_that_share_the_folder_are_two_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = host_identity(tmp_path)
    (tmp_path / "machine-id").write_text("another machine\n")
    monkeypatch.setattr(host, "_LINUX_MACHINE_IDS", (tmp_path / "machine-id",))
    assert host_identity(tmp_path) != here


def test_two_containers_that_share_the_folder_are_two_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_FIRST_PROCESS_NAMESPACE", -1)
    monkeypatch.setattr(host.platform, "node", lambda: "one")
    one = host_identity(tmp_path)
    monkeypatch.setattr(host.platform, "node", lambda: "two")
    assert host_identity(tmp_path) != one


def test_workers_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(host_identity, [tmp_path / "state"] * 64))
    assert len(found) == 1


def test_the_boot_stays_within_a_process() -> None:
    assert boot_identity() == boot_identity() != ""
