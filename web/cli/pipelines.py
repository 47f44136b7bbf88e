"""`headwater pipelines`, `pause` and `resume`."""

import datetime as dt
import secrets
from typing import Any

from rich.text import Text

from web.cli.client import Client, connected
from web.cli.options import AsJson, DataDir, PipelineName, Url
from web.cli.output import cell, print_json, print_line, print_table, say, state
from web.cli.queries import PAUSE, PIPELINES, RESUME
from web.cli.run_parts import state_of, took
from web.cli.text import instant

PAGE = 200


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
    pipeline: PipelineName, url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False
) -> None:
    """Pause a pipeline: nothing of it starts.

    Versions queue up meanwhile; runs that go on are not touched.
    """
    with connected(url, data_dir) as client:
        done = client.ask(PAUSE, pipeline=pipeline, key=secrets.token_hex(16))["pausePipeline"]
    _show(done, as_json=as_json)


def run_resume(
    pipeline: PipelineName, url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False
) -> None:
    """Resume a paused pipeline.

    What has queued up starts what it makes due.
    """
    with connected(url, data_dir) as client:
        done = client.ask(RESUME, pipeline=pipeline, key=secrets.token_hex(16))["resumePipeline"]
    _show(done, as_json=as_json)


def _show(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    pipeline = done["pipeline"]
    print_line(f"{pipeline['name']} {pipeline['state'].lower()}")
