"""An archive written from one snapshot: what commits meanwhile is not in it, and nobody waits for it."""

import gzip
import hashlib
import importlib.metadata
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from catalog.archive.form import (
    FORM,
    HEADER,
    MANIFEST,
    Header,
    Manifest,
    Part,
    Partition,
    Sequence,
    TableCopy,
)
from catalog.archive.table_copies import Tally, columns_of, read_chunks, use_text_form
from catalog.database import translated_errors
from catalog.errors import Conflict, HeadwaterError, SchemaTooNew
from catalog.migrations import is_known
from catalog.progress import Progress, ShowProgress, no_progress
from catalog.queries import load_queries
from catalog.sessions import read_snapshot
from catalog.tables import TABLES, TableRole

QUERIES = load_queries(Path(__file__).with_name("archive.sql"))
#: Rows are mostly compressed bodies: more effort gains little.
COMPRESSION_LEVEL = 1


def archived_tables() -> list[str]:
    """Return the tables that an archive holds: all but those that are made anew from the others."""
    return sorted(name for name, role in TABLES.items() if role is not TableRole.VIEW)


@contextmanager
def snapshot(conninfo: str) -> Iterator["psycopg.Connection[Any]"]:
    """Yield a connection in a read-only transaction that sees the database as it is now, however long it takes."""
    with translated_errors(), read_snapshot(conninfo, application_name="headwater-backup") as connection:
        use_text_form(connection)
        yield connection


def write_archive(
    connection: "psycopg.Connection[Any]", target: Path, progress: ShowProgress = no_progress
) -> Manifest:
    """Write what the snapshot holds into the file, which only its owner may read; return what is in it.

    The file is there under its name whole or not at all. Raises `Conflict` where there is one of that name.
    """
    if target.exists():
        raise Conflict(f"expected no file at {target}, found one: an archive replaces none")
    unfinished = target.with_name(f"{target.name}.unfinished-{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            manifest = _write(connection, file, progress)
            file.flush()
            os.fsync(file.fileno())
        # A link never takes another file's place, should one have appeared.
        target.hardlink_to(unfinished)
    except FileExistsError as error:
        raise Conflict(f"expected no file at {target}, found one: an archive replaces none") from error
    finally:
        unfinished.unlink(missing_ok=True)
    _sync(target.parent)
    return manifest


def _write(connection: "psycopg.Connection[Any]", file: IO[bytes], progress: ShowProgress) -> Manifest:
    header = read_header(connection)
    names = archived_tables()
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, HEADER, header.model_dump_json(by_alias=True, indent=2).encode())
        tables = []
        for number, name in enumerate(names, 1):
            tables.append(_write_table(connection, tar, name))
            progress(Progress("backup", number, len(names)))
        partitions = [
            Partition(name=name, lower=lower, upper=upper)
            for name, lower, upper in connection.execute(QUERIES["partitions"])
        ]
        manifest = Manifest(
            header=header,
            tables=tuple(tables),
            partitions=tuple(partitions),
            sequences=tuple(_sequences(connection)),
        )
        _add(tar, MANIFEST, manifest.model_dump_json(by_alias=True, indent=2).encode())
    return manifest


def read_header(connection: "psycopg.Connection[Any]") -> Header:
    """Return what an archive of the snapshot says of itself."""
    row = connection.execute(QUERIES["header"]).fetchone()
    if row is None:
        raise HeadwaterError("expected a catalog in the database, found none")
    taken_at, server, revision, last, state = row
    if not is_known(revision):
        # Nobody here knows which of its tables hold what.
        raise SchemaTooNew(f"the database has schema {revision}: back it up with the release that made that")
    return Header(
        form=FORM,
        headwater=importlib.metadata.version("headwater"),
        revision=revision,
        server=server,
        taken_at=taken_at.isoformat(),
        ledger_position=last,
        state_position=state,
    )


def _write_table(connection: "psycopg.Connection[Any]", tar: tarfile.TarFile, name: str) -> TableCopy:
    columns = columns_of(connection, name)
    tally = Tally()
    parts = []
    for number, chunk in enumerate(read_chunks(connection, name, columns)):
        tally.add(chunk)
        content = gzip.compress(chunk.text, COMPRESSION_LEVEL, mtime=0)
        member = f"tables/{name}/{number:05}.copy.gz"
        _add(tar, member, content)
        parts.append(Part(name=member, rows=chunk.rows, sha256=hashlib.sha256(content).hexdigest()))
    return TableCopy(
        name=name, columns=tuple(columns), rows=tally.rows, digest=tally.digest, parts=tuple(parts)
    )


def _sequences(connection: "psycopg.Connection[Any]") -> Iterator[Sequence]:
    """Give where the sequences stand: no transaction holds them back, so they stand at the snapshot or beyond."""
    for (name,) in connection.execute(QUERIES["sequences"]).fetchall():
        statement = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))
        for last_value, is_called in connection.execute(statement):
            yield Sequence(name=name, last_value=last_value, is_called=is_called)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o600
    tar.addfile(member, io.BytesIO(content))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
