"""The graph port over a Neo4j."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from catalog.errors import GraphUnavailable
from catalog.forms import GRAPH_FORM
from catalog.keys import DatasetKey, NodeId
from catalog.observations import Observation
from graph.bounds import check_bounds, check_most
from graph.digest import graph_digest
from graph.log import ObservationLog
from graph.model import Direction, HeldEdge, Impact, JobsBeside, Lineage, Node, Want
from graph.neo4j.connection import Neo4jSessions, Transaction, ask_one
from graph.neo4j.generations import Standing, read_standing
from graph.neo4j.rows import QUERIES, CypherRows
from graph.neo4j.snapshot import Neo4jSnapshot
from graph.questions import ask_impact, ask_jobs_beside, ask_lineage
from graph.traversal import Bounds
from graph.writing import write_observations

#: How often an answer is tried beside a writer, before writers are kept from committing meanwhile.
TRIALS = 3
#: Seconds after which the server ends a question whatever its bounds say, and one that reads everything.
QUESTION_SECONDS = 60.0
WHOLE_SECONDS = 3_600.0

Answer = TypeVar("Answer")


class Neo4jGraph:
    """A graph store in the current generation of a Neo4j."""

    def __init__(self, sessions: Neo4jSessions, log: ObservationLog) -> None:
        self._sessions = sessions
        self._log = log

    def apply(self, observations: Sequence[Observation]) -> None:
        """Make the observations true and move the cursor to the last of them, in one transaction."""
        standing = self._sessions.write(read_standing)
        last = max((observation.sequence for observation in observations), default=0)
        write(self._sessions, self._found(standing).number, observations, to=last)

    def position(self) -> int:
        """Return the ledger position up to which the graph knows everything."""
        return self._ask(lambda snapshot: snapshot.position)

    def resolve(self, node_id: NodeId) -> Node | None:
        """Return the stored node that the id names, that with the longest namespace if there are several."""
        found = self._ask(lambda snapshot: snapshot.find(node_id))
        return None if found is None else found.node

    def lineage(
        self,
        node_id: NodeId,
        direction: Direction,
        *,
        depth: int,
        max_nodes: int,
        seconds: float,
        want: Want = Want.IDS,
    ) -> Lineage:
        """Return what lies up- or downstream of the node, nearest first, and whether that is everything."""
        check_bounds(depth, max_nodes)
        bounds = Bounds(depth, max_nodes, time.monotonic() + seconds)
        return self._ask(lambda snapshot: ask_lineage(snapshot, node_id, direction, bounds, want))

    def impact(
        self, node_id: NodeId, *, depth: int, max_nodes: int, seconds: float, want: Want = Want.IDS
    ) -> Impact:
        """Return what a change of the node may change, nearest first, and whether that is everything."""
        check_bounds(depth, max_nodes)
        bounds = Bounds(depth, max_nodes, time.monotonic() + seconds)
        return self._ask(lambda snapshot: ask_impact(snapshot, node_id, bounds, want))

    def jobs_beside(
        self, datasets: Sequence[DatasetKey], direction: Direction, *, most: int, seconds: float
    ) -> JobsBeside:
        """Return the jobs that write or read each of the datasets now; as many statements however many they are."""
        check_most(most)
        deadline = time.monotonic() + seconds
        return self._ask(
            lambda snapshot: ask_jobs_beside(snapshot, datasets, direction, most=most, deadline=deadline)
        )

    def nodes(self) -> Iterator[Node]:
        """Give every node once."""
        with self.held() as snapshot:
            yield from snapshot.all_nodes()

    def edges(self) -> Iterator[HeldEdge]:
        """Give every edge with its interval once."""
        with self.held() as snapshot:
            yield from snapshot.all_edges()

    def digest(self) -> bytes:
        """Return 16 bytes that are equal for equal graphs."""
        with self.held() as snapshot:
            return graph_digest(snapshot.all_nodes(), snapshot.all_edges())

    @contextlib.contextmanager
    def held(self) -> Iterator[Neo4jSnapshot]:
        """Yield a snapshot beside which nobody writes the generation, or removes it; others read meanwhile."""
        with self._translated():
            standing = self._found(self._sessions.write(read_standing))
            while True:
                with self._sessions.transaction(WHOLE_SECONDS) as transaction:
                    hold_writer(transaction, standing.number)
                    # Only now nothing moves any more; the lock of the cursor itself would keep readers waiting.
                    held = self._found(self._sessions.write(read_standing))
                    if held.number == standing.number:
                        yield Neo4jSnapshot(transaction, held, self._log)
                        return
                    standing = held

    def _ask(self, question: Callable[[Neo4jSnapshot], Answer]) -> Answer:
        """Return the answer of one state of the graph: one beside which nothing was committed."""
        with self._translated(), self._sessions.session() as session:
            before = self._found(session.transact(read_standing, seconds=QUESTION_SECONDS))
            for _ in range(TRIALS):
                outcome: Answer | Exception
                try:
                    outcome = session.transact(self._asking(question, before), seconds=QUESTION_SECONDS)
                except Exception as error:  # noqa: BLE001 - of two states half each, any question may fail
                    outcome = error
                after = self._found(session.transact(read_standing, seconds=QUESTION_SECONDS))
                if after == before:
                    if isinstance(outcome, Exception):
                        raise outcome
                    return outcome
                before = after
        with self.held() as snapshot:
            return question(snapshot)

    def _asking(
        self, question: Callable[[Neo4jSnapshot], Answer], standing: Standing
    ) -> Callable[[Transaction], Answer]:
        return lambda transaction: question(Neo4jSnapshot(transaction, standing, self._log))

    def _found(self, standing: Standing | None) -> Standing:
        if standing is None:
            raise GraphUnavailable("Neo4j holds no graph yet: its follower makes one")
        if not standing.is_whole:
            raise GraphUnavailable(
                f"the graph in Neo4j is being made: it has {standing.sequence} of {standing.ready_at} observations"
            )
        return standing

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Say in every answer that the graph cannot give how far its follower has come."""
        try:
            yield
        except GraphUnavailable as error:
            position = self._log.followed()
            message = f"{error.message}; its follower has come to position {position}"
            raise GraphUnavailable(message, position=position) from error


