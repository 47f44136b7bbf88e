"""Generations of the graph in Neo4j: which one readers use, how far each has come, a new one, the end of an old one.

A commit reaches the store record by record, and readers are not kept from seeing some of them. So whoever commits
holds the cursor meanwhile, and who reads looks at it under its lock before and after: what was whole both times, and
the same, was the same in between.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import NotUnderstood
from catalog.forms import GRAPH_FORM
from catalog.queries import load_cypher
from graph.neo4j.connection import Neo4jSessions, Transaction, ask, ask_one
from graph.neo4j.schema import schema_statements
from graph.neo4j.vertices import begin_of, bounds_of

READ = load_cypher(Path(__file__).with_name("read.cypher"))
MAINTAIN = load_cypher(Path(__file__).with_name("maintain.cypher"))

#: Nodes of an old generation that are removed in one transaction.
REMOVED_AT_ONCE = 2_000
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """The generation that readers use: its number, how often it was written, its cursor, and from which on it is whole.

    `mark` tells what the observation at the cursor was, empty where nobody said; sequences are those of the log.
    """

    number: int
    revision: int
    sequence: int
    ready_at: int
    mark: str

    @property
    def is_whole(self) -> bool:
        """Whether it has come so far as the log had when it was begun."""
        return self.sequence >= self.ready_at


def read_standing(transaction: Transaction) -> Standing | None:
    """Return how the current generation stands, None where there is none; it stays so until the transaction ends.

    Raises `NotUnderstood` where a newer release wrote it.
    """
    row = ask_one(transaction, READ["standing"])
    if row is None:
        return None
    if row["form"] > GRAPH_FORM:
        raise NotUnderstood(f"a newer release wrote the graph in Neo4j, in form {row['form']}")
    return Standing(row["number"], row["revision"], row["sequence"], row["readyAt"], row["mark"] or "")


def begin_generation(sessions: Neo4jSessions, *, ready_at: int, current: bool) -> int:
    """Make an empty generation, which readers use at once if it is to be current; return its number."""
    sessions.define(schema_statements())

    def begin(transaction: Transaction) -> int:
        numbers = [row["number"] for row in ask(transaction, MAINTAIN["generations"])]
        number = max(numbers, default=0) + 1
        transaction.run(
            MAINTAIN["begin_generation"], number=number, readyAt=ready_at, form=GRAPH_FORM
        ).consume()
        if current:
            transaction.run(MAINTAIN["promote"], number=number).consume()
        return number

    return sessions.write(begin, seconds=SECONDS)


def promote(sessions: Neo4jSessions, number: int) -> None:
    """Let readers use the generation from now on."""
    _run(sessions, "promote", number=number)


def _run(sessions: Neo4jSessions, query: str, **parameters: object) -> None:
    sessions.write(
        lambda transaction: transaction.run(MAINTAIN[query], parameters).consume(), seconds=SECONDS
    )


def remove_leftovers(sessions: Neo4jSessions, told: Callable[[int], None]) -> None:
    """Remove every generation but the current one; `told` is called with how many nodes are gone so far."""
    found = sessions.write(lambda transaction: ask(transaction, MAINTAIN["generations"]), seconds=SECONDS)
    gone = 0
    for number in [row["number"] for row in found if not row["current"]]:
        low, high = bounds_of(number)
        places = {"bottom": begin_of(low), "top": begin_of(high)}
        while _remove(sessions, number, "remove_shapes", **places):
            pass
        while count := _remove(sessions, number, "remove_vertices", low=low, high=high):
            gone += count
            told(gone)
        _run(sessions, "remove_generation", number=number)


def _remove(sessions: Neo4jSessions, number: int, query: str, **bounds: object) -> int:
    def remove(transaction: Transaction) -> int:
        transaction.run(MAINTAIN["hold"], number=number).consume()
        row = ask_one(transaction, MAINTAIN[query], limit=REMOVED_AT_ONCE, **bounds)
        return 0 if row is None else int(row["count"])

    return sessions.write(remove, seconds=SECONDS)
