"""`python -m web.cli.reference > docs/cli.md`: the reference of the command line, made from the commands themselves."""

import sys
from collections.abc import Iterator
from typing import Any

from web.cli import root
from web.cli.commands import COMMANDS
from web.cli.exits import ExitCode

EXIT_CODES = {
    ExitCode.OK: "Done.",
    ExitCode.FAILURE: "Something failed, or what was asked about is not well.",
    ExitCode.INVALID: "The command line, a file or a setting does not have the expected form.",
    ExitCode.REFUSED: "Not allowed, or not possible as things stand: conflict, not found, forbidden.",
    ExitCode.UNAVAILABLE: "The server or its database does not answer; the same command may succeed later.",
}

_INTRODUCTION = """# Command line

`headwater` starts a server, looks after it, and is a client of it. This page is made from the commands themselves by
`python -m web.cli.reference > docs/cli.md`.

Data goes to stdout, everything else to stderr; `--json` prints one JSON document and nothing else. Colour is for
terminals, and `NO_COLOR` turns it off. Instants are UTC. Names of others are shown with control characters as escapes.

A client asks the server that `--url` or `HEADWATER_URL` names, else the one that `headwater up` runs on the data
folder, else `http://127.0.0.1:8642`. It shows the token in `HEADWATER_TOKEN`; a server on this machine is shown the
local token of the data folder. Requests are repeated for a few seconds while a server is away: each is safe to repeat.

A run is named by its UUID, the beginning of it (4 characters at least), `PIPELINE/NUMBER`, or `last`.
"""


def reference() -> str:
    """Return the page as Markdown."""
    return "\n".join([*_head(), *_commands()]).rstrip() + "\n"


def _head() -> Iterator[str]:
    yield _INTRODUCTION
    yield "| exit code | means |"
    yield "|---|---|"
    for code, meaning in EXIT_CODES.items():
        yield f"| {code.value} | {meaning} |"
    yield ""
    yield "Before the command stand:"
    yield ""
    yield from _parameters(root(), "headwater")


def _commands() -> Iterator[str]:
    panel = ""
    for entry in COMMANDS:
        if entry.panel != panel:
            panel = entry.panel
            yield f"## {panel}"
            yield ""
        yield from _command(entry.load(), f"headwater {entry.name}", 3)


def _command(command: Any, path: str, level: int) -> Iterator[str]:
    context = context_of(command, path)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"{'#' * level} `{path}`"
    yield ""
    yield "```"
    yield f"{path} {usage}"
    yield "```"
    yield ""
    yield (command.help or "").strip()
    yield ""
    below = getattr(command, "commands", None)
    if below is None:
        yield from _parameters(command, path)
        return
    for name, child in below.items():
        yield from _command(child, f"{path} {name}", level + 1)


def _parameters(command: Any, path: str) -> Iterator[str]:
    context = context_of(command, path)
    records = [found for parameter in command.get_params(context) if (found := record(parameter, context))]
    if records:
        yield "| | |"
        yield "|---|---|"
        for names, text in records:
            yield f"| `{_cell(names)}` | {_cell(text)} |"
        yield ""


def record(parameter: Any, context: Any) -> tuple[str, str] | None:
    """Return the names of a parameter and what its help says; None for --help, which every command has."""
    if parameter.name == "help":
        return None
    record = parameter.get_help_record(context)
    return None if record is None else (str(record[0]), " ".join(str(record[1]).split()))


def context_of(command: Any, path: str) -> Any:
    """Return a context in which the command can be described."""
    return command.context_class(command, info_name=path)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
