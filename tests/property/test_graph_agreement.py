"""The PostgreSQL adapter and the reference model agree, whatever was observed and however it arrived."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from catalog.keys import DatasetKey
from catalog.observations import Observation
from graph.memory import MemoryGraph
from graph.model import Direction, Want
from graph.postgresql.store import PostgresqlGraph
from tests.support.graphs import (
    NAMES,
    begin_generation,
    chunked,
    dataset,
    logs,
    node_id,
    set_state_position,
)

# The database is the same for every example; each begins a generation of its own.
on_one_database = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300
)


def filled(engine: Engine, batches: list[list[Observation]]) -> tuple[MemoryGraph, PostgresqlGraph]:
    """Both graphs with the batches applied."""
    begin_generation(engine)
    memory, tables = MemoryGraph(), PostgresqlGraph(engine)
    for batch in batches:
        memory.apply(batch)
        tables.apply(batch)
        set_state_position(engine, batch)
    return memory, tables


@on_one_database
@given(data=st.data(), observations=logs)
def test_both_adapters_hold_the_same_graph(
    engine: Engine, data: Any, observations: list[Observation]
) -> None:
    memory, tables = filled(engine, data.draw(chunked(observations)))
    assert set(tables.nodes()) == set(memory.nodes())
    assert sorted(tables.edges(), key=repr) == sorted(memory.edges(), key=repr)
    assert tables.digest() == memory.digest()
    assert tables.position() == memory.position()


@on_one_database
@given(
    data=st.data(),
    observations=logs.filter(bool),
    direction=st.sampled_from(Direction),
    depth=st.integers(0, 6) | st.just(1000),
    max_nodes=st.integers(1, 12) | st.just(1000),
)
def test_both_adapters_give_the_same_answers(
    engine: Engine,
    data: Any,
    observations: list[Observation],
    direction: Direction,
    depth: int,
    max_nodes: int,
) -> None:
    memory, tables = filled(engine, data.draw(chunked(observations)))
    want = Want.NODES | Want.EDGES
    for node in memory.nodes():
        question: dict[str, Any] = {"depth": depth, "max_nodes": max_nodes, "seconds": 60.0, "want": want}
        expected = memory.lineage(node_id(node), direction, **question)
        assert tables.lineage(node_id(node), direction, **question) == expected


@on_one_database
@given(
    data=st.data(),
    observations=logs,
    asked=st.lists(st.sampled_from(NAMES).map(dataset), max_size=7),
    direction=st.sampled_from([Direction.UPSTREAM, Direction.DOWNSTREAM]),
    most=st.integers(0, 6),
)
def test_both_adapters_name_the_same_jobs_beside_datasets(
    engine: Engine,
    data: Any,
    observations: list[Observation],
    asked: list[DatasetKey],
    direction: Direction,
    most: int,
) -> None:
    memory, tables = filled(engine, data.draw(chunked(observations)))
    expected = memory.jobs_beside(asked, direction, most=most, seconds=60.0)
    assert tables.jobs_beside(asked, direction, most=most, seconds=60.0) == expected


@on_one_database
@given(data=st.data(), observations=logs)
def test_order_repetition_and_chunks_do_not_matter(
    engine: Engine, data: Any, observations: list[Observation]
) -> None:
    expected = MemoryGraph()
    expected.apply(observations)
    shuffled = data.draw(st.permutations(observations))
    repeated = shuffled[: data.draw(st.integers(0, len(shuffled)))]
    memory, tables = filled(engine, data.draw(chunked([*shuffled, *repeated])))
    assert memory.digest() == expected.digest()
    assert tables.digest() == expected.digest()
