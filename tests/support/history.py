"""A small installation that has lived: events, versions, pipelines, attempts that failed, a cancel, a late fact."""

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from sqlalchemy import Engine, make_url

from catalog.facts import FactKind, command, version_report
from catalog.follower import Follower, retry_parked
from catalog.keys import DatasetKey
from catalog.ledger import NewFact, compress
from graph.following import GraphLog
from tests.support.simulation import CountingEngine, SimulatedWorker
from tests.support.spine import (
    T0,
    append,
    apply_fact,
    connect,
    fact_of_event,
    pipeline_body,
    run_event,
    state_follower,
)

RETRIES = {"retries": {"count": 1, "backoff": {"initial": "1ms"}}}


def plain(url: str) -> str:
    """The URL as the driver takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def report(name: str, number: int) -> NewFact:
    """A report of a new version of the dataset in the namespace `ns`."""
    return version_report(DatasetKey("ns", name), actor="test", time=T0, key=str(number))


def documents() -> NewFact:
    """Pipelines that wait for datasets `a` and `b`."""
    both = {"all": [{"dataset": {"namespace": "ns", "name": name}} for name in ("a", "b")]}
    return apply_fact(
        pipeline_body("each_a", "a", batching="each", concurrency=2, **RETRIES),
        pipeline_body("latest_a", "a", batching="latest"),
        pipeline_body("each_both", both, batching="each"),
        pipeline_body("gives_back", "c", onFailure="release"),
    )


class History:
    """One database and one worker on it."""

    def __init__(
        self, database_url: str, engine: Engine, *, failing_share: float = 0.3, restored: bool = False
    ) -> None:
        self.url = plain(database_url)
        self.connection: psycopg.Connection[Any] = connect(database_url)
        self.engine = CountingEngine(failing_share)
        name = "other" if restored else "host"
        self.worker = SimulatedWorker(self.url, engine, self.engine, batch=50, name=name)
        self.chooser = random.Random(7)
        if not restored:
            # Run ids come from it, and with them which attempts fail.
            self.connection.execute("UPDATE installation SET id = %s", (uuid.UUID(int=1),))

    def tell(self, *facts: NewFact) -> list[int]:
        """Append the facts, follow them, and return their positions."""
        positions = [appended.position for appended in append(self.connection, facts)]
        self.follow()
        return positions

    def follow(self) -> None:
        """Bring the state to the end of the ledger."""
        while self.worker.follow(None):
            pass

    def follow_graph(self) -> None:
        """Bring the graph to the end of its log."""
        follower: Follower[Any] = Follower(GraphLog(), batch=100, holder="test")
        while follower.step(self.connection).taken:
            pass

    def work(self) -> None:
        """Do all jobs, and follow what they tell, until nothing is left."""
        while self.worker.work(self.chooser, None):
            self.follow()

    def live(self) -> None:
        """Let everything happen that a small installation knows."""
        self.tell(documents())
        for number in range(4):
            run = uuid.UUID(int=number + 1)
            self.tell(fact_of_event(run_event(run, "START", job=f"j{number % 2}", inputs=["raw"])))
            facets = {"symlinks": {"identifiers": [{"namespace": "ns", "name": "b", "type": "TABLE"}]}}
            event = run_event(
                run, job=f"j{number % 2}", inputs=["raw"], outputs=["path/b"], output_facets=facets
            )
            self.tell(fact_of_event(event), report("a", number))
            self.work()
        self._be_late()
        # Runs wait, hold slots that nobody has taken yet, and are cancelled in both states; one gives its version back.
        self.tell(report("a", 10), report("a", 11), report("a", 12))
        self.tell(report("c", 1))
        for state, pipeline in (("queued", "late"), ("pending", "late"), ("queued", "gives_back")):
            (run,) = self._first(
                "SELECT id FROM pipeline_run WHERE state = %s AND pipeline = %s ORDER BY number",
                state,
                pipeline,
            )
            self.tell(command(FactKind.RUN_CANCEL, {}, actor="test", run_id=run))
        self.tell(command(FactKind.PIPELINE_PAUSE, {"pipeline": "each_both"}, actor="test"), report("b", 13))
        self.follow_graph()

    def release_held(self) -> None:
        """Let every held run go, as an operator does."""
        for (run,) in self.connection.execute("SELECT id FROM pipeline_run WHERE state = 'held'").fetchall():
            self.tell(command(FactKind.RUN_RETRY, {}, actor="test", run_id=run))

    def _be_late(self) -> None:
        """Let a fact be parked and applied again after others."""
        late = apply_fact(pipeline_body("late", "a"))
        (position,) = self.tell(NewFact(late.kind, late.digest, "test", b"[]"))
        self.tell(report("a", 7))
        self.work()
        self.connection.execute(
            "UPDATE fact SET body = %s WHERE position = %s", (compress(late.body), position)
        )
        retry_parked(self.connection, state_follower(), position)
        self.tell(report("a", 8))
        self.work()

    def _first(self, query: LiteralString, *parameters: str) -> tuple[Any, ...]:
        row = self.connection.execute(query, parameters).fetchone()
        assert row is not None
        return row

    def close(self) -> None:
        """Close the connections."""
        self.worker.close()
        self.connection.close()


@contextmanager
def history(database_url: str, engine: Engine) -> Iterator[History]:
    """Yield an installation that has lived."""
    found = History(database_url, engine)
    try:
        found.live()
        yield found
    finally:
        found.close()
