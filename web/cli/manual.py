"""`headwater man`: the manual page, made from the commands and settings themselves.

The form is that of man(7); `man` turns its UTF-8 into what the terminal shows.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import groupby
from typing import Any

from catalog.setting_sources import FILE_SUFFIX, secret_settings, variable_of
from catalog.settings import ClientSettings, FromEnvironment, Settings
from web.cli import root
from web.cli.commands import COMMANDS
from web.cli.reference import EXIT_CODES, context_of, record

_DESCRIPTION = """
Headwater hears what data jobs did, as OpenLineage events, keeps datasets, jobs, versions and lineage, and starts the
registered pipelines that each change makes due, exactly once. `headwater` starts a server, looks after it, and is a
client of it. Data goes to stdout, everything else to stderr. Instants are UTC.
"""

_FILES = (
    ("DATA_DIR/postgresql", "The embedded database, or a link to where it lies."),
    (
        "DATA_DIR/local-token",
        "The token that writes from this machine need; the command line reads it by itself.",
    ),
    ("DATA_DIR/runs", "A folder for each attempt of a run that was started on this host."),
    ("DATA_DIR/secrets", "The secrets that documents name by `file:`."),
)


def run_man() -> None:
    """Print the manual page.

    `headwater man | man -l -` shows it; `headwater man > /usr/local/share/man/man1/headwater.1`
    installs it.
    """
    sys.stdout.write(manual())


def manual() -> str:
    """Return the manual page in roff."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield f'.TH HEADWATER 1 "" "Headwater {version("headwater")}" "User Commands"'
    yield ".SH NAME"
    yield "headwater \\- a lineage catalog that starts due pipelines"
    yield ".SH SYNOPSIS"
    yield ".B headwater"
    yield "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGS\\fR]..."
    yield ".SH DESCRIPTION"
    yield from _text(_DESCRIPTION)
    yield ".SH OPTIONS"
    yield from _parameters(root(), "headwater")
    for panel, entries in groupby(COMMANDS, key=lambda entry: entry.panel):
        yield f".SH {_escaped(panel.upper())}"
        for entry in entries:
            yield from _command(entry.load(), f"headwater {entry.name}")
    yield ".SH EXIT STATUS"
    yield from _terms((str(code.value), meaning) for code, meaning in EXIT_CODES.items())
    yield ".SH ENVIRONMENT"
    yield from _text("Lists are written as JSON. A file that a variable names holds the secret in its place.")
    yield from _terms((*_variables(Settings), *_variables(ClientSettings)))
    yield ".SH FILES"
    yield from _terms(_FILES)


def _command(command: Any, path: str) -> Iterator[str]:
    yield f".SS {_escaped(path)}"
    below = getattr(command, "commands", None)
    if below is None:
        usage = " ".join(command.collect_usage_pieces(context_of(command, path)))
        yield f"\\fB{_escaped(path)}\\fR {_escaped(usage)}"
        yield ".PP"
    yield from _text(command.help or "")
    if below is None:
        yield from _parameters(command, path)
        return
    for name, child in below.items():
        yield from _command(child, f"{path} {name}")


def _parameters(command: Any, path: str) -> Iterator[str]:
    context = context_of(command, path)
    found = (record(parameter, context) for parameter in command.get_params(context))
    yield from _terms(one for one in found if one is not None)


def _variables(settings: type[FromEnvironment]) -> Iterator[tuple[str, str]]:
    for name, field in settings.model_fields.items():
        variable = variable_of(settings, name)
        names = f"{variable}, {variable}{FILE_SUFFIX}" if name in secret_settings(settings) else variable
        yield names, field.description or ""


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield ".TP"
        yield f"\\fB{_escaped(term)}\\fR"
        yield _marked(" ".join(text.split())) or "\\&"


def _text(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield _marked(" ".join(paragraph.split()))
        yield ".PP"


def _marked(text: str) -> str:
    """Return the text with what stands between backquotes in bold."""
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fR", _escaped(text))


def _escaped(text: str) -> str:
    """Return text that roff shows as it is: a line of it is no request, a hyphen can be copied."""
    escaped = text.replace("\\", "\\(rs").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped
