"""What is particular to the graph in PostgreSQL tables."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, text

import graph.histories
import graph.traversal
from catalog.database import create_database_engine
from catalog.errors import DatabaseUnavailable, HeadwaterError
from catalog.facts import FactKind
from catalog.keys import DatasetKey, JobKey
from catalog.ledger import NewFact
from graph.edge_kinds import EDGE_KIND_NUMBERS, EDGE_KINDS
from graph.following import GraphLog
from graph.memory import MemoryGraph
from graph.model import CARRIES_DATA, Direction, EdgeKind, Incomplete, Want
from graph.postgresql.snapshot import QUERIES
from graph.postgresql.store import PostgresqlGraph
from tests.support.graphs import (
    alias,
    append_log,
    append_record,
    dataset,
    explicit,
    flow,
    follow_graph,
    job,
    log,
    node_id,
    shape,
    shaped,
)
from tests.support.spine import T0, append, connect, fact_of_event, follow, parked, run_event

DOWN = Direction.DOWNSTREAM
WHOLE: dict[str, Any] = {"depth": 100, "max_nodes": 1000, "seconds": 60.0}


def test_every_kind_has_its_number_and_walks_go_by_them() -> None:
    assert set(EDGE_KIND_NUMBERS) == set(EdgeKind) == set(EDGE_KINDS.values())
    not_walked = sorted(EDGE_KIND_NUMBERS[kind] for kind in set(EdgeKind) - CARRIES_DATA)
    for name in ("downstream", "upstream"):
        assert QUERIES[name].endswith(
            b"NULL" + b"".join(b" AND kind <> %d" % number for number in not_walked)
        )
        assert b"FILTER (WHERE kind = %d)" % EDGE_KIND_NUMBERS[EdgeKind.ALIAS] in QUERIES[name]


@pytest.fixture
def store(engine: Engine) -> PostgresqlGraph:
    return PostgresqlGraph(engine)


def chain(length: int) -> list[Any]:
    """d0 > J1 > d1 > J2 > …"""
    return [shaped(f"J{n:03}", shape(f"d{n - 1:03}", f"d{n:03}")) for n in range(1, length + 1)]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Every statement that is sent."""
    sent: list[Any] = []
    execute = psycopg.Cursor.execute

    def recording(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(query)
        return execute(self, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", recording)
    return sent


def test_a_walk_sends_one_statement_for_each_level(store: PostgresqlGraph, statements: list[Any]) -> None:
    store.apply(log(*chain(30)))
    for depth in (0, 5, 20):
        statements.clear()
        found = store.lineage(node_id(dataset("d000")), DOWN, depth=depth, max_nodes=1000, seconds=60)
        assert len(found.node_ids) == depth + 1
        # Snapshot, start, one for each level with the last one's frontier in it, names.
        assert len(statements) == depth + 4


def test_the_number_of_statements_does_not_grow_with_the_nodes(
    store: PostgresqlGraph, statements: list[Any]
) -> None:
    readers = [shaped(f"R{number}", shape("hub", f"out{number}")) for number in range(2000)]
    store.apply(log(*readers))
    statements.clear()
    found = store.lineage(
        node_id(dataset("hub")), DOWN, depth=9, max_nodes=9999, seconds=60, want=Want.NODES | Want.EDGES
    )
    assert (len(found.nodes), len(found.edges)) == (4001, 4000)
    assert len(statements) == 7


def test_a_batch_costs_the_same_statements_whatever_its_size(
    store: PostgresqlGraph, statements: list[Any]
) -> None:
    store.apply(log(*chain(10)))
    counts = []
    for size in (2, 200):
        statements.clear()
        store.apply(
            log(*[shaped(f"J{n:03}", shape("d000", f"e{n}"), at=size) for n in range(size)], first=size * 100)
        )
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 12


def test_statements_stay_prepared(database_url: str) -> None:
    engine = create_database_engine(database_url, pool_size=1, application_name="headwater-test")
    store = PostgresqlGraph(engine)
    store.apply(log(*chain(3)))
    for _ in range(2):
        store.lineage(node_id(dataset("d000")), DOWN, **WHOLE)
    with engine.connect() as connection:
        prepared = connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one()
    engine.dispose()
    assert prepared >= 4


def test_a_walk_whose_time_is_over_says_so(store: PostgresqlGraph) -> None:
    store.apply(log(*chain(3)))
    found = store.lineage(node_id(dataset("d000")), DOWN, depth=9, max_nodes=99, seconds=0)
    assert found.node_ids == ("dataset:db:d000",)
    assert found.completeness.reason is Incomplete.TIME
    assert found.completeness.frontier == ("dataset:db:d000",)


def test_time_that_ends_on_the_way_keeps_what_was_found(
    store: PostgresqlGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.apply(log(*chain(9)))
    ticks = iter(range(100))
    # A clock that moves by a second whenever somebody looks.
    monkeypatch.setattr(graph.traversal.time, "monotonic", lambda: float(next(ticks)))
    found = store.lineage(node_id(dataset("d000")), DOWN, depth=99, max_nodes=99, seconds=4, want=Want.EDGES)
    assert found.node_ids == ("dataset:db:d000", "job:etl:J001", "dataset:db:d001", "job:etl:J002")
    assert found.completeness.reason is Incomplete.TIME
    assert found.completeness.frontier == ("job:etl:J002",)
    assert len(found.edges) == 3


def test_large_levels_are_asked_for_in_slices(
    store: PostgresqlGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    observations = log(
        shaped("A", shape("a", " ".join(f"b{n}" for n in range(9)))),
        *[shaped(f"B{n}", explicit(flow(f"b{n}", f"c{n}"), flow("a", f"b{n}"))) for n in range(9)],
        alias("b3", "b3x"),
        shaped("C", shape("b3x", "c0")),
    )
    store.apply(observations)
    expected = MemoryGraph()
    expected.apply(observations)
    monkeypatch.setattr(graph.traversal, "SLICE", 2)
    for depth in range(6):
        for max_nodes in (3, 8, 15, 99):
            question: dict[str, Any] = WHOLE | {"depth": depth, "max_nodes": max_nodes, "want": Want.EDGES}
            found = store.lineage(node_id(dataset("a")), Direction.BOTH, **question)
            model = expected.lineage(node_id(dataset("a")), Direction.BOTH, **question)
            assert (found.node_ids, found.edges, found.completeness) == (
                model.node_ids,
                model.edges,
                model.completeness,
            )


def test_an_answer_that_a_parked_observation_touches_says_so(engine: Engine, store: PostgresqlGraph) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE graph_node ADD CONSTRAINT refused CHECK (name <> 'J004')"))
    append_log(engine, *chain(4))
    follow_graph(engine)

    touched = store.lineage(node_id(dataset("d000")), DOWN, **WHOLE)
    assert touched.completeness.reason is Incomplete.PARKED
    assert touched.completeness.frontier == ("dataset:db:d003",)
    untouched = store.lineage(node_id(dataset("d000")), DOWN, depth=2, max_nodes=99, seconds=60)
    assert untouched.completeness.reason is Incomplete.DEPTH


def test_a_parked_observation_that_nobody_can_read_may_touch_every_answer(
    engine: Engine, store: PostgresqlGraph
) -> None:
    append_log(engine, *chain(1))
    with engine.begin() as connection:
        append_record(connection, "dataset", b"[]")
    follow_graph(engine)
    found = store.lineage(node_id(dataset("d000")), DOWN, **WHOLE)
    assert found.completeness.reason is Incomplete.PARKED
    assert found.completeness.frontier == found.node_ids


def test_an_answer_that_a_parked_fact_touches_says_so(
    engine: Engine, store: PostgresqlGraph, database_url: str
) -> None:
    run = uuid.uuid4()
    with connect(database_url) as connection:
        started = run_event(run, "START", job="J2", inputs=["b"], outputs=["c"])
        append(connection, [fact_of_event(run_event(uuid.uuid4(), job="J1", inputs=["a"], outputs=["b"]))])
        append(connection, [fact_of_event(run_event(uuid.uuid4(), job="J9", inputs=["y"], outputs=["z"]))])
        append(connection, [fact_of_event(started)])
        follow(connection)
        # The state follower cannot apply the end of a run; what the run reads stands in its beginning.
        connection.execute("ALTER TABLE run ADD CONSTRAINT refused CHECK (ended_at IS NULL) NOT VALID")
        append(connection, [fact_of_event(run_event(run, job="J2", at=T0 + dt.timedelta(hours=1)))])
        follow(connection)
        assert [follower for follower, *_ in parked(connection)] == ["state"]
    follow_graph(engine)

    touched = store.lineage(node_id(DatasetKey("ns", "a")), DOWN, **WHOLE)
    assert touched.completeness.reason is Incomplete.PARKED
    assert "dataset:ns:b" in touched.completeness.frontier
    assert "dataset:ns:a" not in touched.completeness.frontier
    assert store.lineage(node_id(DatasetKey("ns", "y")), DOWN, **WHOLE).completeness.reason is None


def test_a_parked_fact_that_nobody_can_read_may_touch_every_answer(
    engine: Engine, store: PostgresqlGraph, database_url: str
) -> None:
    append_log(engine, *chain(1))
    follow_graph(engine)
    assert store.lineage(node_id(dataset("d000")), DOWN, **WHOLE).completeness.reason is None
    with connect(database_url) as connection:
        connection.execute("UPDATE follower SET position = 0 WHERE name = 'state'")
        append(connection, [NewFact(FactKind.OPENLINEAGE_RUN, b"0" * 16, "test", b"[]")])
        follow(connection)
        assert [follower for follower, *_ in parked(connection)] == ["state"]
    found = store.lineage(node_id(dataset("d000")), DOWN, **WHOLE)
    assert found.completeness.reason is Incomplete.PARKED
    assert found.completeness.frontier == found.node_ids


def test_a_parked_command_touches_no_answer(
    engine: Engine, store: PostgresqlGraph, database_url: str
) -> None:
    append_log(engine, *chain(1))
    follow_graph(engine)
    with connect(database_url) as connection:
        connection.execute("UPDATE follower SET position = 0 WHERE name = 'state'")
        append(connection, [NewFact(FactKind.PIPELINE_TRIGGER, b"0" * 16, "test", b"[]")])
        follow(connection)
        assert [follower for follower, *_ in parked(connection)] == ["state"]
    assert store.lineage(node_id(dataset("d000")), DOWN, **WHOLE).completeness.reason is None


def test_more_flows_than_there_are_steps_are_refused(
    store: PostgresqlGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph.histories, "STEPS", 3)
    store.apply(log(shaped("J", explicit(flow("a", "x"), flow("b", "y")))))
    before = store.digest()
    with pytest.raises(HeadwaterError, match="expected fewer than 3 flows"):
        store.apply(log(shaped("J", explicit(flow("a", "x"), flow("b", "y"), flow("c", "z"))), first=2))
    assert store.digest() == before


def test_a_database_that_is_away_is_no_empty_graph() -> None:
    engine = create_database_engine(
        "postgresql+psycopg://nobody@/none?host=/nowhere", pool_size=1, application_name="headwater-test"
    )
    store = PostgresqlGraph(engine)
    with pytest.raises(DatabaseUnavailable):
        store.lineage(node_id(dataset("a")), DOWN, **WHOLE)
    with pytest.raises(DatabaseUnavailable):
        store.apply(log(*chain(1)))
    engine.dispose()


def test_rows_share_their_keys_with_the_catalog(engine: Engine, store: PostgresqlGraph) -> None:
    store.apply(log(*chain(1)))
    with engine.connect() as connection:
        keys = {row.name: row.key for row in connection.execute(text("SELECT name, key FROM graph_node"))}
    assert keys["d000"] == DatasetKey("db", "d000").id
    assert keys["J001"] == JobKey("etl", "J001").id == job("J001").id


def test_the_follower_announces_that_the_graph_is_newer(engine: Engine, database_url: str) -> None:
    append_log(engine, *chain(1))
    plain = sa.make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as listening:
        listening.execute("LISTEN headwater_graph")
        follow_graph(engine)
        assert [each.channel for each in listening.notifies(timeout=5, stop_after=1)] == ["headwater_graph"]
    assert GraphLog.channel == "headwater_state"
