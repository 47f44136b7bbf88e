"""`headwater trigger`: a run now, whatever the condition says."""

import datetime as dt
import secrets
import time
from typing import Annotated

import typer

from catalog.errors import NotFound
from web.cli.client import Client, connected
from web.cli.exits import ExitCode
from web.cli.options import AsJson, DataDir, PipelineName, Url
from web.cli.output import print_json, print_line, say
from web.cli.queries import RUN_STATE, TRIGGER
from web.cli.run_parts import FINAL, Run, heading, summary

POLL_SECONDS = 0.25


def run_trigger(
    pipeline: PipelineName,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, kept with the run.")] = None,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it has ended; exit code 1 unless it succeeded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start a run of a pipeline now.

    It waits for a slot where the pipeline has none free. With `batching: latest` it takes all that is queued, with
    `each` nothing, and what is queued starts runs of its own.
    """
    with connected(url, data_dir) as client:
        done = client.ask(TRIGGER, pipeline=pipeline, reason=reason, key=secrets.token_hex(16))["trigger"]
        if wait:
            done["pipelineRun"] = _ended(client, done["pipelineRun"])
    run = done["pipelineRun"]
    if as_json:
        print_json(done)
    else:
        print_line(heading(run))
    if wait:
        say(summary(run, dt.datetime.now(dt.UTC)))
        if run["state"] != "SUCCEEDED":
            raise typer.Exit(ExitCode.FAILURE)


def _ended(client: Client, run: Run) -> Run:
    told = None
    while True:
        if run["state"] != told:
            told = run["state"]
            say(f"{run['pipelineName']}/{run['number']} {told.lower()}")
        if run["state"] in FINAL:
            return run
        time.sleep(POLL_SECONDS)
        found = client.ask(RUN_STATE, id=run["id"])["pipelineRun"]
        if found is None:
            raise NotFound(f"the pipeline run {run['id']} is gone")
        run = dict(found)
