"""Settings from the command line, variables, files and defaults; secrets never where they can be read."""

from pathlib import Path

import pytest

from catalog.errors import ConfigurationError, SecretUnavailable
from catalog.setting_sources import LARGEST_SECRET, Origin, OriginKind, origins
from catalog.settings import ClientSettings, Settings
from catalog.unknown_settings import unknown_variables

URL = "postgresql://catalog:hunter2@db/headwater"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "DATABASE_URL",
        "DATABASE_URL_FILE",
        "RUN_TOKEN",
        "RUN_TOKEN_FILE",
        "TOKEN",
        "TOKEN_FILE",
        "PORT",
    ):
        monkeypatch.delenv(f"HEADWATER_{name}", raising=False)


@pytest.fixture
def secret_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "a secret"
    monkeypatch.setenv("HEADWATER_DATABASE_URL_FILE", str(file))
    return file


def read_database_url() -> str:
    url = Settings().database_url
    assert url is not None
    return url.get_secret_value()


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_comes_from_a_file_without_the_newline_that_ends_it(secret_file: Path, ending: str) -> None:
    secret_file.write_bytes((URL + ending).encode())
    assert read_database_url() == URL
    assert origins(Settings, [])["database_url"] == Origin(
        OriginKind.FILE, "HEADWATER_DATABASE_URL_FILE", str(secret_file)
    )


def test_only_one_newline_is_taken_off(secret_file: Path) -> None:
    secret_file.write_text("pass word \n\n")
    assert read_database_url() == "pass word \n"


def test_what_a_client_shows_comes_from_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("hwt_0123456789abcdef\n")
    monkeypatch.setenv("HEADWATER_TOKEN_FILE", str(tmp_path / "token"))
    token = ClientSettings().token
    assert token is not None
    assert token.get_secret_value() == "hwt_0123456789abcdef"


def test_a_variable_and_its_file_together_are_refused(
    secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_file.write_text(URL)
    monkeypatch.setenv("HEADWATER_DATABASE_URL", URL)
    with pytest.raises(ConfigurationError, match="found both") as refused:
        Settings()
    assert refused.value.code == "configuration"
    assert "hunter2" not in refused.value.message


def test_an_empty_variable_counts_as_not_set(secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret_file.write_text(URL)
    monkeypatch.setenv("HEADWATER_DATABASE_URL", "")
    monkeypatch.setenv("HEADWATER_PORT", "")
    assert read_database_url() == URL
    assert Settings().port == 8642
    assert origins(Settings, [])["port"] == Origin(OriginKind.DEFAULT)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file"),
        (b"", "found it empty"),
        (b"\n", "found it empty"),
        (b"hunter2\xff", "UTF-8"),
        (b"hunter2" * LARGEST_SECRET, "at most"),
    ],
)
def test_a_file_that_holds_no_secret_is_named_and_what_it_holds_is_not(
    secret_file: Path, content: bytes | None, told: str
) -> None:
    if content is not None:
        secret_file.write_bytes(content)
    with pytest.raises(SecretUnavailable, match=told) as refused:
        Settings()
    assert refused.value.code == "secret-unavailable"
    assert isinstance(refused.value, ConfigurationError)
    assert "HEADWATER_DATABASE_URL_FILE" in refused.value.message
    assert str(secret_file) in refused.value.message
    assert "hunter2" not in refused.value.message
    assert refused.value.__cause__ is None or "hunter2" not in str(refused.value.__cause__)


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_RUN_TOKEN_FILE", str(tmp_path))
    with pytest.raises(SecretUnavailable, match="directory"):
        Settings()


def test_what_is_no_secret_is_read_from_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "port").write_text("9000")
    monkeypatch.setenv("HEADWATER_PORT_FILE", str(tmp_path / "port"))
    assert Settings().port == 8642
    assert [str(found) for found in unknown_variables() if found.name == "HEADWATER_PORT_FILE"] == [
        "HEADWATER_PORT_FILE is set and no setting is called so: did you mean HEADWATER_PORT?"
    ]


def test_the_command_line_stands_above_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_PORT", "9000")
    assert origins(Settings, [])["port"] == Origin(OriginKind.ENVIRONMENT, "HEADWATER_PORT")
    assert origins(Settings, ["port"])["port"] == Origin(OriginKind.COMMAND_LINE)
    assert Settings(port=9001).port == 9001


def test_variables_of_others_are_no_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = unknown_variables()
    for name in ("HEADWATER_SECRET_X", "HEADWATER_RUN_ID", "HEADWATER_URL", "HEADWATER_TOKEN", "HEADWATERS"):
        monkeypatch.setenv(name, "1")
    assert unknown_variables() == before