def hold_writer(transaction: Transaction, generation: int) -> Any:
    """Keep others from writing the generation until the transaction ends; return how it stands, None for none."""
    return ask_one(transaction, QUERIES["hold_writer"], generation=generation)


def write(
    sessions: Neo4jSessions,
    generation: int,
    observations: Sequence[Observation],
    *,
    to: int | None,
    at_least: int = 0,
    mark: str = "",
) -> None:
    """Make the observations true in the generation and move its cursor to `to`, in one transaction.

    The cursor never goes back, and stays where it is without `to`. Raises `GraphUnavailable` where it stands before
    `at_least`: then what lies between would be left out.
    """

    def work(transaction: Transaction) -> None:
        held = hold_writer(transaction, generation)
        if held is None or held["sequence"] < at_least:
            raise GraphUnavailable("the graph in Neo4j is another one than the follower knew; it looks again")
        rows = CypherRows(transaction, generation, held["next"])
        write_observations(rows, observations)
        transaction.run(QUERIES["release_writer"], generation=generation, next=rows.following).consume()
        onward = to is not None and to > held["sequence"]
        moved = ask_one(
            transaction,
            QUERIES["move_cursor"],
            generation=generation,
            revision=held["revision"],
            to=to if onward else held["sequence"],
            mark=mark if onward else None,
            form=GRAPH_FORM,
        )
        if moved is None:
            raise GraphUnavailable("the cursor of the graph in Neo4j was moved beside its writer")

    sessions.write(work)
