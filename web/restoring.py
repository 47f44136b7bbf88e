"""An archive becomes an installation: in one transaction, and so that nothing starts that may have started before."""

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from sqlalchemy import Connection

from catalog.archive.loading import check_empty, check_readable, differing_tables, load_archive
from catalog.archive.reading import Archive
from catalog.archive.table_copies import use_text_form
from catalog.database import create_database_engine, driver_connection, translated_errors
from catalog.embedded.temporary import temporary_database
from catalog.errors import HeadwaterError, InvalidArchive, NotUnderstood
from catalog.facts import FactKind, natural_digest
from catalog.follower import Follower
from catalog.ledger import NewFact, append_facts
from catalog.migrations import HEAD, migrate_within
from catalog.progress import ShowProgress, no_progress
from catalog.search.index import change_everything
from graph.maintenance import GraphMaintenance
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from hooks.engines.standing import Phase
from web.bootstrap import conninfo
from web.verification import Verified, verify

#: Stands for a boot in the claims of an archive: nothing of these attempts can be begun any more, only asked about.
RESTORED_BOOT = "restored from an archive"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore: the position of the fact that tells of it, runs held and attempts lost by it."""

    position: int
    held: int
    lost: int


def restore(
    url: str,
    archive: Archive,
    follower: Follower[Any],
    graph: GraphMaintenance | None = None,
    *,
    continued: bool,
    actor: str,
    compare: bool = False,
    progress: ShowProgress = no_progress,
) -> Restored:
    """Fill the empty database of the URL from the archive, with this release's schema, and tell the ledger of it.

    All of it is one transaction; the graph is made anew after it. `continued` says that the installation did not run
    after the archive was written, so that what waits may start; `compare`, that rows are read again once they are in.
    Raises `Conflict` for a database that is not empty, `NewerArchive` and `InvalidArchive`; nothing is changed then.
    """
    check_readable(archive.manifest)
    with _transaction(url) as connection:
        raw = driver_connection(connection)
        _load(connection, archive, progress)
        if compare:
            _compare(raw, archive)
        _begin_graph(raw)
        migrate_within(connection, HEAD)
        # The index of the search is in no archive; workers make it from the state.
        change_everything(raw)
        if not continued:
            _doubt_claims(raw)
        position = _tell(raw, archive, continued=continued, actor=actor)
        # Before anybody takes a job, the state must know of the restore: what lay before it in the ledger counts first.
        while (step := follower.step(raw)).taken:
            pass
        if step.left:
            raise NotUnderstood(
                f"{archive.file} holds what a newer release wrote, from position {step.cursor} on: restore it with that"
            )
        row = raw.execute("SELECT result FROM command_result WHERE position = %s", (position,)).fetchone()
        if row is None:
            raise HeadwaterError(
                f"expected the state follower to take fact {position}, which tells of the restore"
            )
        restored = Restored(position, **row[0])
    if graph is not None:
        graph.rebuild(progress)
    return restored


def prove(archive: Archive, progress: ShowProgress = no_progress) -> Verified:
    """Restore the archive into a database that is gone afterwards, and compare; return whether the laws hold there.

    Raises `InvalidArchive` where a table is not what was written.
    """
    check_readable(archive.manifest)
    with temporary_database() as url:
        with _transaction(url) as connection:
            _load(connection, archive, progress)
            raw = driver_connection(connection)
            _compare(raw, archive)
            _begin_graph(raw)
            migrate_within(connection, HEAD)
        engine = create_database_engine(url, pool_size=1, application_name="headwater-restore")
        try:
            maintenance = PostgresqlGraphMaintenance(engine)
            maintenance.rebuild(progress)
            return verify(conninfo(url), maintenance, progress=progress)
        finally:
            engine.dispose()


@contextmanager
def _transaction(url: str) -> Iterator[Connection]:
    """Yield a connection in a transaction that may take as long as it takes."""
    engine = create_database_engine(url, pool_size=1, application_name="headwater-restore")
    try:
        with translated_errors(), engine.connect() as connection, connection.begin():
            raw = driver_connection(connection)
            raw.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            use_text_form(raw)
            yield connection
    finally:
        engine.dispose()


def _load(connection: Connection, archive: Archive, progress: ShowProgress) -> None:
    raw = driver_connection(connection)
    check_empty(raw)
    migrate_within(connection, archive.manifest.header.revision)
    load_archive(raw, archive, progress)


def _compare(raw: "psycopg.Connection[Any]", archive: Archive) -> None:
    different = list(differing_tables(raw, archive.manifest))
    if different:
        raise InvalidArchive(f"{archive.file} does not restore to what was written: {'; '.join(different)}")


def _begin_graph(raw: "psycopg.Connection[Any]") -> None:
    """Let the graph's follower begin at the beginning of its log: the archive has no graph."""
    raw.execute("DELETE FROM follower WHERE name = 'graph rebuild'")
    raw.execute("UPDATE follower SET position = 0, processed = 0 WHERE name = 'graph'")
    raw.execute("DELETE FROM parked WHERE follower IN ('graph', 'graph rebuild')")


def _doubt_claims(raw: "psycopg.Connection[Any]") -> None:
    """Let the claims of the archive begin nothing: whoever holds them can only be asked what came of them."""
    raw.execute("UPDATE attempt_claim SET boot = %s WHERE host <> ''", (RESTORED_BOOT,))
    raw.execute(
        "UPDATE engine_attempt SET phase = %s, doubtful = true, trouble = %s WHERE phase = %s",
        (Phase.UNSURE, f"it may have been sent: {RESTORED_BOOT}", Phase.READY),
    )


def _tell(raw: "psycopg.Connection[Any]", archive: Archive, *, continued: bool, actor: str) -> int:
    header = archive.manifest.header
    installation = uuid.uuid4()
    body = {
        "installation": str(installation),
        "continued": continued,
        "takenAt": header.taken_at,
        "position": header.ledger_position,
        "revision": header.revision,
        "headwater": header.headwater,
        "at": dt.datetime.now(dt.UTC),
    }
    kind = FactKind.INSTALLATION_RESTORED
    fact = NewFact(kind, natural_digest(kind, str(installation)), actor, orjson.dumps(body))
    (appended,) = append_facts(raw, [fact])
    return appended.position
