"""`headwater upgrade-database`: the embedded database carried over to another major version of PostgreSQL."""

from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import ConfigurationError
from web.bootstrap import state_follower
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, settings_of
from web.cli.output import print_json, print_line, say
from web.cli.progress import progress_bar
from web.cli.text import count
from web.upgrading import upgrade_database


def run_upgrade(
    data_dir: DataDir = None,
    programs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with the server program `postgres` of the old version."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Carry an embedded database over to this release's PostgreSQL.

    Headwater must not run on the folder. The old server is started once more, as it was found, and read; a new
    database is filled and compared with it, row by row; then they change places. The old one is kept beside it until
    you remove it. It needs about twice the room, and the programs of the old PostgreSQL, which are looked for in this
    installation, among what earlier ones left, and where operating systems put them.
    """
    log_to_stderr()
    settings = settings_of(data_dir)
    if settings.database_url is not None:
        raise ConfigurationError(
            "expected an embedded database, found HEADWATER_DATABASE_URL: that server is upgraded by its own means,"
            " or by `headwater backup` and `headwater restore --continue`"
        )
    with progress_bar() as progress:
        upgraded = upgrade_database(
            settings.data_dir, state_follower(settings), programs=programs, say=say, progress=progress
        )
    if as_json:
        told = (
            None
            if upgraded is None
            else {
                "from": upgraded.before,
                "to": upgraded.now,
                "rows": upgraded.rows,
                "kept": str(upgraded.kept),
            }
        )
        print_json({"upgraded": told})
    elif upgraded is None:
        print_line("nothing to upgrade")
    else:
        print_line(
            f"upgraded from PostgreSQL {upgraded.before} to {upgraded.now}: {count(upgraded.rows, 'row')}"
        )
        say(f"The old database is kept in {upgraded.kept}: remove it when you do not need it any more.")
