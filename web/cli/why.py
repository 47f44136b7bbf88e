"""`headwater why`: the chain that led to a run, down to the first causes."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from catalog.errors import NotFound
from web.cli.client import connected
from web.cli.options import AsJson, DataDir, RunName, Url
from web.cli.output import print_json, print_tree, say, warn
from web.cli.queries import WHY
from web.cli.run_names import run_id
from web.cli.run_parts import Run, heading, run_name, took, waited
from web.cli.text import count, duration, instant, seconds_between, shown

_STYLES = {"VERSION": "cyan", "RUN": "", "PIPELINE_RUN": "bold", "FACT": "green"}

Cause = dict[str, Any]


def run_why(
    name: RunName,
    depth: Annotated[
        int, typer.Option(min=1, max=1000, help="Generations of pipeline runs to go back.")
    ] = 50,
    max_nodes: Annotated[int, typer.Option(min=1, max=100_000, help="Most lines.")] = 1000,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say why a run started, down to the first cause.

    Below the run stand the versions that it consumed, below each the run or report that made it, and so on.
    """
    with connected(url, data_dir) as client:
        wanted = run_id(client, name)
        run = client.ask(WHY, id=wanted, depth=depth, maxNodes=max_nodes)["pipelineRun"]
    if run is None:
        raise NotFound(f"there is no pipeline run {wanted}")
    if as_json:
        print_json(run)
    else:
        print_tree(causes_tree(run, dt.datetime.now(dt.UTC)))
    causes = run["causes"]
    if not causes["complete"]:
        limits = {"DEPTH": f"--depth {depth}", "NODE_LIMIT": f"--max-nodes {max_nodes}"}
        reason = causes["reason"]
        warn(f"incomplete ({reason}): older causes lie beyond {limits.get(reason, 'what may be told')}")
    elif not as_json:
        say(f"complete: {_summary(causes['nodes'])}")


def causes_tree(run: Run, now: dt.datetime) -> Tree:
    """Return the run with its causes below it, each line right below what it explains.

    What several lines are about stands there once in full, with a number; the others name it and that number.
    """
    tree = Tree(_run_line(run, now), guide_style="dim")
    branches: dict[int, Tree] = {}
    nodes: list[Cause] = run["causes"]["nodes"]
    referred = sorted({node["explainedAt"] for node in nodes if node["explainedAt"] is not None})
    numbers = {index: number for number, index in enumerate(referred, 1)}
    for cause in nodes:
        above = tree if cause["parent"] is None else branches[cause["parent"]]
        line = reference_line(cause, numbers) if cause["repeated"] else cause_line(cause)
        if cause["index"] in numbers:
            line.append(f"  [{numbers[cause['index']]}]", style="yellow")
        branches[cause["index"]] = above.add(line)
    return tree


def _run_line(run: Run, now: dt.datetime) -> Text:
    line = heading(run)
    line.append(f"  due {instant(run['dueAt'])}", style="dim")
    if run["startedAt"] is not None:
        line.append(f", started after {waited(run)}, took {took(run, now)}", style="dim")
    line.append(f"\n{shown(run['reason'])}", style="italic")
    return line


def cause_line(cause: Cause) -> Text:
    """Return one cause: its instant, what it is, how long it took."""
    line = Text(f"{instant(cause['at'])}  ", style="dim")
    line.append(shown(cause["text"]), style=_STYLES.get(cause["kind"], ""))
    for part in _details(cause):
        line.append(f", {part}", style="dim")
    return line


def reference_line(cause: Cause, numbers: Mapping[int, int]) -> Text:
    """Return the name of something that is told further up, and where: by the number of its line there."""
    where = "the top" if cause["explainedAt"] is None else f"[{numbers[cause['explainedAt']]}]"
    return Text.assemble(
        (shown(_name(cause)), _STYLES.get(cause["kind"], "")), ("  see ", "dim"), (where, "yellow")
    )


def _name(cause: Cause) -> str:
    if (version := cause["version"]) is not None:
        partition = f" partition {version['partition']}" if version["partition"] else ""
        return f"version of {version['dataset']['id'] if version['dataset'] else 'a dataset'}{partition}"
    if (run := cause["run"]) is not None:
        return f"run {str(run['id'])[:8]} of {run['job']['id'] if run['job'] else 'a job'}"
    if (pipeline_run := cause["pipelineRun"]) is not None:
        return f"run {run_name(pipeline_run)}"
    return str(cause["text"])


def _details(cause: Cause) -> list[str]:
    details = []
    if (version := cause["version"]) is not None and version["rowCount"] is not None:
        details.append(count(version["rowCount"], "row"))
    if (pipeline_run := cause["pipelineRun"]) is not None:
        seconds = seconds_between(pipeline_run["dueAt"], pipeline_run["startedAt"])
        if seconds is not None:
            details.append(f"started {duration(seconds)} after it was due")
    made = cause["run"] or pipeline_run
    if made is not None and made["startedAt"] and made["endedAt"]:
        details.append(f"took {duration(seconds_between(made['startedAt'], made['endedAt']))}")
    if cause["position"] is not None:
        details.append(f"position {cause['position']}")
    return details


def _summary(nodes: list[Cause]) -> str:
    if not nodes:
        return "it has no cause that was told"
    explained = {node["parent"] for node in nodes}
    first = [node for node in nodes if node["index"] not in explained and not node["repeated"]]
    return f"{count(len(nodes), 'cause')}, {count(len(first), 'first cause')}"
