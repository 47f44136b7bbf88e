"""Both adapters say the same of a change, and the paths that they give are shortest ways of the reference."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from catalog.observations import Observation
from graph.impact_reference import Place, ReferenceImpact
from graph.memory import MemoryGraph
from graph.model import Direction, Impact, Node, NodeKind, Want
from graph.postgresql.store import PostgresqlGraph
from tests.support.graphs import begin_generation, chunked, logs, node_id, set_state_position

on_one_database = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200
)
EVERYTHING: dict[str, Any] = {"depth": 1000, "max_nodes": 1000, "seconds": 60.0}


def asked_of(memory: MemoryGraph) -> list[Node]:
    """Every node, and a field of every dataset that no columns name."""
    nodes = set(memory.nodes())
    unnamed = [Node(NodeKind.FIELD, *node[1:3], "unnamed") for node in nodes if node.kind is NodeKind.DATASET]
    return sorted([*nodes, *unnamed])


def without_trail(found: Impact) -> list[Any]:
    affected = [each[:-1] for each in found.affected]
    return [found.start, affected, found.nodes, found.completeness, found.position]


def reference(memory: MemoryGraph, start: Node) -> ReferenceImpact:
    current = [edge for edge in memory.edges() if edge.span.end is None]
    return ReferenceImpact(start, set(memory.nodes()), current, 10**6)


def is_a_way(walk: ReferenceImpact, path: list[str], distance: int) -> bool:
    """Whether places of these nodes follow each other from a start, at this distance in all."""
    here: set[tuple[Place, int]] = {(place, 0) for place in walk.starts if place.node.id == path[0]}
    for name in path[1:]:
        here = {
            (there, gone + (0 if free else 1))
            for place, gone in here
            for there, free in walk.neighbours[place]
            if there.node.id == name
        }
    return distance in {gone for _, gone in here}


@on_one_database
@given(
    data=st.data(),
    observations=logs.filter(bool),
    depth=st.integers(0, 6) | st.just(1000),
    max_nodes=st.integers(1, 14) | st.just(1000),
)
def test_both_adapters_say_the_same(
    engine: Engine, data: Any, observations: list[Observation], depth: int, max_nodes: int
) -> None:
    begin_generation(engine)
    memory, tables = MemoryGraph(), PostgresqlGraph(engine)
    for batch in data.draw(chunked(observations)):
        memory.apply(batch)
        tables.apply(batch)
        set_state_position(engine, batch)
    bounds: dict[str, Any] = {"depth": depth, "max_nodes": max_nodes, "seconds": 60.0}
    for node in data.draw(st.lists(st.sampled_from(asked_of(memory)), min_size=1, max_size=6)):
        question = node_id(node)
        expected = memory.impact(question, **bounds, want=Want.NODES)
        found = tables.impact(question, **bounds, want=Want.NODES | Want.PATHS)
        assert without_trail(found) == without_trail(expected)
        walk = reference(memory, node)
        for each in found.affected:
            path = found.trail.path(each.step)
            assert path[-1] == each.node_id
            assert is_a_way(walk, path, each.distance)


@settings(deadline=None, max_examples=200)
@given(observations=logs.filter(bool))
def test_a_table_affects_all_that_lies_downstream_and_a_field_nothing_beyond_that(
    observations: list[Observation],
) -> None:
    memory = MemoryGraph()
    memory.apply(observations)
    for node in memory.nodes():
        table = node.dataset if node.kind is NodeKind.FIELD else node
        ranks = reference(memory, table).ranks
        start = {place.node.id for place, rank in ranks.items() if rank[0] == 0}
        of_table = start.union(each.node_id for each in memory.impact(node_id(table), **EVERYTHING).affected)
        if node.kind is NodeKind.FIELD:
            assert of_table.issuperset(
                each.node_id for each in memory.impact(node_id(node), **EVERYTHING).affected
            )
        else:
            lineage = memory.lineage(node_id(node), Direction.DOWNSTREAM, **EVERYTHING)
            assert of_table.issuperset(lineage.node_ids)
