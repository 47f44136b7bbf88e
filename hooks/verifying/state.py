"""Laws 2, 4 and 5: the ledger, followed again, makes the state that is stored, to the row."""

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from catalog.errors import InvalidCheckpoint
from catalog.ledger import Fact
from catalog.progress import Progress, ShowProgress, no_progress
from catalog.tables import TableRole, tables_of
from hooks.removed import read_removed
from hooks.replay.checkpoint import load_checkpoint, newest_checkpoint
from hooks.replay.circumstances import read_circumstances
from hooks.replay.replay import Replay
from hooks.replay.scratch import open_scratch, schema_of
from hooks.verifying.comparing import Difference, Key, differences
from hooks.verifying.finding import TOLD, Findings
from hooks.verifying.queries import QUERIES, stream

#: Columns that hold words alone, which each release has its own of.
WORDS = frozenset({("pipeline_run", "reason")})


def verify_state(
    connection: "psycopg.Connection[Any]", conninfo: str, progress: ShowProgress = no_progress
) -> Findings:
    """Return whether following the ledger up to the cursor makes exactly the rows that are stored.

    `connection` is in the transaction whose snapshot is looked at. Needs a second connection and room for a copy of the
    state in temporary tables.
    """
    found = Findings("state", (2, 4, 5))
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    with open_scratch(conninfo, snapshot=None if row is None else row[0]) as copy:

        def refuse(fact: Fact, error: Exception) -> None:
            found.add(
                f"fact {fact.position} ({fact.kind}) was applied and cannot be again: {type(error).__name__}: {error}"
            )

        try:
            start = _begin(connection, copy)
        except InvalidCheckpoint as error:
            found.add(error.message)
            return found
        drawn = copy.execute(QUERIES["last_transition"]).fetchone() or (0,)
        # The ledger is read in the snapshot too: retention may be taking bodies from it.
        replay = Replay(copy, read_circumstances(connection), refused=refuse, source=connection, start=start)
        replay.run(progress=progress)
        tables = tables_of(TableRole.STATE)
        for number, table in enumerate(tables, 1):
            _compare(table, connection, copy, found)
            progress(Progress("compare", number, len(tables)))
        for run, attempt, granted, launched in copy.execute(QUERIES["jobs_of_attempts"], {"after": drawn[0]}):
            found.add(f"attempt {attempt} of run {run} was granted {granted} times and has {launched} jobs")
    return found


def _begin(connection: "psycopg.Connection[Any]", copy: "psycopg.Connection[Any]") -> int:
    """Bring the copy to the newest checkpoint, and return its position; 0 where there is none.

    Raises `InvalidCheckpoint` where it is not the one that the ledger tells of.
    """
    checkpoint = newest_checkpoint(connection)
    removed = read_removed(connection)
    if removed is not None:
        if checkpoint is None or checkpoint.until < removed.until:
            raise InvalidCheckpoint(
                f"fact {removed.position} tells of a checkpoint at {removed.until}, and it is not there"
            )
        if checkpoint.until == removed.until and checkpoint.digest != removed.checkpoint:
            raise InvalidCheckpoint(
                f"the checkpoint at {removed.until} is not the one that fact {removed.position} tells of"
            )
    if checkpoint is None:
        return 0
    load_checkpoint(connection, copy, checkpoint)
    return checkpoint.until


def _compare(
    table: str, stored: "psycopg.Connection[Any]", copy: "psycopg.Connection[Any]", found: Findings
) -> None:
    columns = [column for column in _columns(stored, table) if (table, column[0]) not in WORDS]
    keys = [name for name, _, is_key in columns if is_key]
    query = QUERIES[table] if table in QUERIES else _query(table, columns)
    with copy.transaction():
        made, there = _rows(copy, table, query), _rows(stored, table, query, found)
        told: list[tuple[Difference, Key]] = []
        for difference, key in differences(made, there):
            if len(told) < TOLD:
                told.append((difference, key))
            else:
                found.add(table)
    for difference, key in told:
        found.add(_describe(table, keys, difference, key, stored, copy, columns))


def _columns(connection: "psycopg.Connection[Any]", table: str) -> list[tuple[str, str, bool]]:
    name = sql.SQL("{}.{}").format(schema_of(connection), sql.Identifier(table)).as_string(connection)
    return connection.execute(QUERIES["columns"], {"table": name}).fetchall()


def _query(table: str, columns: list[tuple[str, str, bool]]) -> sql.Composed:
    """Return the statement that gives keys, ascending as Python has it, and a digest of all else."""
    keys = [
        sql.SQL('{} COLLATE "C"' if type_ == "text" else "{}").format(sql.Identifier(name))
        for name, type_, is_key in columns
        if is_key
    ]
    rest = [sql.Identifier(name) for name, _, is_key in columns if not is_key]
    return sql.SQL("SELECT {keys}, md5(ROW ({rest})::text) FROM {table} ORDER BY {keys}").format(
        keys=sql.SQL(", ").join(keys), rest=sql.SQL(", ").join(rest), table=sql.Identifier(table)
    )


def _rows(
    connection: "psycopg.Connection[Any]", table: str, query: Any, found: Findings | None = None
) -> Iterator[tuple[Key, str]]:
    for row in stream(connection, f"compared_{table}", query):
        if found is not None:
            found.look()
        yield row[:-1], row[-1]


def _describe(
    table: str,
    keys: list[str],
    difference: Difference,
    key: Key,
    stored: "psycopg.Connection[Any]",
    copy: "psycopg.Connection[Any]",
    columns: list[tuple[str, str, bool]],
) -> str:
    place = " ".join(value.hex() if isinstance(value, bytes) else str(value) for value in key)
    text = f"{table} {place}: {difference}"
    if difference is not Difference.DIFFERENT or table in QUERIES:
        return text
    statement = sql.SQL("SELECT {columns} FROM {table} WHERE ({keys}) = ({values})").format(
        columns=sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in columns),
        table=sql.Identifier(table),
        keys=sql.SQL(", ").join(map(sql.Identifier, keys)),
        values=sql.SQL(", ").join(sql.Placeholder() for _ in keys),
    )
    made, there = (each.execute(statement, key).fetchone() or () for each in (copy, stored))
    names = [name for (name, _, _), ours, theirs in zip(columns, made, there, strict=False) if ours != theirs]
    return f"{text} in {', '.join(names)}"
