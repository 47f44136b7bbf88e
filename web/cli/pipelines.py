"""`headwater pipelines`, `pause` and `resume`."""

import datetime as dt
import secrets
from typing import Annotated, Any

import typer
from rich.text import Text

from catalog.errors import InvalidInput
from web.cli.client import Client, connected
from web.cli.options import AsJson, DataDir, Url
from web.cli.output import cell, print_json, print_line, print_table, say, state
from web.cli.queries import PAUSE, PAUSE_ALL, PIPELINES, RESUME, RESUME_ALL
from web.cli.run_parts import state_of, took
from web.cli.text import instant

PAGE = 200

OptionalPipeline = Annotated[
    str | None, typer.Argument(metavar="[PIPELINE]", help="Name of the pipeline; or --all.")
]


def run_pipelines(url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """List pipelines and their last runs."""
    with connected(url, data_dir) as client:
        found, position = _read(client)
    if as_json:
        print_json({"pipelines": found, "position": position})
        return
    if not found:
        say("There are no pipelines yet: `headwater apply -f FILE` registers one.")
        return
    now = dt.datetime.now(dt.UTC)
    print_table(
        ["PIPELINE", "STATE", "OWNER", "LAST RUN", "", "DUE", "TOOK"],
        [_row(pipeline, now) for pipeline in found],
    )


def _read(client: Client) -> tuple[list[dict[str, Any]], int | None]:
    found: list[dict[str, Any]] = []
    after = position = None
    while True:
        page = client.ask(PIPELINES, first=PAGE, after=after)["pipelines"]
        found += page["nodes"]
        position = page["position"] if position is None else position
        if not page["pageInfo"]["hasNextPage"]:
            return found, position
        after = page["pageInfo"]["endCursor"]


def _row(pipeline: dict[str, Any], now: dt.datetime) -> list[Text]:
    run = pipeline["latestRun"]
    named = [cell(pipeline["name"], "bold"), state(pipeline["state"].lower()), cell(pipeline["owner"])]
    if run is None:
        return [*named, cell("none yet", "dim"), cell(""), cell(""), cell("")]
    return [*named, cell(run["number"]), state_of(run), cell(instant(run["dueAt"])), cell(took(run, now))]


def run_pause(
    pipeline: OptionalPipeline = None,
    every: Annotated[
        bool, typer.Option("--all", help="All pipelines at once; nothing is launched any more.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why, shown as long as all are paused; with --all.")
    ] = None,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Pause a pipeline: nothing of it starts.

    Versions queue up meanwhile; runs that go on are not touched. With --all that holds for every pipeline, those that
    are registered meanwhile too, and attempts that have a slot and were not begun wait as well.
    """
    _check_choice(pipeline, every=every)
    if reason is not None and not every:
        raise InvalidInput("--reason goes with --all")
    with connected(url, data_dir) as client:
        if pipeline is None:
            done = client.ask(PAUSE_ALL, reason=reason, key=secrets.token_hex(16))["pauseAll"]
        else:
            done = client.ask(PAUSE, pipeline=pipeline, key=secrets.token_hex(16))["pausePipeline"]
    _show(done, as_json=as_json)


def run_resume(
    pipeline: OptionalPipeline = None,
    every: Annotated[bool, typer.Option("--all", help="End the pause of all pipelines at once.")] = False,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Resume a paused pipeline.

    What has queued up starts what it makes due. With --all the pause of all pipelines ends; one that is paused by
    itself stays so.
    """
    _check_choice(pipeline, every=every)
    with connected(url, data_dir) as client:
        if pipeline is None:
            done = client.ask(RESUME_ALL, key=secrets.token_hex(16))["resumeAll"]
        else:
            done = client.ask(RESUME, pipeline=pipeline, key=secrets.token_hex(16))["resumePipeline"]
    _show(done, as_json=as_json)


def _check_choice(pipeline: str | None, *, every: bool) -> None:
    if (pipeline is None) is not every:
        raise InvalidInput("expected either the name of a pipeline or --all")


def _show(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(done)
    elif "pipeline" in done:
        print_line(f"{done['pipeline']['name']} {done['pipeline']['state'].lower()}")
    elif done["pause"] is None:
        print_line("all pipelines start when they are due, but those that are paused by themselves")
    else:
        why = f": {done['pause']['reason']}" if done["pause"]["reason"] else ""
        print_line(
            f"all pipelines paused since {instant(done['pause']['at'])} by {done['pause']['actor']}{why}"
        )
