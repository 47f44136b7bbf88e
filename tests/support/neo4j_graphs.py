"""Graphs in a Neo4j that tests share: each begins a generation of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from graph.neo4j.connection import Neo4jAccess, Neo4jSessions
from graph.neo4j.generations import begin_generation
from tests.services.neo4j import Access


@contextmanager
def sessions_with(access: Access) -> Iterator[Neo4jSessions]:
    """Yield sessions as Headwater has them."""
    sessions = Neo4jSessions(Neo4jAccess(access.url, access.user, access.password))
    yield sessions
    sessions.close()


def begin_empty(sessions: Neo4jSessions) -> int:
    """Make the graph empty, cheaply: what was written stays in a generation that nobody reads; return its number."""
    return begin_generation(sessions, ready_at=0, current=True)
