"""`headwater runs`: list, show, watch, cancel and retry."""

import datetime as dt
import secrets
from typing import Annotated, Any

import typer

from catalog.errors import NotFound
from policies.transitions import RunState
from web.cli.client import Client, connected
from web.cli.logs_of_runs import run_logs
from web.cli.options import AsJson, DataDir, RunName, Url, group
from web.cli.output import cell, print_facts, print_json, print_line, print_table, say, state
from web.cli.queries import CANCEL, RETRY, RUN, RUNS
from web.cli.run_names import run_id
from web.cli.run_parts import COLUMNS, Run, heading, row, took, waited
from web.cli.text import brief, duration, instant, seconds_between
from web.cli.watch import watch_runs

runs = group("List, show, cancel and retry runs; read their logs.")

PAGE = 200

Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, kept with the run.")]


def pages(client: Client, chosen: dict[str, Any], limit: int) -> tuple[list[Run], bool, int | None]:
    """Return at most `limit` runs, whether there are more, and the position that the first page was computed at."""
    found: list[Run] = []
    after = position = None
    while True:
        page = client.ask(RUNS, filter=chosen, first=min(PAGE, limit - len(found)), after=after)[
            "pipelineRuns"
        ]
        found += page["nodes"]
        position = page["position"] if position is None else position
        more = bool(page["pageInfo"]["hasNextPage"])
        if not more or len(found) >= limit:
            return found, more, position
        after = page["pageInfo"]["endCursor"]


@runs.command("list")
def list_runs(
    pipeline: Annotated[
        str | None, typer.Option(metavar="PIPELINE", help="Only runs of this pipeline.")
    ] = None,
    states: Annotated[
        list[RunState] | None, typer.Option("--state", help="Only in this state; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, the latest first.")] = 20,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List runs, those that became due last first."""
    chosen: dict[str, Any] = {}
    if pipeline is not None:
        chosen["pipeline"] = pipeline
    if states:
        chosen["states"] = [found.name for found in states]
    with connected(url, data_dir) as client:
        found, more, position = pages(client, chosen, limit)
    if as_json:
        print_json({"runs": found, "more": more, "position": position})
        return
    if not found:
        say("There are no such runs." if chosen else "There are no runs yet.")
        return
    now = dt.datetime.now(dt.UTC)
    print_table(COLUMNS, [row(run, now) for run in found])
    if more:
        say(f"There are more than {limit}: --limit shows them.")


def _read(client: Client, query: str, name: str) -> Run:
    wanted = run_id(client, name)
    found = client.ask(query, id=wanted)["pipelineRun"]
    if found is None:
        raise NotFound(f"there is no pipeline run {wanted}")
    return dict(found)


@runs.command("show")
def show_run(name: RunName, url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Show a run: its states with their reasons, its attempts, what it consumed and made."""
    with connected(url, data_dir) as client:
        run = _read(client, RUN, name)
    if as_json:
        print_json(run)
        return
    now = dt.datetime.now(dt.UTC)
    print_line(heading(run))
    print_facts(
        [
            ("id", cell(run["id"])),
            ("cause", cell(f"{run['cause'].lower()}, by {run['actor']}")),
            ("document", cell(f"version {run['documentVersion']}")),
            ("due", cell(f"{instant(run['dueAt'])}, position {run['duePosition']}")),
            (
                "started",
                cell(
                    f"{instant(run['startedAt'])}, {waited(run)} after it was due"
                    if run["startedAt"]
                    else None
                ),
            ),
            ("took", cell(took(run, now))),
            ("exit code", cell(run["exitCode"])),
            ("reason", cell(run["reason"])),
        ]
    )
    _print_versions("consumed", run["consumedVersions"])
    _print_versions("made", run["outputs"])
    _print_transitions(run)
    _print_attempts(run)


def _print_versions(title: str, page: dict[str, Any]) -> None:
    if not page["nodes"]:
        return
    print_line("")
    rows = [
        [
            cell(version["dataset"]["id"] if version["dataset"] else None),
            cell(version["partition"]),
            cell(version["rowCount"]),
            state(version["state"].lower()),
            cell(instant(version["time"])),
        ]
        for version in page["nodes"]
    ]
    print_table([title.upper(), "PARTITION", "ROWS", "STATE", "TIME"], rows, right=["ROWS"])
    if page["pageInfo"]["hasNextPage"]:
        say(f"These are the first {len(rows)}.")


def _print_transitions(run: Run) -> None:
    print_line("")
    rows = [
        [
            cell(instant(move["at"])),
            state(move["toState"].lower()),
            cell(move["attempt"]),
            cell(brief(move["actor"])),
            cell(brief(move["reason"])),
        ]
        for move in run["transitions"]
    ]
    print_table(["AT", "STATE", "ATTEMPT", "BY", "REASON"], rows, right=["ATTEMPT"])


def _print_attempts(run: Run) -> None:
    if not run["attempts"]:
        return
    print_line("")
    rows = [
        [
            cell(attempt["number"]),
            cell(attempt["hostName"]),
            cell(instant(attempt["startedAt"])),
            cell(duration(seconds_between(attempt["startedAt"], attempt["endedAt"]))),
            cell(attempt["outcome"].lower() if attempt["outcome"] else None),
            cell(attempt["exitCode"]),
            cell(attempt["reason"]),
        ]
        for attempt in run["attempts"]
    ]
    columns = ["ATTEMPT", "HOST", "STARTED", "TOOK", "OUTCOME", "EXIT", "REASON"]
    print_table(columns, rows, right=["ATTEMPT", "EXIT"])


runs.command("logs")(run_logs)
runs.command("watch")(watch_runs)


@runs.command("cancel")
def cancel_run(
    name: RunName,
    reason: Reason = None,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Cancel a run: at once where nothing of it runs, else as soon as its processes have ended."""
    _command(CANCEL, "cancelRun", name, reason, url, data_dir, as_json=as_json)


@runs.command("retry")
def retry_run(
    name: RunName,
    reason: Reason = None,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Ask for another attempt of a run that ended badly, or release one that is held."""
    _command(RETRY, "retryRun", name, reason, url, data_dir, as_json=as_json)


def _command(
    query: str, field: str, name: str, reason: str | None, url: str | None, data_dir: Any, *, as_json: bool
) -> None:
    with connected(url, data_dir) as client:
        done = client.ask(query, id=run_id(client, name), reason=reason, key=secrets.token_hex(16))[field]
    if as_json:
        print_json(done)
        return
    run = done["pipelineRun"]
    print_line(heading(run))
    if run["cancelRequested"] and run["state"] != "CANCELLED":
        say("It is asked to stop and ends as soon as its processes have.")
