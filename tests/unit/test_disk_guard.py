import os
from pathlib import Path

import pytest

from catalog.errors import DiskFull
from web.ingest.disk import DiskGuard

NEVER = 2**62


def test_enough_is_enough(tmp_path: Path) -> None:
    guard = DiskGuard(tmp_path, 1)
    guard.check()
    place = os.statvfs(tmp_path)
    assert 0 < guard.free_bytes() <= place.f_blocks * place.f_frsize


def test_too_little_is_refused_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="make room") as refusal:
        DiskGuard(tmp_path, NEVER).check()
    assert refusal.value.details["minimum_bytes"] == NEVER
    assert refusal.value.retryable


def test_a_folder_that_does_not_exist_yet_has_its_parents_disk(tmp_path: Path) -> None:
    DiskGuard(tmp_path / "a" / "b" / "c", 1).check()


def test_a_minimum_of_nothing_never_refuses(tmp_path: Path) -> None:
    DiskGuard(tmp_path, 0).check()


def test_a_database_on_another_disk_counts_too(tmp_path: Path) -> None:
    # A file system of its own that is small or empty: procfs has no room at all.
    (tmp_path / "postgresql").symlink_to("/proc")
    with pytest.raises(DiskFull):
        DiskGuard(tmp_path, 1).check()
