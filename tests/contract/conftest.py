"""Every adapter of a port, one after the other."""

import pytest

from graph.memory import MemoryGraph
from graph.port import GraphStore
from graph.postgresql.store import PostgresqlGraph


@pytest.fixture(params=["memory", "postgresql", pytest.param("neo4j", marks=pytest.mark.neo4j)])
def graph(request: pytest.FixtureRequest) -> GraphStore:
    """An empty graph store."""
    if request.param == "memory":
        return MemoryGraph()
    if request.param == "postgresql":
        return PostgresqlGraph(request.getfixturevalue("engine"))
    store: GraphStore = request.getfixturevalue("neo4j_graph")
    return store
