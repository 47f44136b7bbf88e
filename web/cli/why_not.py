"""`headwater why-not`: how what a pipeline waits for stands, and what would start it."""

from typing import Any

from rich.text import Text
from rich.tree import Tree

from catalog.errors import NotFound
from web.cli.client import connected
from web.cli.options import AsJson, DataDir, PipelineName, Url
from web.cli.output import print_json, print_line, print_tree, state
from web.cli.queries import WHY_NOT
from web.cli.run_parts import HOLDS_SLOT, run_name
from web.cli.text import count, duration, instant, shown

Condition = dict[str, Any]

#: Runs of one kind that are named.
_MOST_NAMED = 5


def run_why_not(
    pipeline: PipelineName, url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False
) -> None:
    """Say why a pipeline does not start.

    Says first if it is paused or deleted. Then shows its condition as a tree (✓ holds, ✗ does not) with what is queued
    and since when, and what else keeps a run from starting: no free slot, a run that is held, facts that wait to be
    judged, no worker that takes launches.
    """
    with connected(url, data_dir) as client:
        answer = client.ask(WHY_NOT, name=pipeline, going=sorted(HOLDS_SLOT))
    found = answer["pipeline"]
    if found is None:
        raise NotFound(f"there is no pipeline {pipeline!r}: `headwater pipelines` lists them"[:300])
    if as_json:
        print_json({"pipeline": found, "status": answer["status"]})
        return
    print_line(Text.assemble((shown(found["name"]), "bold"), " ", state(found["state"].lower())))
    if found["halted"] is not None:
        print_line(Text(f"{shown(found['halted'])}: {way_out(found, answer['status'])}", style="yellow"))
    if found["condition"] is not None:
        print_tree(condition_tree(found["condition"]))
    for line in reasons(found, answer["status"]):
        print_line(line)


def way_out(pipeline: dict[str, Any], status: dict[str, Any]) -> str:
    """Return the command that lets a paused or deleted pipeline start runs again."""
    if status["pause"] is not None and pipeline["state"] != "DELETED":
        return "headwater resume --all"
    return (
        "headwater apply -f FILE"
        if pipeline["state"] == "DELETED"
        else f"headwater resume {shown(pipeline['name'])}"
    )


def condition_tree(condition: Condition) -> Tree:
    """Return the condition with its parts below it, in the order of the document."""
    tree = Tree(_line(condition), guide_style="dim")
    path = [tree]
    for part in condition["descendants"]:
        level = part["level"] - condition["level"]
        del path[level:]
        path.append(path[-1].add(_line(part)))
    return tree


def _line(part: Condition) -> Text:
    holds = part["satisfied"]
    line = Text.assemble(("✓ ", "green") if holds else ("✗ ", "red"), shown(part["label"]))
    details = []
    if part["kind"] == "DATASET":
        details.append(f"{count(part['queued'], 'version')} queued" if part["queued"] else "nothing queued")
    if part["since"] is not None:
        details.append(f"since {instant(part['since'])} ({duration(part['durationSeconds'])})")
    if details:
        line.append(f"  {', '.join(details)}", style="dim")
    return line


def reasons(pipeline: dict[str, Any], status: dict[str, Any]) -> list[str]:
    """Return what else than a pause keeps the pipeline from starting a run now, or that nothing does; a line each."""
    lines = []
    condition = pipeline["condition"]
    if condition is not None and condition["waitingFor"] is not None:
        given_back = (
            "what is queued was given back by a run that did not succeed: " if condition["satisfied"] else ""
        )
        lines.append(f"{given_back}would be due with {shown(condition['waitingFor'])}")
    lines += _run_lines(pipeline)
    if status["lag"]["positions"]:
        behind = f"the state is {count(status['lag']['positions'], 'position')} behind the ledger"
        lines.append(
            f"{behind}, the oldest fact waits for {duration(status['lag']['seconds'])}: is a worker running?"
        )
    by_command = pipeline["launcher"] == "COMMAND" and pipeline["state"] != "DELETED"
    if by_command and not status["launchHosts"]:
        lines.append(
            "no living worker takes launches: what is due stays queued until `headwater up` or `headwater worker`"
            " runs with --allow-commands FOLDER"
        )
    if status["parkedCount"]:
        lines.append(
            f"{count(status['parkedCount'], 'record')} parked: `headwater follower list` shows what failed"
        )
    return lines or ([] if pipeline["halted"] else ["nothing keeps it from starting"])


def _run_lines(pipeline: dict[str, Any]) -> list[str]:
    # Each kind is asked for by itself: of very many that wait the page would hide the one that holds the slot.
    going, waiting, held = pipeline["going"], pipeline["waiting"], pipeline["held"]
    slots = f"{going['totalCount']} of {count(pipeline['concurrency'], 'slot')} taken"
    lines = []
    # A free slot would start nothing of a pipeline that is paused or deleted.
    if going["nodes"]:
        lines.append(f"{'goes on to its end' if pipeline['halted'] else slots}: {_named(going)}")
    if waiting["nodes"]:
        lines.append(f"waiting {'meanwhile' if pipeline['halted'] else 'for a slot'}: {_named(waiting)}")
    lines += [
        f"held: {shown(run_name(run))}: {shown(run['reason'].removeprefix('held: '))}"
        for run in held["nodes"]
    ]
    more = held["totalCount"] - len(held["nodes"])
    return [*lines, f"held: {count(more, 'run')} more"] if more > 0 else lines


def _named(runs: dict[str, Any]) -> str:
    named = [
        f"{run_name(run)} {run['state'].lower()} since {instant(run['startedAt'] or run['dueAt'])}"
        for run in runs["nodes"][:_MOST_NAMED]
    ]
    more = runs["totalCount"] - len(named)
    return shown(", ".join(named) + (f" and {more} more" if more > 0 else ""))
