"""The page of the settings says what the settings are."""

from pathlib import Path

from catalog.setting_sources import secret_settings
from catalog.settings import ClientSettings, Settings
from catalog.settings_reference import settings_reference

PUBLISHED = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_published_page_is_current() -> None:
    hint = "run `python -m catalog.settings_reference > docs/settings.md`"
    assert PUBLISHED.read_text("utf-8") == settings_reference(), hint


def test_every_setting_is_explained() -> None:
    fields = [*Settings.model_fields.items(), *ClientSettings.model_fields.items()]
    assert [name for name, field in fields if not field.description] == []
    rows = [line for line in settings_reference().splitlines() if line.startswith("| `")]
    assert len(rows) == len(fields)


def test_secrets_are_told_to_come_from_files_too() -> None:
    rows = {line.split("`")[1]: line for line in settings_reference().splitlines() if line.startswith("| `")}
    marked = {name for name, row in rows.items() if "_FILE`" in row}
    assert marked == secret_settings(Settings) | secret_settings(ClientSettings)
    assert {"database_url", "run_token", "token"} <= marked
