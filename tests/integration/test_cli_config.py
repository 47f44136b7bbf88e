"""`headwater config show`: every setting with its value and its origin, and no secret."""

import re
from pathlib import Path

from catalog.settings import ClientSettings, Settings
from tests.support.command_line import CommandLine, clean_environment


def test_every_setting_is_shown_with_its_origin(tmp_path: Path) -> None:
    (tmp_path / "run-token").write_text("hwt_hunter2\n")
    headwater = CommandLine(
        clean_environment(
            tmp_path,
            HEADWATER_DATABASE_URL="postgresql://catalog:hunter2@db:5432/headwater?sslpassword=hunter2",
            HEADWATER_PUBLIC_URL="https://me:hunter2@catalog.example.com",
            HEADWATER_RUN_TOKEN_FILE=str(tmp_path / "run-token"),
            HEADWATER_ALLOWED_HOSTS='["catalog.example.com"]',
            HEADWATER_PROT="9000",
        )
    )
    shown = headwater.done("config", "show", "--port", "9001", "--allow-commands", str(tmp_path), "--json")
    assert "hunter2" not in shown.out + shown.err
    settings = {found["name"]: found for found in shown.json["settings"]}
    assert settings.keys() == Settings.model_fields.keys() | ClientSettings.model_fields.keys()
    told = {
        name: (found["value"], found["source"], found["variable"])
        for name, found in settings.items()
        if found["source"] != "default"
    }
    assert told == {
        "data_dir": (str(tmp_path / "data"), "environment", "HEADWATER_DATA_DIR"),
        "database_url": (
            "postgresql://catalog:[redacted]@db:5432/headwater?sslpassword=[redacted]",
            "environment",
            "HEADWATER_DATABASE_URL",
        ),
        "public_url": (
            "https://me:[redacted]@catalog.example.com",
            "environment",
            "HEADWATER_PUBLIC_URL",
        ),
        "run_token": ("[redacted]", "file", "HEADWATER_RUN_TOKEN_FILE"),
        "allowed_hosts": (["catalog.example.com"], "environment", "HEADWATER_ALLOWED_HOSTS"),
        "port": (9001, "command-line", "HEADWATER_PORT"),
        "allow_commands": ([str(tmp_path)], "command-line", "HEADWATER_ALLOW_COMMANDS"),
    }
    assert settings["run_token"]["file"] == str(tmp_path / "run-token")
    secret = {name for name, found in settings.items() if found["secret"]}
    assert secret >= {"database_url", "run_token", "token"}
    assert not secret & {"port", "public_url", "debug"}
    assert shown.json["unknown"] == [{"name": "HEADWATER_PROT", "nearest": "HEADWATER_PORT"}]

    table = headwater.done("config", "show", "--port", "9001")
    assert "hunter2" not in table.out + table.err
    assert re.search(r"^port +9001 +command line$", table.out, re.MULTILINE)
    assert re.search(r"^host +127\.0\.0\.1 +default$", table.out, re.MULTILINE)
    assert re.search(
        rf"^run_token +\[redacted\] +HEADWATER_RUN_TOKEN_FILE={re.escape(str(tmp_path))}",
        table.out,
        re.MULTILINE,
    )
    assert "did you mean HEADWATER_PORT?" in table.err


def test_a_password_that_is_written_wrongly_is_masked_with_all_around_it(tmp_path: Path) -> None:
    for url in ("postgresql://me:hun@ter2@db/x", "postgresql://me:hun/ter2@db/x", "hunter2", "me:hunter2@"):
        headwater = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=url))
        shown = headwater.done("config", "show")
        assert "ter2" not in shown.out


def test_what_cannot_be_read_is_told_with_its_variable(tmp_path: Path) -> None:
    headwater = CommandLine(
        clean_environment(tmp_path, HEADWATER_DATABASE_URL_FILE=str(tmp_path / "nowhere"))
    )
    for command in (("config", "show"), ("migrate",), ("serve",)):
        said = headwater(*command)
        assert said.code == 2, said
        assert said.err.startswith("headwater: secret-unavailable: HEADWATER_DATABASE_URL_FILE: "), said
    port = CommandLine(clean_environment(tmp_path, HEADWATER_PORT="hunter2"))("config", "show")
    assert port.code == 2
    assert port.err.startswith("headwater: configuration: HEADWATER_PORT: ")


def test_a_database_url_from_a_file_starts_a_command(database_url: str, tmp_path: Path) -> None:
    # Also in the form in which other programs write it.
    (tmp_path / "url").write_text(database_url.replace("postgresql+psycopg://", "postgres://") + "\n")
    headwater = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL_FILE=str(tmp_path / "url")))
    assert headwater.done("migrate").out == "nothing to migrate\n"
    assert headwater.done("token", "list", "--json").json == {"tokens": []}


def test_a_database_url_that_the_driver_refuses_is_a_configuration_and_its_password_not_told(
    tmp_path: Path,
) -> None:
    for url in ("postgresql://me:hunter2@[db/x", "postgresql://db/x?password=hunter2&unheard=of"):
        said = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=url))("migrate")
        assert said.code == 2, said
        assert said.err.startswith("headwater: configuration: expected a URL as libpq reads it"), said
        assert "hunter2" not in said.err


def test_migrate_says_that_the_database_is_away_and_why(tmp_path: Path) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/x"
    said = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=url))("migrate")
    assert said.code == 4, said
    assert "headwater: database-unavailable: the database does not answer: " in said.err
    assert "Connection refused" in said.err
    assert "hunter2" not in said.err
