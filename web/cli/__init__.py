"""The command line `headwater`: a client of the server's interfaces, and the way to start and look after one.

`commands` is the table of all commands; each stands in a module that is loaded when it is used. What is printed goes
through `output`, what is asked of a server through `client`. May import every room.
"""

import io
import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from catalog.errors import HeadwaterError
from catalog.redaction import redact_text
from web.cli.commands import COMMANDS, LazyCommand
from web.cli.exits import ExitCode, error_line, exit_code
from web.cli.text import shown


class HeadwaterGroup(TyperGroup):
    """All commands; it remembers whether tracebacks are wanted."""

    shows_tracebacks = False

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        self.shows_tracebacks = ctx.params["debug"]
        return super().invoke(ctx)


def _show_version(wanted: bool) -> None:
    if wanted:
        # Loaded when it is asked for: it looks at the database driver.
        typer.echo(import_module("web.cli.version").version_text())
        raise typer.Exit


app = typer.Typer(
    cls=HeadwaterGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


@app.callback()
def options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print version and build."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="HEADWATER_DEBUG", help="Show tracebacks of errors.")
    ] = False,
) -> None:
    """Headwater: a lineage catalog that starts due pipelines.

    Exit codes: 0 done, 1 failed, 2 wrong input, 3 refused, 4 server away.
    """


def root() -> HeadwaterGroup:
    """Return the command `headwater` with all commands below it."""
    # Not the bare group: the command comes with the options that make shells complete it.
    group = typer.main.get_command(app)
    if not isinstance(group, HeadwaterGroup):
        raise TypeError(f"expected a HeadwaterGroup, found {type(group).__name__}")
    for entry in COMMANDS:
        group.add_command(LazyCommand(entry))
    return group


def main() -> None:
    """Run the command line of this process and exit with its code; an error becomes one clear line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character shows its escape.
            stream.reconfigure(errors="backslashreplace")
    group = root()
    try:
        group(prog_name="headwater")
    except HeadwaterError as error:
        if group.shows_tracebacks:
            raise
        _end(error_line(error), exit_code(error))
    except Exception as error:
        if group.shows_tracebacks:
            raise
        # Drivers and libraries quote what they were given.
        told = redact_text(f"{type(error).__name__}: {error}")
        _end(f"headwater: internal: {shown(told)}; headwater --debug shows where", ExitCode.FAILURE)


def _end(line: str, code: ExitCode) -> NoReturn:
    sys.stderr.write(f"{line}\n")
    sys.exit(code)
