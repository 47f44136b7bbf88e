"""Where the embedded PostgreSQL puts its sockets and its cluster, and what it refuses there."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalog.embedded import EmbeddedPostgreSQL
from catalog.embedded.account import ServerAccount, server_account, user_name
from catalog.embedded.places import socket_folder
from catalog.errors import ConfigurationError
from tests.services.postgresql import temporary_data_folder

ORDINARY = ServerAccount("somebody", os.geteuid(), os.getegid(), dedicated=False)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with temporary_data_folder() as folder:
        yield folder


def quiet(_: str) -> None:
    pass


def open_folder(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)


def link(folder: Path) -> None:
    folder.symlink_to(tempfile.gettempdir())


def file(folder: Path) -> None:
    folder.touch(mode=0o600)


@pytest.mark.parametrize("plant", [open_folder, link, file])
def test_a_planted_socket_folder_is_refused(data_dir: Path, plant: Callable[[Path], None]) -> None:
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    database.start()
    database.stop()
    sockets = socket_folder((data_dir / "postgresql").resolve(), server_account())
    plant(sockets)
    before = sockets.lstat()
    try:
        with pytest.raises(ConfigurationError, match=r"mode 0700, found .* somebody else's; remove it"):
            database.start()
        assert sockets.lstat().st_mode == before.st_mode
        assert not database.lock.held
    finally:
        sockets.rmdir() if plant is open_folder else sockets.unlink()


def test_sockets_go_where_paths_are_short_and_nobody_can_replace_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def base_of_sockets(temporary: Path) -> Path:
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(temporary))
        return socket_folder(tmp_path / "cluster", ORDINARY).parent

    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        private, comma, open_to_all, sticky = (Path(short) / name for name in ("p", "a,b", "o", "s"))
        for folder, mode in ((private, 0o700), (comma, 0o700), (open_to_all, 0o777), (sticky, 0o1777)):
            folder.mkdir()
            folder.chmod(mode)
        assert base_of_sockets(private) == private
        assert base_of_sockets(sticky) == sticky
        assert base_of_sockets(open_to_all) == Path("/tmp")
        assert base_of_sockets(comma) == Path("/tmp")
        assert base_of_sockets(private / "missing") == Path("/tmp")
        too_long = private / ("x" * 70)
        too_long.mkdir()
        assert base_of_sockets(too_long) == Path("/tmp")


def test_each_cluster_has_its_own_sockets(tmp_path: Path) -> None:
    first, second = (socket_folder(tmp_path / name, ORDINARY) for name in ("first", "second"))
    assert first != second
    assert str(os.geteuid()) in first.name


def test_a_link_that_leads_nowhere_is_no_empty_catalog(data_dir: Path) -> None:
    (data_dir / "postgresql").symlink_to(data_dir / "not mounted")
    with pytest.raises(ConfigurationError, match="bring it back"):
        EmbeddedPostgreSQL(data_dir, progress=quiet).start()


def test_a_folder_with_other_things_is_left_alone(data_dir: Path) -> None:
    (data_dir / "postgresql").mkdir()
    (data_dir / "postgresql" / "holiday.jpg").touch()
    with pytest.raises(ConfigurationError):
        EmbeddedPostgreSQL(data_dir, progress=quiet).start()
    assert [entry.name for entry in (data_dir / "postgresql").iterdir()] == ["holiday.jpg"]


def test_a_cluster_of_another_major_version_is_refused_untouched(data_dir: Path) -> None:
    database = EmbeddedPostgreSQL(data_dir, progress=quiet)
    database.start()
    database.stop()
    version = data_dir / "postgresql" / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(ConfigurationError, match="was made by PostgreSQL 9"):
        database.start()
    assert version.read_text() == "9\n"


def test_no_mode_of_a_folder_above_changes(data_dir: Path) -> None:
    folder = data_dir / "above" / "data"
    folder.mkdir(parents=True)
    folder.chmod(0o750)

    def modes() -> dict[Path, int]:
        return {above: stat.S_IMODE(above.stat().st_mode) for above in (folder, *folder.parents)}

    before = modes()
    database = EmbeddedPostgreSQL(folder, progress=quiet)
    database.start()
    database.stop()
    assert modes() == before
    cluster = (folder / "postgresql").resolve()
    if cluster.parent != folder:
        (folder / "postgresql").rename(data_dir / "postgresql")  # so that it is removed at the end


def test_a_user_id_without_a_name_is_explained() -> None:
    with pytest.raises(ConfigurationError, match=r"user id 4000000000 has no name.*HEADWATER_DATABASE_URL"):
        user_name(4_000_000_000)
