"""`headwater restore`: an empty database filled from a backup."""

from pathlib import Path
from typing import Annotated

import typer

from catalog.archive.loading import check_readable
from catalog.archive.reading import open_archive
from web.bootstrap import state_follower
from web.cli.database import engine_of, new_database_url
from web.cli.exits import ExitCode
from web.cli.graph import graph_maintenance
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, settings_of
from web.cli.output import print_json, print_line, say
from web.cli.progress import progress_bar
from web.cli.text import count
from web.cli.verify import show_findings
from web.restoring import prove, restore


def run_restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `headwater backup` wrote.")],
    data_dir: DataDir = None,
    *,
    continued: Annotated[
        bool,
        typer.Option(
            "--continue",
            help="Headwater did not run after the backup was written (a move, an upgrade): what waits starts.",
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="First restore it into a temporary database, compare, and check the laws there."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fill an empty database from a backup.

    The database is the one of HEADWATER_DATABASE_URL, else that of a new data folder; one that is not empty is
    refused, and so is a backup of a newer release. All of the file is checked while it is read, and all of it is
    restored, or nothing.

    Nobody knows what went on after the backup was written, so nothing starts that may have started then: runs that
    waited are held, attempts that were granted and that no host had claimed are lost (the pipeline's retry policy
    decides), and attempts that a host had claimed are asked of that host. With `--continue` they go on as if nothing
    had happened.
    """
    log_to_stderr()
    settings = settings_of(data_dir)
    with open_archive(file) as archive:
        check_readable(archive.manifest)
        if verify:
            with progress_bar() as progress:
                verified = prove(archive, progress)
            if not verified.holds:
                show_findings(verified)
                raise typer.Exit(ExitCode.FAILURE)
        with new_database_url(settings) as url, engine_of(url) as engine, progress_bar() as progress:
            restored = restore(
                url,
                archive,
                state_follower(settings),
                graph_maintenance(engine),
                continued=continued,
                actor="headwater restore",
                progress=progress,
            )
        header = archive.manifest.header
    if as_json:
        print_json(
            {
                "position": restored.position,
                "runsHeld": restored.held,
                "attemptsLost": restored.lost,
                "continued": continued,
                **header.model_dump(by_alias=True),
            }
        )
        return
    print_line(f"restored what was there at {header.taken_at}, position {header.ledger_position}")
    if restored.held or restored.lost:
        done = f"{count(restored.held, 'waiting run')} held and {count(restored.lost, 'attempt')} lost"
        say(
            f"{done}: they may have gone on after the backup was written."
            " `headwater runs list --state held` shows what to decide about."
        )
