"""`headwater search`: what a text may mean, among names, columns, tags, owners and descriptions."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from web.cli.client import connected
from web.cli.options import AsJson, DataDir, Url
from web.cli.output import cell, print_json, print_table, say
from web.cli.queries import SEARCH

_STYLES = {"EXACT": "green", "PREFIX": "cyan", "FUZZY": "yellow"}
#: What is said where the list is not all that fits.
_UNFINISHED = {
    "NOT_INDEXED": "not all that is known is in the index yet: after an upgrade or a restore it is being made",
    "NOT_JUDGED": "not all that may fit was judged: more words or filters make it fewer",
    "NOT_SOUGHT": "so much fits that what holds a word within or with a typing error was not looked for",
}


class Kind(StrEnum):
    """What can be found."""

    DATASET = "dataset"
    JOB = "job"
    PIPELINE = "pipeline"


class Field(StrEnum):
    """Where a text can be found."""

    NAME = "name"
    COLUMN = "column"
    TAG = "tag"
    OWNER = "owner"
    DESCRIPTION = "description"


def run_search(
    text: Annotated[
        str,
        typer.Argument(metavar="TEXT", help="Words, a node id, or * for all that the filters let through."),
    ],
    kinds: Annotated[
        list[Kind] | None, typer.Option("--kind", case_sensitive=False, help="Only of this kind.")
    ] = None,
    fields: Annotated[
        list[Field] | None, typer.Option("--in", case_sensitive=False, help="Look only there.")
    ] = None,
    namespace: Annotated[str | None, typer.Option(help="Only of this namespace.")] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", help="Only with this tag, KEY or KEY:VALUE, on it or on a column."),
    ] = None,
    owners: Annotated[list[str] | None, typer.Option("--owner", help="Only what this owner has.")] = None,
    columns: Annotated[list[str] | None, typer.Option("--column", help="Only with this column.")] = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="Most hits.")] = 20,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Find datasets, jobs and pipelines by what is said of them.

    That is their names, columns, tags, owners and descriptions. What is called so or begins so stands before what holds
    a word within or with a typing error; of each, names stand before columns, tags, owners and descriptions. Options
    that are given several times must all be fulfilled, --kind and --in excepted. Exit code 0 also where nothing fits.
    """
    filters = {
        "kinds": [kind.name for kind in kinds] if kinds else None,
        "fields": [field.name for field in fields] if fields else None,
        "namespace": namespace,
        "tags": tags,
        "owners": owners,
        "columns": columns,
    }
    with connected(url, data_dir) as client:
        found = client.ask(SEARCH, text=text, filters=filters, first=first)["search"]
    if as_json:
        print_json(found)
        return
    if found["nodes"]:
        print_table(["MATCH", "NODE", "FOUND IN"], [_row(hit) for hit in found["nodes"]])
    else:
        say("Nothing fits.")
    more = found["totalCount"] - len(found["nodes"])
    if more > 0:
        say(f"and {more} more: --first shows them")
    if not found["complete"]:
        say(_UNFINISHED[found["reason"]])


def _row(hit: Mapping[str, Any]) -> list[Text]:
    return [
        cell(hit["match"].lower(), _STYLES.get(hit["match"], "")),
        cell(hit["id"]),
        Text("; ").join(_place(found) for found in hit["foundIn"][:2]),
    ]


def _place(found: Mapping[str, Any]) -> Text:
    """Return where it was found; a name needs no repetition."""
    field = found["field"].lower()
    if field == "name":
        return cell("name")
    where = f" of {found['column']}" if found["column"] not in (None, found["text"]) else ""
    return cell(f"{field}{where}: {found['text']}")
