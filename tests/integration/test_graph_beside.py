"""The jobs beside datasets, in PostgreSQL tables: what it costs, and what it says when it cannot know."""

import itertools
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

import graph.traversal
from graph.model import Completeness, Direction, Incomplete
from graph.postgresql.store import PostgresqlGraph
from tests.support.graphs import (
    alias,
    append_log,
    append_record,
    dataset,
    datasets,
    follow_graph,
    log,
    shape,
    shaped,
)
from tests.support.statements import counted

DOWN = Direction.DOWNSTREAM


@pytest.fixture
def store(engine: Engine) -> PostgresqlGraph:
    return PostgresqlGraph(engine)


def test_it_costs_the_same_statements_for_one_dataset_and_for_a_thousand(
    engine: Engine, store: PostgresqlGraph
) -> None:
    store.apply(log(*(shaped(f"J{n:04}", shape(f"d{n:04}", f"e{n:04}")) for n in range(1000))))
    asked = datasets(" ".join(f"d{n:04}" for n in range(1000)))
    counts = []
    for size in (1, 1000):
        with counted(engine) as statements:
            found = store.jobs_beside(asked[:size], DOWN, most=5, seconds=60)
        assert [node.name for node in found.by_dataset[asked[size - 1]].jobs] == [f"J{size - 1:04}"]
        counts.append(len(statements))
    # The snapshot, the datasets, their edges, the nodes.
    assert counts == [4, 4]


def test_a_hub_and_a_long_chain_of_names_are_looked_at_in_slices(
    store: PostgresqlGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph.traversal, "SLICE", 3)
    names = [f"n{n:02}" for n in range(20)]
    store.apply(
        log(
            *(alias(here, there) for here, there in itertools.pairwise(names)),
            *(shaped(f"J{name}", shape(name, "")) for name in names),
        )
    )
    found = store.jobs_beside(datasets("n00 n19"), DOWN, most=100, seconds=60).by_dataset
    assert [node.name for node in found[dataset("n00")].jobs] == [f"J{name}" for name in names]
    assert found[dataset("n19")] == found[dataset("n00")]


def test_time_that_is_over_is_told_for_each_dataset(store: PostgresqlGraph) -> None:
    store.apply(log(shaped("J", shape("a b", ""))))
    found = store.jobs_beside(datasets("a b"), DOWN, most=5, seconds=0).by_dataset
    for key in datasets("a b"):
        assert found[key].completeness == Completeness(Incomplete.TIME, (key.node_id,))


def test_what_a_parked_observation_touches_says_so(engine: Engine, store: PostgresqlGraph) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE graph_node ADD CONSTRAINT refused CHECK (name <> 'K')"))
    append_log(engine, shaped("J", shape("a b", "")), shaped("K", shape("b", "never_stored")))
    follow_graph(engine)
    found = store.jobs_beside(datasets("a b never_stored other"), DOWN, most=5, seconds=60).by_dataset
    reasons = {key.name: (beside.completeness.reason, len(beside.jobs)) for key, beside in found.items()}
    assert reasons == {
        "a": (None, 1),
        "b": (Incomplete.PARKED, 1),
        "never_stored": (Incomplete.PARKED, 0),
        "other": (None, 0),
    }
    assert found[dataset("b")].completeness.frontier == (dataset("b").node_id,)


def test_an_observation_that_nobody_can_read_may_touch_everything(
    engine: Engine, store: PostgresqlGraph
) -> None:
    append_log(engine, shaped("J", shape("a", "")))
    with engine.begin() as connection:
        append_record(connection, "dataset", b"[]")
    follow_graph(engine)
    found: dict[Any, Any] = dict(store.jobs_beside(datasets("a other"), DOWN, most=5, seconds=60).by_dataset)
    assert {beside.completeness.reason for beside in found.values()} == {Incomplete.PARKED}
    assert found[dataset("a")].completeness.frontier == (dataset("a").node_id, "job:etl:J")
