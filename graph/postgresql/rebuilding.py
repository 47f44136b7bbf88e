"""The graph made anew from the whole observation log, in a generation of its own, while readers use the old one.

Observations that arrive meanwhile go into the old generation, which readers still see, and into the new one, because
the rebuild goes on until it stands at the end of the log while it holds the graph's cursor. In that transaction the
generations change places and the cursor moves to where the new one stands; the follower goes on from there.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from catalog.errors import Conflict, NotUnderstood
from catalog.follower import Follower
from catalog.progress import Progress, ShowProgress, no_progress
from catalog.queries import load_queries
from graph.following import GraphLog, StoredObservation
from graph.maintenance import Rebuilt
from graph.postgresql.arrays import Ids, ids_cursor
from graph.postgresql.writing import write_into

QUERIES = load_queries(Path(__file__).with_name("maintenance.sql"))

REBUILD = "graph rebuild"
REBUILD_LOCK = 0x6865616477_04
BATCH = 2_000
#: Nodes of an old generation that are removed in one transaction, with all that they own.
REMOVED_AT_ONCE = 5_000


class GenerationLog(GraphLog):
    """The observation log as a rebuild reads it: into one generation that nobody else uses yet."""

    name = REBUILD

    def __init__(self, generation: int) -> None:
        self.generation = generation

    def apply(
        self, connection: psycopg.Connection[Any], records: Sequence[StoredObservation], *, resumed: bool
    ) -> None:
        """Make the observations true in the generation, but those that somebody decided to leave out."""
        del resumed
        places = {"first": records[0].sequence, "last": records[-1].sequence}
        left_out = {row[0] for row in connection.execute(QUERIES["left_out"], places)}
        decoded = [record.decode() for record in records if record.sequence not in left_out]
        write_into(connection, self.generation, decoded)


def rebuild_graph(
    connection: psycopg.Connection[Any],
    *,
    progress: ShowProgress = no_progress,
    batch: int = BATCH,
) -> Rebuilt:
    """Make a new generation from the log and let it take the place of the current one.

    The connection is autocommitting and used for nothing else meanwhile. Raises `Conflict` when another rebuild is
    under way. One that was interrupted leaves a generation that nobody reads; the next begins by removing it.
    """
    with _locked(connection):
        _remove_leftovers(connection, progress)
        with connection.transaction():
            generation = int(_value(connection, "begin_generation"))
            connection.execute(QUERIES["begin_following"])
        follower = Follower(GenerationLog(generation), batch=batch, holder=REBUILD)
        taken = parked = 0

        def step() -> bool:
            nonlocal taken, parked
            done = follower.step(connection)
            if done.left:
                raise NotUnderstood(
                    "the log of observations is of a newer release: rebuild the graph with that"
                )
            taken += done.taken
            parked += done.parked
            return done.taken > 0

        while step():
            progress(Progress("build", taken, max(taken, int(_value(connection, "log_end")))))
        # What stands in the new generation is visible to all, so that walks need not look at its rows.
        connection.execute(QUERIES["tidy"])
        with connection.transaction():
            connection.execute(QUERIES["hold_graph"])
            while step():
                pass
            for name in ("retire", "promote", "hand_over", "unpark", "hand_over_parked", "end_following"):
                connection.execute(QUERIES[name], {"generation": generation} if name == "promote" else None)
            connection.execute(QUERIES["announce"])
        _remove_leftovers(connection, progress)
        return Rebuilt(generation, taken, parked)


@contextlib.contextmanager
def _locked(connection: psycopg.Connection[Any]) -> Iterator[None]:
    parameters = {"key": REBUILD_LOCK}
    if not _value(connection, "try_lock", parameters):
        raise Conflict("another rebuild of the graph is under way")
    try:
        yield
    finally:
        # A connection that broke has lost its lock already.
        if not connection.broken:
            connection.execute(QUERIES["unlock"], parameters)


def _remove_leftovers(connection: psycopg.Connection[Any], progress: ShowProgress) -> None:
    with connection.transaction():
        connection.execute(QUERIES["end_following"])
        connection.execute(QUERIES["drop_parked"])
    removed = 0
    for (generation,) in connection.execute(QUERIES["leftovers"]).fetchall():
        while ids := _value(
            connection, "leftover_nodes", {"generation": generation, "limit": REMOVED_AT_ONCE}
        ):
            with connection.transaction():
                cursor = ids_cursor(connection)
                for name in ("remove_node_edges", "remove_node_shapes", "remove_nodes"):
                    cursor.execute(QUERIES[name], {"ids": Ids(ids)})
            removed += len(ids)
            progress(Progress("remove", removed, removed))
        connection.execute(QUERIES["remove_generation"], {"generation": generation})


def _value(connection: psycopg.Connection[Any], query: str, parameters: dict[str, Any] | None = None) -> Any:
    row = connection.execute(QUERIES[query], parameters).fetchone()
    return None if row is None else row[0]
