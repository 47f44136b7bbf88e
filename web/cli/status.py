"""`headwater status`: how the server, its followers and what it holds stand."""

from typing import Any

import typer
from rich.text import Text

from web.cli.client import connected
from web.cli.exits import ExitCode
from web.cli.options import AsJson, DataDir, Url
from web.cli.output import cell, print_facts, print_json, print_line, print_table
from web.cli.queries import STATUS
from web.cli.text import count, duration, instant


def run_status(url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Show how the server and its followers stand.

    Exit code 1 where the server says that it is not ready.
    """
    with connected(url, data_dir) as client:
        ready = client.get("/readyz", accepted=(503,)).json()
        status = client.ask(STATUS)["status"]
        address = str(client.url)
    if as_json:
        print_json({"url": address, "ready": ready, "status": status})
    else:
        _show(address, ready, status)
    if ready.get("status") != "ready":
        raise typer.Exit(ExitCode.FAILURE)


def _show(address: str, ready: dict[str, Any], status: dict[str, Any]) -> None:
    is_ready = ready.get("status") == "ready"
    print_line(Text.assemble((str(ready.get("status")), "green" if is_ready else "red"), f" {address}"))
    for name, check in ready.get("checks", {}).items():
        if not check["ok"]:
            print_line(Text.assemble(("✗ ", "red"), cell(f"{name}: {check['found']}")))
    behind = {follower["name"]: _behind(follower["lag"]) for follower in status["followers"]}
    counts = status["counts"]
    print_facts(
        [
            ("ledger", cell(f"position {status['ledgerPosition']}")),
            ("state", cell(f"position {status['position']}, {behind['state']}")),
            ("graph", cell(f"position {status['graphPosition']}, {behind['graph']}")),
            ("event bodies", _removed(status["eventsRemoved"])),
            ("pipelines start", _pause(status["pause"])),
            ("parked", cell(status["parkedCount"], "red" if status["parkedCount"] else "")),
            ("datasets", cell(f"{counts['datasets']:,}, {count(counts['versions'], 'version')}")),
            ("jobs", cell(f"{counts['jobs']:,}, {count(counts['runs'], 'run')}")),
            (
                "pipelines",
                cell(f"{counts['pipelines']:,}, {count(counts['queuedVersions'], 'version')} queued"),
            ),
            ("runs", cell(_runs(counts["pipelineRuns"]))),
        ]
    )
    print_line("")
    rows = [
        [
            cell(follower["name"]),
            cell(follower["cursor"]),
            cell(f"{follower['processed']:,}"),
            cell(instant(follower["updatedAt"])),
            cell(follower["holder"]),
        ]
        for follower in status["followers"]
    ]
    print_table(["FOLLOWER", "AT", "PROCESSED", "MOVED", "HELD BY"], rows, right=["AT", "PROCESSED"])


def _behind(lag: dict[str, Any]) -> str:
    if not lag["positions"]:
        return "up to date"
    return f"{count(lag['positions'], 'position')} behind, the oldest fact for {duration(lag['seconds'])}"


def _pause(pause: dict[str, Any] | None) -> Text:
    if pause is None:
        return cell("when they are due")
    why = f": {pause['reason']}" if pause["reason"] else ""
    return cell(f"not: all are paused since {instant(pause['at'])} by {pause['actor']}{why}", "yellow")


def _removed(removed: dict[str, Any] | None) -> Text:
    if removed is None:
        return cell("all kept")
    return cell(
        f"removed up to position {removed['until']}, received before {instant(removed['receivedBefore'])}"
    )


def _runs(states: list[dict[str, Any]]) -> str:
    return ", ".join(f"{found['count']:,} {found['state'].lower()}" for found in states) or "none"
