import os
import stat
import threading
from pathlib import Path

import pytest

from catalog.errors import ConfigurationError
from catalog.settings import Settings
from web.access.local_token import ensure_local_token, is_same_secret, read_local_token


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "new" / "data folder")


def test_it_is_made_once_and_only_its_owner_reads_it(settings: Settings) -> None:
    token = ensure_local_token(settings)
    assert len(token) >= 43
    assert ensure_local_token(settings) == token == read_local_token(settings)
    assert stat.S_IMODE(settings.local_token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert [entry.name for entry in settings.data_dir.iterdir()] == ["local-token"]


def test_the_mode_does_not_depend_on_the_umask(settings: Settings) -> None:
    before = os.umask(0)
    try:
        ensure_local_token(settings)
    finally:
        os.umask(before)
    assert stat.S_IMODE(settings.local_token_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_one_that_others_could_read_is_replaced(settings: Settings, mode: int) -> None:
    known_to_others = ensure_local_token(settings)
    settings.local_token_file.chmod(mode)
    assert ensure_local_token(settings) != known_to_others
    assert stat.S_IMODE(settings.local_token_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"something else", b"hwl_" + b"x" * 1000])
def test_a_file_without_a_token_is_replaced(settings: Settings, content: bytes) -> None:
    settings.data_dir.mkdir(parents=True)
    settings.local_token_file.write_bytes(content)
    settings.local_token_file.chmod(0o600)
    assert ensure_local_token(settings).startswith("hwl_")


def test_processes_that_start_together_agree(settings: Settings) -> None:
    found: list[str] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        found.append(ensure_local_token(settings))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_link_is_not_followed(settings: Settings, tmp_path: Path) -> None:
    settings.data_dir.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("hwl_" + "x" * 43)
    settings.local_token_file.symlink_to(elsewhere)
    with pytest.raises(ConfigurationError, match="local-token"):
        ensure_local_token(settings)


def test_a_folder_that_cannot_be_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="local-token"):
        ensure_local_token(Settings(data_dir=tmp_path / "file"))


def test_a_client_without_one_finds_none(settings: Settings) -> None:
    assert read_local_token(settings) is None


def test_secrets_are_equal_or_not() -> None:
    assert is_same_secret("hwl_abc", "hwl_abc")
    assert not is_same_secret("hwl_abd", "hwl_abc")
    assert not is_same_secret("hwl_ab", "hwl_abc")
    assert not is_same_secret("hwl_äbc", "hwl_abc")
    assert not is_same_secret("hwl_\udcff", "hwl_abc")
