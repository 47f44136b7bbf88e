"""`headwater runs logs`: what an attempt wrote, once or while it writes."""

import sys
import time
from typing import Annotated, Any

import typer

from catalog.errors import InvalidInput, NotFound
from web.cli.client import Client, connected
from web.cli.exits import ExitCode
from web.cli.options import AsJson, DataDir, RunName, Url
from web.cli.output import print_json, say
from web.cli.queries import LOGS
from web.cli.run_names import run_id
from web.cli.run_parts import FINAL, run_name
from web.cli.text import shown

MAX_BYTES = 16 * 1024 * 1024
POLL_SECONDS = 0.5
#: So much of what was printed last is looked for, in characters, where the middle of the output was dropped.
OVERLAP = 4096


def run_logs(
    name: RunName,
    attempt: Annotated[int | None, typer.Option(min=1, help="Which attempt; default the last.")] = None,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a run wrote to stdout and stderr.

    To a terminal control characters are shown as escapes; a file or a pipe gets the text as it is.
    """
    if follow and as_json:
        raise InvalidInput(
            "expected either --follow or --json: what is followed has no end to be put into one document"
        )
    with connected(url, data_dir) as client:
        wanted = run_id(client, name)
        if follow:
            _follow(client, wanted, attempt)
            return
        run = _read(client, wanted, attempt)
    logs = run["logs"]
    if as_json:
        print_json({"run": run["id"], **logs})
    elif logs["available"]:
        _write(logs["text"])
    if not logs["available"]:
        say(logs["reason"])
        raise typer.Exit(ExitCode.FAILURE)


def _read(client: Client, wanted: str, attempt: int | None) -> dict[str, Any]:
    run = client.ask(LOGS, id=wanted, attempt=attempt, maxBytes=MAX_BYTES)["pipelineRun"]
    if run is None:
        raise NotFound(f"there is no pipeline run {wanted}")
    return dict(run)


def _follow(client: Client, wanted: str, attempt: int | None) -> None:
    """Print what is new until the run has ended; every attempt in turn where none is chosen."""
    printed = ""
    following = 0
    told = ""
    while True:
        run = _read(client, wanted, attempt)
        logs = run["logs"]
        if logs["attempt"] != following:
            following, printed = logs["attempt"], ""
            say(f"attempt {following} of {run_name(run)}")
        if logs["available"]:
            text = complete_characters(logs["text"]) if run["state"] not in FINAL else logs["text"]
            _write(new_part(printed, text))
            printed = text
        elif logs["reason"] != told:
            told = logs["reason"]
            say(told)
        if run["state"] in FINAL or (attempt is not None and attempt < run["attempt"]):
            say(f"{run_name(run)} {run['state'].lower()}")
            return
        time.sleep(POLL_SECONDS)


def complete_characters(text: str) -> str:
    """Return the text without a character at its end of which only a part has been written."""
    return text.rstrip("\ufffd")


def new_part(printed: str, text: str) -> str:
    """Return what of the text was not printed yet, also where the middle of it was dropped since."""
    if text.startswith(printed):
        return text[len(printed) :]
    known = printed[-OVERLAP:]
    at = text.rfind(known)
    if at >= 0:
        return text[at + len(known) :]
    # So much was written since that nothing of the end is known: what was kept of it is all there is.
    shared = next((at for at, pair in enumerate(zip(printed, text, strict=False)) if pair[0] != pair[1]), 0)
    return text[shared:]


def _write(text: str) -> None:
    if sys.stdout.isatty():
        # A lone carriage return would let a line overwrite another.
        text = shown(text.replace("\r\n", "\n").replace("\r", "\n"), lines=True)
    sys.stdout.write(text)
    sys.stdout.flush()
