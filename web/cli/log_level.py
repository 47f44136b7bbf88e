"""`headwater log-level`: how much every process of a deployment logs, changed while it runs."""

import json
from typing import Annotated, Any

import typer

from catalog.documents.duration import parse_duration
from catalog.errors import InvalidInput
from web.cli.client import Client, connected
from web.cli.options import AsJson, DataDir, Url
from web.cli.output import print_json, print_line
from web.cli.text import instant
from web.logging import Level

ROUTE = "/api/v1/log-level"


def run_log_level(
    level: Annotated[Level | None, typer.Argument(metavar="[LEVEL]", help="The level to log from.")] = None,
    period: Annotated[
        str, typer.Option("--for", metavar="PERIOD", help="For how long, such as 10m or 2h; 7d at most.")
    ] = "1h",
    reset: Annotated[bool, typer.Option("--reset", help="Back to each process's own setting.")] = False,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show or change what every web and worker process logs, while they run.

    It counts within 3 seconds, and ends by itself: each process then returns to its setting `log_level`. Needs a token
    of role admin. What the supervisor of `headwater up` and the database itself log stays as it is.
    """
    if level is not None and reset:
        raise InvalidInput("expected either a level or --reset")
    with connected(url, data_dir) as client:
        found = _asked(client, level, period, reset=reset)
    if as_json:
        print_json(found)
    elif found["own"]:
        print_line(f"{found['level']} at this server; each process goes by its own setting")
    else:
        print_line(f"{found['level']} until {instant(found['endsAt'])}, set by {found['actor']}")


def _asked(client: Client, level: Level | None, period: str, *, reset: bool) -> Any:
    if reset:
        return client.delete(ROUTE).json()
    if level is None:
        return client.get(ROUTE).json()
    try:
        seconds = parse_duration(period).total_seconds()
    except ValueError as error:
        raise InvalidInput(f"--for: {error}") from error
    return client.put(
        ROUTE, json.dumps({"level": level.value, "seconds": max(1, round(seconds))}).encode()
    ).json()
