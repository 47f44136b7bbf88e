"""`python -m catalog.settings_reference > docs/settings.md`: every setting, made from the settings themselves."""

import sys
from collections.abc import Iterator
from typing import Any

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from catalog.setting_sources import FILE_SUFFIX, secret_settings, variable_of
from catalog.settings import ClientSettings, Settings

_INTRODUCTION = """# Settings

A process reads its settings once, from its environment; an option of its command line stands above the variable. Lists
are written as JSON. An empty variable counts as not set. This page is made by
`python -m catalog.settings_reference > docs/settings.md`.

A setting marked *secret* may stand in a file instead: the variable with `_FILE` at its end names the file, as in
`HEADWATER_DATABASE_URL_FILE=/run/secrets/database-url`. A newline at the end of the file does not count. A file that
cannot be read, is empty or holds more than 64 KiB ends the start, and so do a variable and its `_FILE` together. Files
are read at the start alone: a new secret counts from the next start on.

`headwater config show` says what each setting is here and where it comes from, with secrets masked, and names variables
that look like settings and are none. Other variables: `HEADWATER_SECRET_…` hold secrets that documents name, and runs
that Headwater starts find theirs in `HEADWATER_RUN_ID`, `HEADWATER_ATTEMPT` and `HEADWATER_TRIGGER`.
"""
_HEAD = """
| setting | environment variable | default | what it is |
|---|---|---|---|
"""
_CLIENTS = """
## Clients

Commands that ask a server read these as well.
"""


def settings_reference() -> str:
    """Return the page as Markdown."""
    return "".join((_INTRODUCTION, _HEAD, *_rows(Settings), _CLIENTS, _HEAD, *_rows(ClientSettings)))


def _rows(settings: type[BaseSettings]) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        variable = f"`{variable_of(settings, name)}`"
        description = _cell(field.description or "")
        if name in secret_settings(settings):
            variable += f" or `{variable_of(settings, name)}{FILE_SUFFIX}`"
            description += " *Secret.*"
        yield f"| `{name}` | {variable} | {_default(field)} | {description} |\n"


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
