"""The page of the settings says what the settings are."""

from pathlib import Path

from catalog.settings import Settings
from catalog.settings_reference import settings_reference

PUBLISHED = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_published_page_is_current() -> None:
    hint = "run `python -m catalog.settings_reference > docs/settings.md`"
    assert PUBLISHED.read_text("utf-8") == settings_reference(), hint


def test_every_setting_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    rows = [line for line in settings_reference().splitlines() if line.startswith("| `")]
    assert len(rows) == len(Settings.model_fields)
