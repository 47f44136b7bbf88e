"""The state at one position, kept in the database: whoever follows the ledger again begins there.

It is made by following the ledger, never by looking at the catalog, so that it stands for the facts before it whatever
has become of the catalog since. Its digest, which a fact tells, covers every row.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg import sql
from pydantic import BaseModel, ConfigDict, ValidationError

from catalog.archive.form import Part, TableCopy
from catalog.archive.table_copies import Chunk, Tally, columns_of, read_chunks, use_text_form, write_chunks
from catalog.errors import InvalidCheckpoint
from catalog.progress import Progress, ShowProgress, no_progress
from catalog.tables import TableRole, tables_of
from hooks.replay.circumstances import QUERIES

#: Claims that are nobody's are made by the facts before it; those of hosts stand in the catalog.
CLAIMS = "attempt_claim"
COMPRESSION_LEVEL = 6


class Manifest(BaseModel):
    """What a checkpoint holds."""

    model_config = ConfigDict(frozen=True)

    until: int
    tables: tuple[TableCopy, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that is kept; `digest` is the SHA-256 of its manifest, which has the digests of all rows."""

    until: int
    digest: str
    manifest: Manifest

    @classmethod
    def of(cls, until: int, digest: str, manifest: bytes) -> Self:
        """Return what was read; raise `InvalidCheckpoint` where it is not what was written."""
        if hashlib.sha256(manifest).hexdigest() != digest:
            raise InvalidCheckpoint(f"the manifest of the checkpoint at {until} is not what was written")
        try:
            return cls(until, digest, Manifest.model_validate_json(manifest))
        except ValidationError as error:
            raise InvalidCheckpoint(f"the checkpoint at {until} cannot be read: {error}"[:500]) from error

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return sum(table.rows for table in self.manifest.tables)


def newest_checkpoint(connection: "psycopg.Connection[Any]") -> Checkpoint | None:
    """Return the checkpoint that reaches furthest, None where there is none."""
    row = connection.execute(QUERIES["newest_checkpoint"]).fetchone()
    return None if row is None else Checkpoint.of(row[0], row[1], bytes(row[2]))


def write_checkpoint(
    copy: "psycopg.Connection[Any]",
    target: "psycopg.Connection[Any]",
    until: int,
    progress: ShowProgress = no_progress,
) -> Checkpoint:
    """Keep what the copy holds as the checkpoint at the position, all of it or nothing; return it.

    The copy is of no use afterwards: the claims of hosts are gone from it.
    """
    names = sorted([*tables_of(TableRole.STATE), CLAIMS])
    with target.transaction(), copy.transaction():
        use_text_form(copy)
        copy.execute("DELETE FROM pg_temp.attempt_claim WHERE host <> ''")
        target.execute(QUERIES["begin_checkpoint"], {"until": until})
        tables = []
        for number, name in enumerate(names, 1):
            tables.append(_write_table(copy, target, until, name))
            progress(Progress("checkpoint", number, len(names)))
        manifest = Manifest(until=until, tables=tuple(tables)).model_dump_json().encode()
        digest = hashlib.sha256(manifest).hexdigest()
        target.execute(QUERIES["end_checkpoint"], {"until": until, "digest": digest, "manifest": manifest})
    return Checkpoint.of(until, digest, manifest)


def _write_table(
    copy: "psycopg.Connection[Any]", target: "psycopg.Connection[Any]", until: int, name: str
) -> TableCopy:
    columns = columns_of(copy, f"pg_temp.{name}")
    tally = Tally()
    parts = []
    for number, chunk in enumerate(read_chunks(copy, name, columns)):
        tally.add(chunk)
        content = gzip.compress(chunk.text, COMPRESSION_LEVEL, mtime=0)
        part = Part(name=f"{name}/{number:05}", rows=chunk.rows, sha256=hashlib.sha256(content).hexdigest())
        target.execute(
            QUERIES["write_part"], {"until": until, "name": part.name, "content": content}, binary=True
        )
        parts.append(part)
    return TableCopy(
        name=name, columns=tuple(columns), rows=tally.rows, digest=tally.digest, parts=tuple(parts)
    )


def load_checkpoint(
    source: "psycopg.Connection[Any]", copy: "psycopg.Connection[Any]", checkpoint: Checkpoint
) -> None:
    """Bring the new copy to where the checkpoint stands; raise `InvalidCheckpoint` where it is not what was written."""
    with copy.transaction():
        use_text_form(copy)
        for table in checkpoint.manifest.tables:
            name = sql.Identifier("pg_temp", table.name)
            if table.name != CLAIMS:
                # What an empty installation would have, and what the facts after the checkpoint say nothing of.
                copy.execute(sql.SQL("DELETE FROM {}").format(name))
            _fill(source, copy, checkpoint, table)
        rows = copy.execute(QUERIES["numbered"]).fetchall()
        for table_name, column in rows:
            statement = (
                "SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {} HAVING max({}) IS NOT NULL"
            )
            place, identifier = sql.Identifier("pg_temp", table_name), sql.Identifier(column)
            copy.execute(
                sql.SQL(statement).format(
                    sql.Literal(f"pg_temp.{table_name}"), sql.Literal(column), identifier, place, identifier
                )
            )


def _fill(
    source: "psycopg.Connection[Any]",
    copy: "psycopg.Connection[Any]",
    checkpoint: Checkpoint,
    table: TableCopy,
) -> None:
    tally = Tally()

    def texts() -> Iterator[bytes]:
        for part in table.parts:
            text = _text(source, checkpoint, part)
            tally.add(Chunk(text, text.count(b"\n")))
            yield text

    write_chunks(copy, table.name, table.columns, texts())
    if (tally.rows, tally.digest) != (table.rows, table.digest):
        raise InvalidCheckpoint(
            f"the rows of {table.name} in the checkpoint at {checkpoint.until} are not those that were written"
        )


def _text(source: "psycopg.Connection[Any]", checkpoint: Checkpoint, part: Part) -> bytes:
    parameters = {"until": checkpoint.until, "name": part.name}
    row = source.execute(QUERIES["part"], parameters, binary=True).fetchone()
    content = b"" if row is None else bytes(row[0])
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise InvalidCheckpoint(
            f"{part.name} of the checkpoint at {checkpoint.until} is not what was written: its SHA-256 differs"
        )
    return gzip.decompress(content)
