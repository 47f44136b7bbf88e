"""`headwater runs watch`: runs as they move from state to state."""

import itertools
import json
import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from policies.transitions import RunState
from web.cli.client import connected
from web.cli.following import Item, follow
from web.cli.options import AsJson, DataDir, Url
from web.cli.output import cell, print_line, state
from web.cli.queries import WATCH
from web.cli.run_parts import run_name
from web.cli.text import brief, instant, safe_json


def watch_runs(
    pipeline: Annotated[
        str | None, typer.Option(metavar="PIPELINE", help="Only runs of this pipeline.")
    ] = None,
    states: Annotated[
        list[RunState] | None, typer.Option("--state", help="Only moves to this state; repeatable.")
    ] = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="Go on after this cursor; 0 tells all that ever happened.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many moves.")] = None,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show runs as they move from state to state, until it is interrupted.

    With --json each move is one line with its `cursor`, after which --after goes on. Where the connection breaks it is
    opened again, and nothing is left out or told twice.
    """
    variables: dict[str, Any] = {"pipeline": pipeline, "after": after}
    if states:
        variables["states"] = [found.name for found in states]
    with connected(url, data_dir) as client:
        moves = follow(client, WATCH, "pipelineRunChanged", variables)
        try:
            for move in itertools.islice(moves, limit):
                if as_json:
                    sys.stdout.write(f"{safe_json(json.dumps(move, ensure_ascii=False))}\n")
                else:
                    print_line(_line(move))
                sys.stdout.flush()
        except KeyboardInterrupt:
            # It is how one ends it.
            return


def _line(move: Item) -> Text:
    transition = move["transition"]
    return Text("  ").join(
        [
            cell(instant(transition["at"]), "dim"),
            cell(run_name(move["pipelineRun"]), "bold"),
            state(transition["toState"].lower()),
            cell(brief(transition["reason"])),
        ]
    )
