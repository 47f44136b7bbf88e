"""`headwater backup`: everything into one file, while Headwater runs."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from catalog.archive.form import Header, Manifest
from catalog.archive.reading import open_archive
from catalog.archive.writing import read_header, snapshot, write_archive
from catalog.errors import InvalidInput
from web.bootstrap import conninfo
from web.cli.database import database_url
from web.cli.exits import ExitCode
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, settings_of
from web.cli.output import print_json, print_line, say
from web.cli.progress import progress_bar
from web.cli.text import count
from web.cli.verify import show_findings
from web.restoring import prove
from web.verification import Verified


def run_backup(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|DIR", help="A new file, or a folder for a file named by time and position."
        ),
    ],
    data_dir: DataDir = None,
    *,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Restore it into a temporary database, compare, and check the laws there."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything into one file.

    Headwater may run meanwhile: the file holds one instant, and nobody waits for it. It holds ledger, state, documents,
    jobs and the hashes of tokens, and only its owner may read it. It does not hold what runs wrote (that stays in the
    data folders of their hosts), secrets, and the local token. The graph is made anew at the restore.
    """
    log_to_stderr()
    settings = settings_of(data_dir)
    with database_url(settings) as url, progress_bar() as progress, snapshot(conninfo(url)) as connection:
        file = _file(target, read_header(connection)).absolute()
        manifest = write_archive(connection, file, progress)
    verified = _proved(file) if verify else None
    if as_json:
        print_json(_as_json(file, manifest, verified))
    else:
        print_line(str(file))
        header = manifest.header
        say(
            f"{count(manifest.rows, 'row')} up to position {header.ledger_position}, schema {header.revision}"
        )
        if verified is not None:
            show_findings(verified)
    if verified is not None and not verified.holds:
        raise typer.Exit(ExitCode.FAILURE)


def _file(target: Path, header: Header) -> Path:
    if not target.is_dir():
        if not target.parent.is_dir():
            raise InvalidInput(f"expected a folder {target.parent}, found none")
        return target
    taken_at = dt.datetime.fromisoformat(header.taken_at)
    return target / f"headwater-{taken_at:%Y%m%dT%H%M%SZ}-{header.ledger_position}.tar"


def _proved(file: Path) -> Verified:
    with open_archive(file) as archive, progress_bar() as progress:
        return prove(archive, progress)


def _as_json(file: Path, manifest: Manifest, verified: Verified | None) -> dict[str, object]:
    return {
        "file": str(file),
        "bytes": file.stat().st_size,
        **manifest.header.model_dump(by_alias=True),
        "rows": manifest.rows,
        "tables": {table.name: {"rows": table.rows, "digest": table.digest} for table in manifest.tables},
        "verified": None if verified is None else verified.holds,
    }
