"""`headwater impact`: what a change may change, and the pipelines that would start."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from web.cli.client import connected
from web.cli.completeness import say_completeness
from web.cli.options import AsJson, DataDir, Url
from web.cli.output import cell, print_json, print_line, print_table, say
from web.cli.queries import IMPACT
from web.cli.text import count, instant

#: Fields of a dataset that are named in the table; --json has them all.
NAMED_FIELDS = 8

Affected = Mapping[str, Any]


def run_impact(
    node: Annotated[
        str,
        typer.Argument(
            metavar="NODE",
            help="dataset:NAMESPACE:NAME, job:NAMESPACE:NAME or datasetField:NAMESPACE:NAME:FIELD.",
        ),
    ],
    depth: Annotated[int, typer.Option(min=0, help="Most edges away; dataset to job is one.")] = 20,
    max_nodes: Annotated[int, typer.Option(min=1, help="Most nodes.")] = 1_000,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List what a change may change, and the pipelines that would start.

    By columns where jobs tell of them; where one does not, all of what it writes may be affected. VIA is a shortest
    path. Whether the list is complete is told on stderr; exit code 0 also where it is not.
    """
    with connected(url, data_dir) as client:
        answer = client.ask(IMPACT, node=node, depth=depth, maxNodes=max_nodes)
    found, pause = answer["impact"], answer["status"]["pause"]
    if as_json:
        print_json({**found, "pause": pause})
    else:
        _print_affected(found["nodes"])
        _print_pipelines(found["pipelines"])
        if pause is not None and found["pipelines"]:
            say(
                f"All pipelines are paused since {instant(pause['at'])}: none starts before `headwater resume --all`."
            )
    say_completeness(found["completeness"], f"{_sizes(found['counts'])}, position {found['position']}")


def _sizes(counts: Mapping[str, int]) -> str:
    datasets = count(counts["datasets"], "dataset")
    by_columns = f" ({counts['datasetsByColumns']} by columns)" if counts["datasets"] else ""
    return f"{datasets}{by_columns}, {count(counts['fields'], 'field')}, {count(counts['jobs'], 'job')}"


def _print_affected(nodes: Sequence[Affected]) -> None:
    if not nodes:
        say("Nothing is affected.")
        return
    fields: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for node in nodes:
        if node["kind"] == "FIELD":
            fields[node["namespace"], node["name"]].append(node["field"])
    rows = [
        [
            cell(node["distance"]),
            cell(node["id"], "cyan" if node["kind"] == "DATASET" else ""),
            _affected(node, fields[node["namespace"], node["name"]]),
            cell(" > ".join(node["path"][1:-1]) or "-", "dim"),
        ]
        for node in nodes
        # Fields stand with their datasets.
        if node["kind"] != "FIELD"
    ]
    print_table(["DISTANCE", "NODE", "AFFECTED", "VIA"], rows, right=["DISTANCE"])


def _affected(node: Affected, fields: Sequence[str]) -> Text:
    """Return how a dataset is affected; a job is, which needs no word."""
    match node["level"]:
        case "TABLE":
            return cell("all of it may be", "yellow")
        case "COLUMNS":
            more = len(fields) - NAMED_FIELDS
            named = [*fields[:NAMED_FIELDS], *([f"{more} more"] if more > 0 else [])]
            return cell(", ".join(named) or "no column of it")
        case _:
            return cell("")


def _print_pipelines(pipelines: Sequence[Mapping[str, Any]]) -> None:
    if not pipelines:
        return
    print_line("")
    rows = [
        [
            cell(pipeline["name"]),
            cell("would start", "green") if pipeline["starts"] else cell("would wait", "yellow"),
            cell(", ".join(pipeline["because"])),
            cell(pipeline["waitingFor"]),
        ]
        for pipeline in pipelines
    ]
    print_table(["PIPELINE", "THEN", "BECAUSE OF", "WAITING FOR"], rows)
