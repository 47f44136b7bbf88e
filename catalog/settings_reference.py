"""`python -m catalog.settings_reference > docs/settings.md`: every setting, made from the settings themselves."""

import sys
from typing import Any

from pydantic_core import PydanticUndefined

from catalog.settings import Settings

_INTRODUCTION = """# Settings

A process reads its settings once, from its environment; an option of its command line stands above the variable. Lists
are written as JSON. This page is made by `python -m catalog.settings_reference > docs/settings.md`.

| setting | environment variable | default | what it is |
|---|---|---|---|
"""


def settings_reference() -> str:
    """Return the page as Markdown."""
    prefix = Settings.model_config["env_prefix"]
    rows = [
        f"| `{name}` | `{prefix}{name.upper()}` | {_default(field)} | {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    ]
    return _INTRODUCTION + "\n".join(rows) + "\n"


def _default(field: Any) -> str:
    if field.default is not PydanticUndefined:
        return "none" if field.default is None else f"`{field.default}`"
    if field.default_factory is list:
        return "`[]`"
    # What a function finds differs from machine to machine: its sentence stands here.
    return _cell(str(field.default_factory.__doc__).removeprefix("Return ").removesuffix("."))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(settings_reference())
