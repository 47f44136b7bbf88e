"""`headwater job`: what is known of one job."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from web.cli.catalog_queries import JOB
from web.cli.client import connected
from web.cli.described import facet_names, joined, owners, tags
from web.cli.named_node import find_named
from web.cli.options import AsJson, DataDir, Url, group
from web.cli.output import cell, print_facts, print_json, print_line, print_table, say, state
from web.cli.text import count, duration, instant, seconds_between

job = group("Show a job.")

Answer = Mapping[str, Any]


@job.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="job:NAMESPACE:NAME, NAMESPACE:NAME, or a name that only one job has."
        ),
    ],
    runs: Annotated[int, typer.Option(min=0, max=1000, help="Most runs, latest first.")] = 5,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what is known of a job.

    That is who answers for it, what it reads and writes, and its runs. With --json its facets too, as they were sent.
    """
    with connected(url, data_dir) as client:
        answer = find_named(client, "job", name, JOB, first=runs)
    found = answer["job"]
    if as_json:
        print_json({**found, "position": answer["position"]})
        return
    print_facts(_facts(found))
    listed = found["runs"]
    if listed["nodes"]:
        print_line("")
        columns = ["RUN", "STATE", "STARTED", "TOOK", "ERROR"]
        print_table(columns, [_run(each) for each in listed["nodes"]], right=["TOOK"])
        more = listed["totalCount"] - len(listed["nodes"])
        if more > 0:
            say(f"and {count(more, 'run')} more: --runs shows them")


def _facts(found: Answer) -> Iterator[tuple[str, Text]]:
    yield "job", cell(found["id"], "bold")
    if found["pipeline"]:
        yield "pipeline", cell(f"{found['pipeline']['name']} ({found['pipeline']['state'].lower()})")
    if found["jobType"]:
        kinds = (found["jobType"][name] for name in ("integration", "jobType", "processingType"))
        yield "type", cell(", ".join(kind for kind in kinds if kind))
    yield "description", cell(found["description"])
    yield "owners", owners(found["owners"])
    yield "tags", tags(found["tags"])
    yield "first heard of", cell(instant(found["firstSeenAt"]))
    if found["parents"]:
        yield "started by", joined(parent["id"] for parent in found["parents"])
    if found["inputs"] is None:
        yield "lineage", cell("nobody told")
    else:
        yield "reads", joined(each["id"] for each in found["inputs"])
        yield "writes", joined(each["id"] for each in found["outputs"])
        yield "since", cell(instant(found["shapeAt"]))
    if found["sql"]:
        yield "sql", Text("\n").join(cell(line) for line in found["sql"].splitlines())
    yield "facets", facet_names(found["facets"])


def _run(run: Answer) -> list[Text]:
    return [
        cell(run["id"][:8]),
        state((run["state"] or "unknown").lower()),
        cell(instant(run["startedAt"])),
        cell(duration(seconds_between(run["startedAt"], run["endedAt"]))),
        cell((run["errorMessage"] or "-").splitlines()[0][:200]),
    ]
