"""An archive into an empty database, within one transaction: all of it or nothing."""

import graphlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from catalog.archive.form import Manifest, Partition, TableCopy
from catalog.archive.reading import Archive
from catalog.archive.table_copies import Tally, tally_of, write_chunks
from catalog.archive.writing import QUERIES
from catalog.errors import Conflict, InvalidArchive, NewerArchive
from catalog.migrations import HEAD, is_known
from catalog.progress import Progress, ShowProgress, no_progress


def check_readable(manifest: Manifest) -> None:
    """Return if this release knows the schema of the archive; raise `NewerArchive` if not."""
    found = manifest.header.revision
    if not is_known(found):
        raise NewerArchive(
            f"the archive has schema {found} of release {manifest.header.headwater}, this release knows {HEAD}: "
            "restore it with a release at least as new as the one that wrote it"
        )


def check_empty(connection: "psycopg.Connection[Any]") -> None:
    """Return if nothing stands in the database; raise `Conflict` if there is a table, whatever is in it."""
    row = connection.execute(QUERIES["anything"]).fetchone()
    if row is not None:
        raise Conflict(
            f"expected an empty database, found the table {row[0]}: restore into a new database or data folder"
        )


def load_archive(
    connection: "psycopg.Connection[Any]", archive: Archive, progress: ShowProgress = no_progress
) -> None:
    """Fill the tables, which are those of the archive's revision and hold nothing but what migrations put there.

    Raises `InvalidArchive` where something is not what was written.
    """
    manifest = archive.manifest
    tables = {table.name: table for table in manifest.tables}
    known = {name for (name,) in connection.execute(QUERIES["tables"])}
    if missing := tables.keys() - known:
        raise InvalidArchive(f"{archive.file}: the schema has no table {', '.join(sorted(missing))}")
    names = list(_in_order(connection, list(tables)))
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    connection.execute(sql.SQL("TRUNCATE {}").format(listed))
    for partition in manifest.partitions:
        _make_partition(connection, partition)
    for number, name in enumerate(names, 1):
        table = sql.Identifier(name)
        # What triggers do was done when the rows were written first.
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
        _fill(connection, archive, tables[name])
        connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))
        progress(Progress("restore", number, len(names)))
    for sequence in manifest.sequences:
        connection.execute(
            "SELECT setval(to_regclass(%s), %s, %s)", (sequence.name, sequence.last_value, sequence.is_called)
        )


def differing_tables(connection: "psycopg.Connection[Any]", manifest: Manifest) -> Iterator[str]:
    """Give, for each table whose rows are not those of the archive, what differs."""
    for table in manifest.tables:
        found = tally_of(connection, table.name, table.columns)
        if (found.rows, found.digest) != (table.rows, table.digest):
            yield f"{table.name}: expected {table.rows} rows {table.digest}, found {found.rows} rows {found.digest}"


def _in_order(connection: "psycopg.Connection[Any]", names: Sequence[str]) -> Iterator[str]:
    """Give the tables so that each comes after those that its rows refer to."""
    order: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter({name: [] for name in names})
    for table, other in connection.execute(QUERIES["references"]):
        if table in names and other in names:
            order.add(table, other)
    yield from order.static_order()


def _make_partition(connection: "psycopg.Connection[Any]", partition: Partition) -> None:
    row = connection.execute("SELECT to_regclass(%s) IS NULL", (partition.name,)).fetchone()
    if row is not None and row[0]:
        connection.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF fact FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(partition.name), sql.Literal(partition.lower), sql.Literal(partition.upper)
            )
        )


def _fill(connection: "psycopg.Connection[Any]", archive: Archive, table: TableCopy) -> None:
    tally = Tally()

    def texts() -> Iterator[bytes]:
        for chunk in archive.chunks(table):
            tally.add(chunk)
            yield chunk.text

    write_chunks(connection, table.name, table.columns, texts())
    if (tally.rows, tally.digest) != (table.rows, table.digest):
        raise InvalidArchive(f"{archive.file}: the rows of {table.name} are not those that were written")
