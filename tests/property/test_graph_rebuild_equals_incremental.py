"""Law 3: whatever was observed, a graph that followed its log in any batches equals one that is made anew."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from catalog.observations import Observation
from graph.memory import MemoryGraph
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from graph.postgresql.store import PostgresqlGraph
from tests.support.graphs import append_log, begin_log, chunked, follow_graph, logs


# The database is the same for every example; each begins a log and a generation of its own.
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data(), observations=logs, batch=st.integers(1, 9))
def test_rebuild_equals_incremental(
    engine: Engine, data: Any, observations: list[Observation], batch: int
) -> None:
    begin_log(engine)
    graph, maintenance = PostgresqlGraph(engine), PostgresqlGraphMaintenance(engine)
    expected = MemoryGraph()
    for chunk in data.draw(chunked(observations)):
        append_log(engine, *[observation.observed for observation in chunk])
        follow_graph(engine, batch=batch)
        expected.apply(chunk)
    assert graph.digest() == expected.digest()

    maintenance.rebuild()

    assert graph.digest() == expected.digest()
    assert maintenance.verify().equal
