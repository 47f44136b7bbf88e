"""`headwater doctor`: looks at what Headwater stands on; works while the server is down too."""

from dataclasses import asdict

import typer
from rich.text import Text

from catalog.settings import Settings
from web.cli.database import known_url
from web.cli.exits import ExitCode
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, settings_of
from web.cli.output import cell, print_json, print_table, say
from web.cli.text import count
from web.doctor import Finding, Status, diagnose

_MARKS = {
    Status.OK: ("✓", "green"),
    Status.WARNING: ("!", "yellow"),
    Status.PROBLEM: ("✗", "red"),
    Status.UNKNOWN: ("?", "yellow"),
}


def run_doctor(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Check the installation and say what to do.

    Looks at database, durability, disk, clock, followers, parked facts and queue. Exit code 1 where something is a
    problem or could not be looked at; a warning alone is 0.
    """
    log_to_stderr()
    findings = examine(settings_of(data_dir))
    if as_json:
        print_json(
            {"findings": [{**asdict(finding), "status": finding.status.value} for finding in findings]}
        )
    else:
        _show(findings)
    if any(finding.status in (Status.PROBLEM, Status.UNKNOWN) for finding in findings):
        raise typer.Exit(ExitCode.FAILURE)


def examine(settings: Settings) -> list[Finding]:
    """Return the findings; where the embedded database is down, that stands among them."""
    url = known_url(settings)
    if url is not None:
        return diagnose(settings, url)
    # Nothing listens there, so every check of the database says that it could not look.
    findings = diagnose(settings, f"postgresql+psycopg:///headwater?host={settings.data_dir}&port=1")
    found = f"the embedded database of {settings.data_dir} is not running"
    down = Finding("database", Status.PROBLEM, found, "start it with `headwater up`, or give its --data-dir")
    return [down if finding.check == "database" else finding for finding in findings]


def _show(findings: list[Finding]) -> None:
    rows = []
    for finding in findings:
        mark, style = _MARKS[finding.status]
        told = cell(finding.found)
        if finding.advice and finding.status is not Status.OK:
            told.append("\n→ ", style="bold").append_text(cell(finding.advice))
        rows.append([Text(mark, style=style), cell(finding.check, "bold"), told])
    print_table(["", "CHECK", "FOUND"], rows)
    worst = [finding for finding in findings if finding.status is not Status.OK]
    say(f"{count(len(worst), 'finding')} to look at" if worst else "All is well.")
