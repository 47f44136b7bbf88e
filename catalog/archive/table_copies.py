"""Rows of a table as COPY text, in chunks of whole rows, with a digest that does not depend on their order."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import sql

#: Bytes of text after which a chunk ends; one row more may go in.
CHUNK_BYTES = 4 * 1024 * 1024
DIGEST_BYTES = 16

#: What the text form of a value depends on, whatever the server's own settings.
TEXT_FORM: Mapping[str, str] = MappingProxyType(
    {
        "timezone": "UTC",
        "datestyle": "ISO,YMD",
        "intervalstyle": "postgres",
        "bytea_output": "hex",
        "extra_float_digits": "1",
        # Rows come in the order in which they lie, whoever else reads the table.
        "synchronize_seqscans": "off",
    }
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table: COPY text, a line each."""

    text: bytes
    rows: int


@dataclass(slots=True)
class Tally:
    """How many rows there are, and the digest of them as a set: the sum of the rows' digests."""

    rows: int = 0
    total: int = 0

    def add(self, chunk: Chunk) -> None:
        """Count the rows of the chunk."""
        self.rows += chunk.rows
        for line in chunk.text.split(b"\n")[:-1]:
            self.total += int.from_bytes(hashlib.blake2b(line, digest_size=DIGEST_BYTES).digest())

    @property
    def digest(self) -> str:
        """The digest in hexadecimal; equal for equal rows."""
        return (self.total % (1 << (8 * DIGEST_BYTES))).to_bytes(DIGEST_BYTES).hex()


def use_text_form(connection: "psycopg.Connection[Any]") -> None:
    """Let the rest of the transaction see values in the text form of archives."""
    for name, value in TEXT_FORM.items():
        connection.execute("SELECT set_config(%s, %s, true)", (name, value))


def read_chunks(
    connection: "psycopg.Connection[Any]", table: str, columns: Sequence[str], *, size: int = CHUNK_BYTES
) -> Iterator[Chunk]:
    """Give the rows of the table as the connection's transaction sees them."""
    statement = sql.SQL("COPY (SELECT {columns} FROM {table}) TO STDOUT").format(
        columns=_listed(columns), table=sql.Identifier(table)
    )
    pieces: list[bytes] = []
    length = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for data in copy:
            pieces.append(bytes(data))
            length += len(data)
            # A piece is one row, or several whole ones.
            if length >= size:
                yield _chunk(pieces)
                pieces, length = [], 0
    if pieces:
        yield _chunk(pieces)


def _chunk(pieces: list[bytes]) -> Chunk:
    text = b"".join(pieces)
    return Chunk(text, text.count(b"\n"))


def write_chunks(
    connection: "psycopg.Connection[Any]", table: str, columns: Sequence[str], texts: Iterable[bytes]
) -> None:
    """Add the rows to the table within the caller's transaction."""
    statement = sql.SQL("COPY {table} ({columns}) FROM STDIN").format(
        columns=_listed(columns), table=sql.Identifier(table)
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for text in texts:
            copy.write(text)


def columns_of(connection: "psycopg.Connection[Any]", table: str) -> list[str]:
    """Return the columns of the table, in their order, but generated ones."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
        " AND attgenerated = '' ORDER BY attnum",
        (table,),
    )
    return [name for (name,) in rows]


def tally_of(connection: "psycopg.Connection[Any]", table: str, columns: Sequence[str]) -> Tally:
    """Return count and digest of the rows that the table has."""
    tally = Tally()
    for chunk in read_chunks(connection, table, columns):
        tally.add(chunk)
    return tally


def _listed(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in columns)
