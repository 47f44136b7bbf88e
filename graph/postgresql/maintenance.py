"""Rebuild, verify and status of the graph in PostgreSQL tables."""

from collections.abc import Iterator

from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.errors import HeadwaterError
from catalog.observations import Observation
from catalog.progress import Progress, ShowProgress, no_progress
from graph.following import StoredObservation
from graph.maintenance import GraphStatus, Rebuilt
from graph.postgresql.rebuilding import QUERIES, rebuild_graph
from graph.postgresql.snapshot import Snapshot, open_snapshot
from graph.verification import Verification, verify

#: Observations between two reports of progress.
REPORTED = 5_000


class PostgresqlGraphMaintenance:
    """The work of an operator on the graph of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rebuild(self, progress: ShowProgress = no_progress) -> Rebuilt:
        """Make the graph anew from the whole log; readers use the old one until it is done."""
        with translated_errors(), self._engine.connect() as connection:
            autocommitting = connection.execution_options(isolation_level="AUTOCOMMIT")
            return rebuild_graph(driver_connection(autocommitting), progress=progress)

    def verify(self, progress: ShowProgress = no_progress) -> Verification:
        """Compare the graph with what the log up to its cursor makes of the reference model."""
        with open_snapshot(self._engine) as snapshot:
            observations = _applied(snapshot, progress)
            return verify(observations, snapshot.all_nodes(), snapshot.all_edges())

    def status(self) -> GraphStatus:
        """Return how the graph stands."""
        with translated_errors(), self._engine.connect() as connection:
            row = driver_connection(connection).execute(QUERIES["status"]).fetchone()
        if row is None:
            raise HeadwaterError("expected a current generation of the graph, found none: run migrate")
        return GraphStatus(*row)


def _applied(snapshot: Snapshot, progress: ShowProgress) -> Iterator[Observation]:
    rows = snapshot.stream("observations", QUERIES["read_applied"], cursor=snapshot.cursor)
    for count, row in enumerate(rows, 1):
        yield StoredObservation(*row).decode()
        if count % REPORTED == 0:
            progress(Progress("verify", row[0], snapshot.cursor))
