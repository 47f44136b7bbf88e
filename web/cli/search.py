"""`headwater search`: datasets and jobs by their names."""

from enum import StrEnum
from typing import Annotated

import typer

from web.cli.client import connected
from web.cli.options import AsJson, DataDir, Url
from web.cli.output import cell, print_json, print_table, say
from web.cli.queries import SEARCH

_STYLES = {"EXACT": "green", "PREFIX": "cyan", "FUZZY": "yellow"}


class Kind(StrEnum):
    """What can be found."""

    DATASET = "dataset"
    JOB = "job"


def run_search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words of a name, or a node id.")],
    kinds: Annotated[
        list[Kind] | None, typer.Option("--kind", case_sensitive=False, help="Only of this kind.")
    ] = None,
    namespace: Annotated[str | None, typer.Option(help="Only of this namespace.")] = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="Most hits.")] = 20,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Find datasets and jobs by their names.

    What is called so stands before what begins so, and that before what holds a word within or with a typing error.
    Exit code 0 also where nothing fits.
    """
    filters = {"kinds": [kind.name for kind in kinds] if kinds else None, "namespace": namespace}
    with connected(url, data_dir) as client:
        found = client.ask(SEARCH, text=text, filters=filters, first=first)["search"]
    if as_json:
        print_json(found)
        return
    if not found["nodes"]:
        say("Nothing fits.")
        return
    rows = [
        [cell(hit["match"].lower(), _STYLES.get(hit["match"], "")), cell(hit["id"])] for hit in found["nodes"]
    ]
    print_table(["MATCH", "NODE"], rows)
    more = found["totalCount"] - len(found["nodes"])
    if more > 0:
        say(f"and {more} more: --first shows them")
    if not found["complete"]:
        say("so much may fit that not all of it was judged: more words make it fewer")
