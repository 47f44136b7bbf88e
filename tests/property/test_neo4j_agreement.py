"""The Neo4j adapter and the reference model agree, whatever was observed and however it arrived."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from catalog.keys import DatasetKey
from catalog.observations import Observation
from graph.log import ObservationLog
from graph.memory import MemoryGraph
from graph.model import Direction, Impact, Node, NodeKind, Want
from graph.neo4j.connection import Neo4jSessions
from graph.neo4j.store import Neo4jGraph
from tests.support.graphs import NAMES, chunked, dataset, logs, node_id, set_state_position
from tests.support.neo4j_graphs import begin_empty

pytestmark = pytest.mark.neo4j

# A transaction of Neo4j costs some milliseconds, so there are fewer examples than on tables.
on_one_server = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50
)
depths = st.integers(0, 6) | st.just(1000)
limits = st.integers(1, 12) | st.just(1000)


def filled(
    engine: Engine, sessions: Neo4jSessions, batches: list[list[Observation]]
) -> tuple[MemoryGraph, Neo4jGraph]:
    """Both graphs with the batches applied; the state follower stands where they end."""
    begin_empty(sessions)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE follower SET position = 0 WHERE name = 'state'")
    memory, found = MemoryGraph(), Neo4jGraph(sessions, ObservationLog(engine))
    for batch in batches:
        memory.apply(batch)
        found.apply(batch)
        set_state_position(engine, batch)
    return memory, found


@on_one_server
@given(data=st.data(), observations=logs)
def test_both_hold_the_same_graph_in_whatever_order_it_came(
    engine: Engine, neo4j_sessions: Neo4jSessions, data: Any, observations: list[Observation]
) -> None:
    expected = MemoryGraph()
    expected.apply(observations)
    shuffled = data.draw(st.permutations(observations))
    repeated = shuffled[: data.draw(st.integers(0, len(shuffled)))]
    memory, found = filled(engine, neo4j_sessions, data.draw(chunked([*shuffled, *repeated])))
    assert set(found.nodes()) == set(memory.nodes())
    assert sorted(found.edges(), key=repr) == sorted(memory.edges(), key=repr)
    assert found.digest() == memory.digest() == expected.digest()
    assert found.position() == memory.position()


@on_one_server
@given(
    data=st.data(),
    observations=logs.filter(bool),
    direction=st.sampled_from(Direction),
    depth=depths,
    max_nodes=limits,
)
def test_both_give_the_same_answers(
    engine: Engine,
    neo4j_sessions: Neo4jSessions,
    data: Any,
    observations: list[Observation],
    direction: Direction,
    depth: int,
    max_nodes: int,
) -> None:
    memory, found = filled(engine, neo4j_sessions, data.draw(chunked(observations)))
    question: dict[str, Any] = {"depth": depth, "max_nodes": max_nodes, "seconds": 60.0}
    for node in sorted(memory.nodes()):
        want = question | {"want": Want.NODES | Want.EDGES}
        assert found.lineage(node_id(node), direction, **want) == memory.lineage(
            node_id(node), direction, **want
        )


@on_one_server
@given(data=st.data(), observations=logs.filter(bool), depth=depths, max_nodes=limits)
def test_both_say_the_same_of_a_change(
    engine: Engine,
    neo4j_sessions: Neo4jSessions,
    data: Any,
    observations: list[Observation],
    depth: int,
    max_nodes: int,
) -> None:
    memory, found = filled(engine, neo4j_sessions, data.draw(chunked(observations)))
    nodes = set(memory.nodes())
    unnamed = {Node(NodeKind.FIELD, *node[1:3], "unnamed") for node in nodes if node.kind is NodeKind.DATASET}
    question: dict[str, Any] = {"depth": depth, "max_nodes": max_nodes, "seconds": 60.0, "want": Want.NODES}
    for node in data.draw(st.lists(st.sampled_from(sorted(nodes | unnamed)), min_size=1, max_size=8)):
        asked = node_id(node)
        assert without_steps(found.impact(asked, **question)) == without_steps(
            memory.impact(asked, **question)
        )


@on_one_server
@given(
    data=st.data(),
    observations=logs,
    asked=st.lists(st.sampled_from(NAMES).map(dataset), max_size=7),
    direction=st.sampled_from([Direction.UPSTREAM, Direction.DOWNSTREAM]),
    most=st.integers(0, 6),
)
def test_both_name_the_same_jobs_beside_datasets(
    engine: Engine,
    neo4j_sessions: Neo4jSessions,
    data: Any,
    observations: list[Observation],
    asked: list[DatasetKey],
    direction: Direction,
    most: int,
) -> None:
    memory, found = filled(engine, neo4j_sessions, data.draw(chunked(observations)))
    expected = memory.jobs_beside(asked, direction, most=most, seconds=60.0)
    assert found.jobs_beside(asked, direction, most=most, seconds=60.0) == expected


def without_steps(found: Impact) -> list[Any]:
    """The answer without where in the trail a path ends, of which no path is asked for."""
    return [
        found.start,
        [each[:-1] for each in found.affected],
        found.nodes,
        found.completeness,
        found.position,
    ]
