"""What the command line prints: data on stdout, everything else on stderr, colour on a terminal only."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from web.cli.text import safe_json, shown

#: Width of what is not a terminal: lines are kept whole there, for programs that read line by line.
UNWRAPPED = 100_000

STATE_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "lost": "red",
    "cancelled": "yellow",
    "held": "yellow",
    "retrying": "yellow",
    "running": "cyan",
    "launching": "cyan",
    "queued": "blue",
    "pending": "blue",
    "paused": "yellow",
    "active": "green",
    "delivered": "green",
    "dead": "red",
}


def _console(stream: TextIO, width: int | None = None) -> Console:
    if width is None and not stream.isatty() and not os.environ.get("COLUMNS"):
        width = UNWRAPPED
    # Names are never markup: a dataset may be called [red].
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def out() -> Console:
    """Return the console for data."""
    return _console(sys.stdout)


def err() -> Console:
    """Return the console for progress, warnings and errors."""
    return _console(sys.stderr)


def say(message: str) -> None:
    """Print a line for people on stderr."""
    err().print(Text(shown(message, lines=True)), soft_wrap=True)


def warn(message: str) -> None:
    """Print a warning on stderr."""
    err().print(Text.assemble(("warning: ", "yellow"), shown(message, lines=True)), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print the value as one JSON document on stdout."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(f"{safe_json(text)}\n")


def print_tree(tree: Tree) -> None:
    """Print the tree with whole lines, however deep it is: the terminal breaks what is too long for it."""
    _console(sys.stdout, UNWRAPPED).print(tree, crop=False, no_wrap=True, overflow="ignore")


def cell(text: object, style: str = "") -> Text:
    """Return a text of others as it may be shown."""
    return Text(shown("-" if text is None else text), style=style, overflow="fold")


def state(name: str) -> Text:
    """Return the name of a state in its colour."""
    return cell(name, STATE_STYLES.get(name, ""))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Text]], *, right: Sequence[str] = ()) -> None:
    """Print rows under their headings; what is too long for the terminal is folded, never cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    _print_aligned(table)


def print_facts(facts: Iterable[tuple[str, Text]]) -> None:
    """Print names with their values, one a line."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, value)
    _print_aligned(table)


def _print_aligned(table: Table) -> None:
    console = out()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    # Columns are filled up with blanks, which nobody needs after the last one.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def print_line(text: Text | str) -> None:
    """Print one line of data on stdout, unwrapped."""
    out().print(Text(shown(text)) if isinstance(text, str) else text, soft_wrap=True)
