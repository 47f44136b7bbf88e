"""`headwater backup`, `restore` and `verify` as an operator has them: files, exit codes, what is said."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.services.postgresql import drop_database, fresh_database
from tests.support.command_line import CommandLine, clean_environment
from tests.support.history import history
from tests.support.spine import connect


@pytest.fixture
def there(cluster_url: str) -> Iterator[str]:
    url = fresh_database(cluster_url)
    yield url
    drop_database(url)


@pytest.fixture
def here(database_url: str, engine: Engine) -> str:
    with history(database_url, engine):
        pass
    return database_url


def test_a_backup_is_written_and_restored(here: str, there: str, tmp_path: Path) -> None:
    original = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=here))
    copy = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=there))
    files = tmp_path / "files"
    files.mkdir()

    # A folder takes a file that is named by time and position; a name is taken as it is.
    said = original.done("backup", str(files))
    [written] = files.iterdir()
    assert said.out == f"{written}\n"
    assert "rows up to position" in said.err
    backup = original.done("backup", str(files / "named.tar"), "--json").json
    assert backup["file"] == str(files / "named.tar")
    assert written.name.endswith(f"Z-{backup['ledgerPosition']}.tar")
    assert (backup["outputs"], backup["verified"]) == ("not included", None)

    again = original("backup", str(files / "named.tar"))
    assert (again.code, again.out) == (3, "")
    assert again.err.startswith("headwater: conflict: expected no file at")
    nowhere = original("backup", str(tmp_path / "none" / "x.tar"))
    assert (nowhere.code, nowhere.err.split(": ")[1]) == (2, "invalid-input")

    # What is wrong with the file is said before anything is done.
    none = copy("restore", str(tmp_path / "none.tar"))
    assert (none.code, none.err.split(": ")[1]) == (3, "not-found")
    (tmp_path / "short.tar").write_bytes(written.read_bytes()[:5000])
    short = copy("restore", str(tmp_path / "short.tar"))
    assert (short.code, short.err.split(": ")[1]) == (2, "invalid-archive")

    restored = copy.done("restore", str(written), "--verify")
    assert restored.out.startswith("restored what was there at ")
    assert "held and" in restored.err
    assert "`headwater runs list --state held` shows what to decide about." in restored.err
    full = copy("restore", str(written))
    assert (full.code, full.err.split(": ")[1]) == (3, "conflict")

    # The laws hold there; where they do not, the exit code says so.
    assert copy.done("verify").err.startswith("The laws hold at position ")
    with connect(there) as connection:
        connection.execute("DELETE FROM consumption")
    broken = copy("verify", "--only", "state")
    assert broken.code == 1
    assert "consumption" in broken.out
    assert " not as the laws have it, at position " in broken.err
    assert copy("verify", "--only", "nothing").code == 2


def test_a_move_goes_on_as_if_nothing_had_happened(here: str, there: str, tmp_path: Path) -> None:
    original = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=here))
    copy = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=there))
    file = str(tmp_path / "moved.tar")
    original.done("backup", file)
    told = copy.done("restore", file, "--continue", "--json").json
    assert (told["runsHeld"], told["attemptsLost"], told["continued"]) == (0, 0, True)
    with connect(here) as before, connect(there) as after:
        query = "SELECT id, state, attempt FROM pipeline_run ORDER BY id"
        assert after.execute(query).fetchall() == before.execute(query).fetchall()
