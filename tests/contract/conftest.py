"""Every adapter of a port, one after the other."""

import pytest

from graph.memory import MemoryGraph
from graph.port import GraphStore
from graph.postgresql.store import PostgresqlGraph


@pytest.fixture(params=["memory", "postgresql"])
def graph(request: pytest.FixtureRequest) -> GraphStore:
    """An empty graph store."""
    if request.param == "memory":
        return MemoryGraph()
    return PostgresqlGraph(request.getfixturevalue("engine"))
