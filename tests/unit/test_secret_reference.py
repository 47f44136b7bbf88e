"""Names of secrets, and their values read at the moment of use."""

from pathlib import Path

import pytest

from catalog.errors import InvalidInput, SecretUnavailable
from hooks.launchers.secret import SecretReference


@pytest.mark.parametrize(
    "text", ["env:HEADWATER_SECRET_A", "env:HEADWATER_SECRET_a1_B", "file:a", "file:a.b-c_D.txt"]
)
def test_a_name_is_read_and_written_alike(text: str) -> None:
    assert str(SecretReference.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "env:",
        "file:",
        "HEADWATER_SECRET_A",
        "env:PATH",
        "env:HEADWATER_DATABASE_URL",
        "env:HEADWATER_SECRET_",
        "env:HEADWATER_SECRET_A\n",
        "env: HEADWATER_SECRET_A",
        "file:..",
        "file:.",
        "file:.hidden",
        "file:../a",
        "file:a/b",
        "file:/etc/passwd",
        "file:a\0",
        "vault:a",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        SecretReference.parse(text)


def test_a_variable_is_read_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = SecretReference.parse("env:HEADWATER_SECRET_A")
    with pytest.raises(SecretUnavailable, match="env:HEADWATER_SECRET_A"):
        reference.read(None)
    monkeypatch.setenv("HEADWATER_SECRET_A", " v \n")
    assert reference.read(None) == " v \n"


@pytest.mark.parametrize(
    ("content", "value"), [("v", "v"), ("v\n", "v"), ("v\r\n", "v"), ("v\n\n", "v\n"), ("", "")]
)
def test_the_newline_that_ends_a_file_is_not_the_secret(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "a").write_bytes(content.encode())
    assert SecretReference.parse("file:a").read(tmp_path) == value


def test_a_mounted_secret_is_a_link_within_the_folder(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "a").write_text("v")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "a").symlink_to("..data/a")
    assert SecretReference.parse("file:a").read(tmp_path) == "v"


def test_a_link_out_of_the_folder_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("v")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretUnavailable, match="leads out of the secrets folder"):
        SecretReference.parse("file:a").read(tmp_path / "secrets")


def test_a_file_that_is_no_text_is_told_without_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hidden\xff")
    with pytest.raises(SecretUnavailable) as caught:
        SecretReference.parse("file:a").read(tmp_path)
    assert caught.value.message == "the secret file:a cannot be read: it is not UTF-8"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("folder", [None, Path("/no/such/folder")])
def test_without_a_folder_the_name_is_told(folder: Path | None) -> None:
    with pytest.raises(SecretUnavailable, match="file:a"):
        SecretReference.parse("file:a").read(folder)
