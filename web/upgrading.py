"""An embedded database of an older major version of PostgreSQL, carried over to the one that this release has.

The old server runs once more, as it was found, and is read into an archive; a new cluster is filled from it and
compared; only then the two change places, by two renames. The old cluster is kept. Killed at any instant, it goes on
when it is run again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.archive.form import Manifest
from catalog.archive.loading import check_readable
from catalog.archive.reading import open_archive
from catalog.archive.writing import snapshot, write_archive
from catalog.database import create_database_engine
from catalog.embedded import DataFolderLock, EmbeddedPostgreSQL
from catalog.embedded.account import server_account
from catalog.embedded.binaries import find_binaries, find_server
from catalog.embedded.cluster import major_of
from catalog.embedded.places import kept_clusters, sync_folder
from catalog.embedded.temporary import remove_cluster
from catalog.errors import DatabaseVersionMismatch, NotFound
from catalog.follower import Follower
from catalog.progress import ShowProgress
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from web.bootstrap import conninfo
from web.restoring import restore

#: Folder in the data folder in which the new cluster is made.
WORKSHOP = "upgrading"


@dataclass(frozen=True, slots=True)
class Upgraded:
    """From which major version to which, how many rows were carried over, and where the old cluster is kept."""

    before: str
    now: str
    rows: int
    kept: Path


def upgrade_database(
    data_dir: Path,
    follower: Follower[Any],
    *,
    programs: Path | None,
    say: Callable[[str], None],
    progress: ShowProgress,
) -> Upgraded | None:
    """Bring the embedded database to this release's PostgreSQL; None where it is there already.

    `programs` is a folder with the server program of the old version, should it not be found. Raises `NotFound`,
    `DataFolderInUse`, and `DatabaseVersionMismatch` where the old program is not found; nothing is changed then.
    """
    if not data_dir.is_dir():
        # The lock would make it.
        raise NotFound(f"there is no database in {data_dir}")
    lock = DataFolderLock(data_dir)
    lock.acquire(say)
    try:
        entry = data_dir / "postgresql"
        now = find_binaries().major
        kept = _interrupted(data_dir)
        if kept is None:
            if not (entry / "PG_VERSION").is_file():
                raise NotFound(f"there is no database in {data_dir}")
            before = major_of(entry)
            if before == now:
                return None
            rows = _carry_over(
                data_dir, before, follower, _program(entry, before, now, programs), lock, say, progress
            )
            kept = _exchange(data_dir, before)
        else:
            (data_dir / WORKSHOP / "postgresql").rename(entry)
            sync_folder(data_dir)
            rows = 0
        _archive(data_dir).unlink(missing_ok=True)
        remove_cluster(data_dir / WORKSHOP)
        return Upgraded(major_of(kept), now, rows, kept)
    finally:
        lock.release()


def _interrupted(data_dir: Path) -> Path | None:
    """Return the old cluster of an upgrade that was killed between its two renames."""
    kept = kept_clusters(data_dir)
    if (data_dir / "postgresql").exists() or not (data_dir / WORKSHOP / "postgresql").exists():
        return None
    return kept[-1] if kept else None


def _program(entry: Path, before: str, now: str, programs: Path | None) -> Path:
    if not before.isdigit() or int(before) > int(now):
        raise DatabaseVersionMismatch(
            f"the database in {entry} was made by PostgreSQL {before}, this release has {now}: none goes back"
        )
    program = find_server(before, server_account(), programs)
    if program is None:
        raise DatabaseVersionMismatch(
            f"found no server program of PostgreSQL {before} on this machine: install its package or give its folder"
            f" with --programs; or run `headwater backup FILE` with the release that made {entry}, move it away, and"
            " `headwater restore FILE --continue` with this one"
        )
    return program


def _archive(data_dir: Path) -> Path:
    return data_dir / f"{WORKSHOP}.tar"


def _carry_over(
    data_dir: Path,
    before: str,
    follower: Follower[Any],
    program: Path,
    lock: DataFolderLock,
    say: Callable[[str], None],
    progress: ShowProgress,
) -> int:
    """Make the new cluster in the workshop; return how many rows it has from the old one."""
    file = _archive(data_dir)
    file.unlink(missing_ok=True)
    say(f"reads the database with {program}")
    old = EmbeddedPostgreSQL(data_dir, progress=say, lock=lock, program=program)
    try:
        with snapshot(conninfo(old.start())) as connection:
            manifest: Manifest = write_archive(connection, file, progress)
    finally:
        old.stop()
    check_readable(manifest)
    workshop = data_dir / WORKSHOP
    if workshop.exists():
        remove_cluster(workshop)
    workshop.mkdir(mode=0o700)
    new = EmbeddedPostgreSQL(workshop, progress=say)
    try:
        url = new.start()
        engine = create_database_engine(url, pool_size=1, application_name="headwater-upgrade")
        try:
            with open_archive(file) as archive:
                restore(
                    url,
                    archive,
                    follower,
                    PostgresqlGraphMaintenance(engine),
                    continued=True,
                    actor=f"headwater upgrade-database from PostgreSQL {before}",
                    compare=True,
                    progress=progress,
                )
        finally:
            engine.dispose()
    finally:
        new.stop()
    return manifest.rows


def _exchange(data_dir: Path, before: str) -> Path:
    """Let the new cluster take the place of the old one; return where the old one is."""
    entry = data_dir / "postgresql"
    taken = {path.name for path in data_dir.iterdir()}
    names = (f"postgresql-{before}{suffix}" for suffix in ("", *(f".{number}" for number in range(1, 1000))))
    kept = data_dir / next(name for name in names if name not in taken)
    entry.rename(kept)
    (data_dir / WORKSHOP / "postgresql").rename(entry)
    sync_folder(data_dir)
    return kept
