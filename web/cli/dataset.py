"""`headwater dataset`: what is known of one dataset."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from web.cli.catalog_queries import DATASET
from web.cli.client import connected
from web.cli.described import facet_names, joined, listed_jobs, owners, tag_text, tags
from web.cli.named_node import find_named
from web.cli.options import AsJson, DataDir, Url, group
from web.cli.output import cell, print_facts, print_json, print_line, print_table, say, state
from web.cli.text import count, instant

dataset = group("Show a dataset.")

Answer = Mapping[str, Any]


@dataset.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="dataset:NAMESPACE:NAME, NAMESPACE:NAME, or a name that only one dataset has.",
        ),
    ],
    versions: Annotated[int, typer.Option(min=0, max=1000, help="Most versions, latest first.")] = 5,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what is known of a dataset.

    That is who answers for it, its columns, versions, other names, and the jobs that write and read it.
    With --json its facets too, as they were sent.
    """
    with connected(url, data_dir) as client:
        answer = find_named(client, "dataset", name, DATASET, first=versions)
    found = answer["dataset"]
    if as_json:
        print_json({**found, "position": answer["position"]})
        return
    print_facts(_facts(found))
    if found["fields"]:
        print_line("")
        rows = list(_columns(found["fields"], "", found["tags"]))
        print_table(["COLUMN", "TYPE", "TAGS", "DESCRIPTION"], rows)
    listed = found["versions"]
    if listed["nodes"]:
        print_line("")
        print_table(
            ["VERSION", "STATE", "TIME", "ROWS", "RUN"],
            [_version(each) for each in listed["nodes"]],
            right=["ROWS"],
        )
        more = listed["totalCount"] - len(listed["nodes"])
        if more > 0:
            say(f"and {count(more, 'version')} more: --versions shows them")


def _facts(found: Answer) -> Iterator[tuple[str, Text]]:
    yield "dataset", cell(found["id"], "bold")
    if found["shownName"]["id"] != found["id"]:
        yield "shown as", cell(found["shownName"]["id"])
    if found["aliases"]:
        yield "also called", joined(alias["dataset"]["id"] for alias in found["aliases"])
    if found["datasetType"]:
        kinds = (found["datasetType"]["type"], found["datasetType"]["subType"])
        yield "type", cell(", ".join(kind for kind in kinds if kind))
    yield "description", cell(found["description"])
    yield "owners", owners(found["owners"])
    yield "tags", tags(found["tags"])
    yield "first heard of", cell(instant(found["firstSeenAt"]))
    current = found["currentVersion"]
    if current is None:
        yield "current version", cell("none was published")
    else:
        maker = current["run"] and current["run"]["job"]
        by = f" by {maker['id']}" if maker else ""
        yield "current version", cell(f"{instant(current['time'])}{by}")
    yield "written by", listed_jobs(found["producers"])
    yield "read by", listed_jobs(found["consumers"])
    yield "facets", facet_names(found["facets"])


def _columns(fields: Sequence[Answer], above: str, labels: Sequence[Answer]) -> Iterator[list[Text]]:
    for column in fields:
        path = above + column["name"]
        own = [tag_text(tag) for tag in labels if tag["field"] == path]
        yield [cell(path), cell(column["type"]), cell(", ".join(own) or None), cell(column["description"])]
        yield from _columns(column.get("fields") or (), f"{path}.", labels)


def _version(version: Answer) -> list[Text]:
    rows = "-" if version["rowCount"] is None else f"{version['rowCount']:,}"
    run = version["runId"]
    return [
        cell(version["id"][:8]),
        state(version["state"].lower()),
        cell(instant(version["time"])),
        cell(rows),
        cell(None if run is None else run[:8]),
    ]
