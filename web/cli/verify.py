"""`headwater verify`: whether the laws hold on what is stored."""

from typing import Annotated

import typer

from web.bootstrap import conninfo
from web.cli.database import database_url, engine_of
from web.cli.exits import ExitCode
from web.cli.graph import graph_maintenance
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, settings_of
from web.cli.output import cell, print_json, print_line, print_table, say
from web.cli.progress import progress_bar
from web.cli.text import count
from web.verification import CHECKS, Verified, verify


def run_verify(
    data_dir: DataDir = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="CHECK", help=f"One check; may be repeated. There are {', '.join(CHECKS)}."
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check the laws on what is stored.

    Every fact has its digest and every digest its fact. The ledger, followed again into temporary tables, makes the
    same versions, observations, runs and jobs, to the row. The graph equals its log. Each due run exists once, came
    to its state by legal moves, and started at most once for each attempt. Nothing is changed, and Headwater may run
    meanwhile. It needs room for a copy of the state, and as long as it takes to follow the ledger. Exit code 1 where
    something is wrong.
    """
    log_to_stderr()
    settings = settings_of(data_dir)
    with database_url(settings) as url, engine_of(url) as engine, progress_bar() as progress:
        verified = verify(conninfo(url), graph_maintenance(engine), only=only or (), progress=progress)
    if as_json:
        print_json(_as_json(verified))
    else:
        show_findings(verified)
    if not verified.holds:
        raise typer.Exit(ExitCode.FAILURE)


def _as_json(verified: Verified) -> dict[str, object]:
    return {
        "position": verified.position,
        "holds": verified.holds,
        "checks": [
            {
                "check": found.check,
                "laws": list(found.laws),
                "lookedAt": found.looked_at,
                "wrong": found.wrong,
                "findings": found.told,
            }
            for found in verified.findings
        ],
    }


def show_findings(verified: Verified) -> None:
    """Print what each check found."""
    rows = []
    for found in verified.findings:
        laws = ", ".join(map(str, found.laws))
        result = cell(f"{found.wrong:,} wrong", "red") if found.wrong else cell("holds", "green")
        rows.append([cell(found.check, "bold"), cell(laws), cell(f"{found.looked_at:,}"), result])
    print_table(["CHECK", "LAWS", "LOOKED AT", "FOUND"], rows, right=["LOOKED AT"])
    for found in verified.findings:
        for told in found.told:
            print_line(f"{found.check}: {told}")
        if found.wrong > len(found.told):
            print_line(f"{found.check}: and {found.wrong - len(found.told):,} more")
    wrong = sum(found.wrong for found in verified.findings)
    if wrong:
        say(
            f"{count(wrong, 'thing is', 'things are')} not as the laws have it, at position {verified.position}."
        )
    else:
        say(f"The laws hold at position {verified.position}.")
