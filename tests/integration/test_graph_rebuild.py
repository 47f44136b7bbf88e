"""The graph is a function of its log: made anew it is the same, and readers never see a half of it."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import sql
from sqlalchemy import Engine, text

from catalog.errors import Conflict
from catalog.observations import DatasetObserved, Observed
from catalog.progress import Progress
from graph.memory import MemoryGraph
from graph.model import Direction
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from graph.postgresql.rebuilding import rebuild_graph
from graph.postgresql.store import PostgresqlGraph
from tests.support.graphs import (
    alias,
    append_log,
    append_record,
    autocommitting,
    dataset,
    explicit,
    flow,
    follow_graph,
    log,
    node_id,
    parent,
    shape,
    shaped,
)
from tests.support.spine import (
    append,
    apply_fact,
    connect,
    fact_of_event,
    follow,
    parked,
    pipeline_body,
    run_event,
)

OBSERVED: list[Observed] = [
    shaped("J", shape("a", "b"), at=0),
    shaped("K", explicit(flow("b", "c"), flow("a", "d")), at=0),
    alias("c", "c2"),
    parent("J", "DAG"),
    shaped("J", shape("a e", "b"), at=2),
    shaped("K", None, at=0),
    shaped("K", shape("b", "c"), at=1),
]
LATER = shaped("L", shape("c2", "f"), at=3)


def count(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


def expected_digest(*observed: Observed) -> bytes:
    model = MemoryGraph()
    model.apply(log(*observed))
    return model.digest()


@pytest.fixture
def graph(engine: Engine) -> PostgresqlGraph:
    """A graph that followed its log."""
    append_log(engine, *OBSERVED)
    follow_graph(engine, batch=2)
    return PostgresqlGraph(engine)


@pytest.fixture
def maintenance(engine: Engine) -> PostgresqlGraphMaintenance:
    return PostgresqlGraphMaintenance(engine)


def interrupting(act: Callable[[], None]) -> Callable[[Progress], None]:
    """Do something once, in the middle of the first phase."""
    waiting = [act]

    def progress(told: Progress) -> None:
        if told.phase == "build" and waiting:
            waiting.pop()()

    return progress


def test_a_rebuild_is_the_same_graph_and_leaves_nothing_behind(
    engine: Engine, graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    assert graph.digest() == expected_digest(*OBSERVED)
    nodes = count(engine, "SELECT count(*) FROM graph_node")
    edges = count(engine, "SELECT count(*) FROM graph_edge")
    shapes = count(engine, "SELECT count(*) FROM graph_shape")

    rebuilt = maintenance.rebuild()

    assert graph.digest() == expected_digest(*OBSERVED)
    assert (rebuilt.generation, rebuilt.observations, rebuilt.parked) == (2, len(OBSERVED), 0)
    assert count(engine, "SELECT count(*) FROM graph_node") == nodes
    assert count(engine, "SELECT count(*) FROM graph_edge") == edges
    assert count(engine, "SELECT count(*) FROM graph_shape") == shapes
    assert count(engine, "SELECT count(*) FROM graph_generation") == 1
    assert count(engine, "SELECT count(*) FROM follower WHERE name = 'graph rebuild'") == 0


def test_a_rebuild_never_creates_runs(
    engine: Engine, database_url: str, maintenance: PostgresqlGraphMaintenance
) -> None:
    tables = (
        "pipeline_run",
        "pipeline_run_transition",
        "decision",
        "consumption",
        "input_queue",
        "version_event",
    )
    with connect(database_url) as connection:

        def stored() -> dict[str, list[str]]:
            found = {}
            for table in tables:
                query = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table))
                found[table] = [row[0] for row in connection.execute(query)]
            return found

        append(connection, [apply_fact(pipeline_body("p", "b"), pipeline_body("q", "b", batching="latest"))])
        for number in range(3):
            append(
                connection, [fact_of_event(run_event(uuid.UUID(int=number + 1), inputs=["a"], outputs=["b"]))]
            )
        follow(connection)
        follow_graph(engine)
        before = stored()
        assert len(before["pipeline_run"]) > 3
        assert maintenance.rebuild().observations > 0
        # Neither the rebuild nor what follows it makes anything due again.
        follow(connection)
        follow_graph(engine)
        assert parked(connection) == []
        assert stored() == before


def test_following_goes_on_after_a_rebuild(
    engine: Engine, graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    maintenance.rebuild()
    append_log(engine, LATER)
    follow_graph(engine)
    assert graph.digest() == expected_digest(*OBSERVED, LATER)
    assert maintenance.verify().equal


def test_a_rebuild_makes_a_graph_that_never_followed(
    engine: Engine, maintenance: PostgresqlGraphMaintenance
) -> None:
    append_log(engine, *OBSERVED)
    maintenance.rebuild()
    status = maintenance.status()
    assert (status.waiting, status.cursor) == (0, status.log_end)
    assert PostgresqlGraph(engine).digest() == expected_digest(*OBSERVED)
    # The follower takes up where the rebuild ended.
    append_log(engine, LATER)
    follow_graph(engine)
    assert PostgresqlGraph(engine).digest() == expected_digest(*OBSERVED, LATER)


def test_what_arrives_meanwhile_is_in_the_old_graph_at_once_and_in_the_new_one_too(
    engine: Engine, graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    def arrive() -> None:
        append_log(engine, LATER)
        follow_graph(engine)
        # The follower still writes what readers see.
        assert graph.digest() == expected_digest(*OBSERVED, LATER)

    maintenance.rebuild(interrupting(arrive))

    assert graph.digest() == expected_digest(*OBSERVED, LATER)
    assert maintenance.verify().equal
    assert maintenance.status().waiting == 0


def test_what_arrives_meanwhile_may_wait_for_the_new_graph(
    engine: Engine, graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    maintenance.rebuild(interrupting(lambda: append_log(engine, LATER)))
    assert graph.digest() == expected_digest(*OBSERVED, LATER)
    follow_graph(engine)
    assert graph.digest() == expected_digest(*OBSERVED, LATER)


def test_readers_see_one_whole_graph_throughout(engine: Engine, graph: PostgresqlGraph) -> None:
    expected = graph.digest()
    seen: list[bytes] = []
    with autocommitting(engine) as connection:
        rebuild_graph(connection, progress=lambda _: seen.append(graph.digest()), batch=1)
    assert len(seen) > len(OBSERVED)
    assert set(seen) == {expected}


def test_a_walk_that_began_before_the_switch_ends_in_the_old_graph(
    graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    nodes = graph.nodes()
    first = next(nodes)
    maintenance.rebuild()
    assert {first, *nodes} == set(graph.nodes())


def test_an_interrupted_rebuild_harms_nothing_and_the_next_removes_it(
    engine: Engine, graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    expected = graph.digest()

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maintenance.rebuild(interrupting(stop))

    assert graph.digest() == expected
    assert count(engine, "SELECT count(*) FROM graph_generation WHERE state = 'building'") == 1
    assert maintenance.status().rebuilding_at == maintenance.status().log_end
    append_log(engine, LATER)
    follow_graph(engine)
    maintenance.rebuild()
    assert graph.digest() == expected_digest(*OBSERVED, LATER)
    assert count(engine, "SELECT count(*) FROM graph_generation") == 1
    assert maintenance.status().rebuilding_at is None


def test_two_rebuilds_do_not_run_at_once(
    graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    def second() -> None:
        with ThreadPoolExecutor(1) as other, pytest.raises(Conflict, match="another rebuild"):
            other.submit(maintenance.rebuild).result()

    maintenance.rebuild(interrupting(second))
    assert graph.digest() == expected_digest(*OBSERVED)


def test_a_record_that_nobody_can_read_is_parked_alone(
    engine: Engine, graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    with engine.begin() as connection:
        append_record(connection, "dataset", b"[]")
    append_log(engine, LATER)
    follow_graph(engine)
    assert maintenance.status().parked == 1
    assert maintenance.verify().equal

    assert maintenance.rebuild().parked == 1

    assert maintenance.status().parked == 1
    assert graph.digest() == expected_digest(*OBSERVED, LATER)
    assert maintenance.verify().equal


def test_a_rebuild_applies_what_was_parked_and_can_be_read_now(
    engine: Engine, graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    with engine.begin() as connection:
        append_record(connection, "comet", b'["db","new"]')
    follow_graph(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE observation SET kind = 'dataset' WHERE kind = 'comet'"))
    maintenance.rebuild()
    assert maintenance.status().parked == 0
    assert graph.digest() == expected_digest(*OBSERVED, DatasetObserved(dataset("new")))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            "DELETE FROM graph_edge WHERE kind = 4",
            "missing: edge job:etl:J parent job:etl:DAG from 2026-01-01T00:00:00+00:00 to now",
        ),
        (
            """
            INSERT INTO graph_node (generation, key, kind, namespace, name)
            VALUES (1, gen_random_uuid(), 'job', 'a', 'x')
            """,
            "surplus: node job:a:x",
        ),
        (
            "UPDATE graph_edge SET valid_from = valid_from - interval '1 day' WHERE kind = 4",
            "missing: edge job:etl:J",
        ),
    ],
    ids=["lost", "too much", "another time"],
)
def test_verify_says_what_differs(
    engine: Engine,
    graph: PostgresqlGraph,
    maintenance: PostgresqlGraphMaintenance,
    damage: str,
    told: str,
) -> None:
    before = maintenance.verify()
    assert before.equal
    assert before.digest == before.expected_digest == graph.digest()
    with engine.begin() as connection:
        connection.execute(text(damage))

    found = maintenance.verify()

    assert not found.equal
    assert found.digest != found.expected_digest
    assert found.differences[0].startswith(told)


def test_verify_compares_up_to_the_cursor(
    engine: Engine, graph: PostgresqlGraph, maintenance: PostgresqlGraphMaintenance
) -> None:
    append_log(engine, LATER)
    assert maintenance.verify().digest == graph.digest()
    assert maintenance.verify().equal
    status = maintenance.status()
    assert (status.waiting, status.log_end - status.cursor) == (1, 1)


def test_a_graph_that_lags_says_so(engine: Engine, graph: PostgresqlGraph) -> None:
    before = graph.position()
    append_log(engine, LATER, DatasetObserved(dataset("z")))
    assert graph.position() == before + 9
    found = graph.lineage(node_id(dataset("a")), Direction.BOTH, depth=9, max_nodes=99, seconds=60)
    assert found.position == before + 9
    follow_graph(engine)
    assert graph.position() == before + 20
