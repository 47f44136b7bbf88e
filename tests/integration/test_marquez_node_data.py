"""What is remembered of nodes is what the state says, whatever was told since."""

import datetime as dt
import random
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from sqlalchemy import Engine

from catalog.facts import version_report
from catalog.keys import DatasetKey
from catalog.ledger import NewFact
from graph.model import Node, NodeKind
from graph.postgresql.store import PostgresqlGraph
from tests.support.openlineage_events import dataset_event, job_event
from tests.support.spine import T0, append, connect, fact_of_event, follow, run_event
from tests.support.statements import counted
from web.graphql.request import QueryRequest
from web.marquez.contents import Contents
from web.marquez.node_data import NodeData

DATASETS = [f"t{number}" for number in range(4)]
JOBS = [f"job{number}" for number in range(3)]
RUNS = [uuid.UUID(int=number + 1) for number in range(6)]


def nodes() -> list[Node]:
    return [Node(NodeKind.DATASET, "ns", name) for name in DATASETS] + [
        Node(NodeKind.JOB, "ns", name) for name in JOBS
    ]


@pytest.fixture
def told(engine: Engine) -> Iterator[Any]:
    """Return what a memory gives for all nodes, on a snapshot of its own."""
    graph = PostgresqlGraph(engine)

    def ask(memory: NodeData) -> list[Any]:
        request = QueryRequest(
            engine=engine,
            graph=graph,
            runs_dir=Path(),
            seconds=30,
            authorise=lambda _permission: pytest.fail("nothing is asked that needs a permission"),
            submit=lambda _fact: pytest.fail("nothing is commanded"),
            snapshots=threading.BoundedSemaphore(4),
        )
        with closing(request):
            found: list[Any] = orjson.loads(orjson.dumps(memory.of(request, nodes())))
            return found

    return ask


def facet(**members: Any) -> dict[str, Any]:
    return {"_producer": "https://example.com", "_schemaURL": "https://example.com/facet.json", **members}


def something(chance: random.Random, step: int) -> NewFact:
    """Return a fact that changes something, or nothing: late events, failures after successes, other jobs' names."""
    at = T0 + dt.timedelta(seconds=chance.choice([step, chance.randrange(200)]))
    kind = chance.randrange(12)
    if kind == 0:
        return version_report(DatasetKey("ns", chance.choice(DATASETS)), actor="test", time=at, key=str(step))
    tags = {"tags": facet(tags=[{"key": f"tag{chance.randrange(3)}", "field": chance.choice(["a", None])}])}
    if kind == 1:
        named = {"namespace": "ns", "name": chance.choice(DATASETS), "facets": tags}
        return fact_of_event(dataset_event(eventTime=at.isoformat(), dataset=named))
    if kind == 2:
        inputs = [{"namespace": "ns", "name": name} for name in chance.sample(DATASETS, 2)]
        named = {"namespace": "ns", "name": chance.choice(JOBS)}
        return fact_of_event(job_event(eventTime=at.isoformat(), job=named, inputs=inputs))
    facets = dict(tags) if chance.random() < 0.3 else {}
    if chance.random() < 0.5:
        facets["schema"] = facet(fields=[{"name": "a", "type": chance.choice(["int", "text"])}])
    if chance.random() < 0.1:
        facets["lifecycleStateChange"] = facet(lifecycleStateChange=chance.choice(["DROP", "TRUNCATE"]))
    event = run_event(
        chance.choice(RUNS),
        chance.choice(["START", "RUNNING", "COMPLETE", "COMPLETE", "FAIL"]),
        job=chance.choice(JOBS),
        at=at,
        inputs=chance.sample(DATASETS, chance.randrange(2)),
        outputs=chance.sample(DATASETS, chance.randrange(3)),
        output_facets=facets,
        parent=(chance.choice(RUNS), chance.choice(JOBS)) if chance.random() < 0.3 else None,
    )
    if chance.random() < 0.2:
        event["job"]["facets"] = {"documentation": facet(description=f"text {chance.randrange(3)}")}
    return fact_of_event(event)


@pytest.mark.parametrize("seed", range(4))
def test_a_memory_tells_what_a_new_one_tells(database_url: str, told: Any, seed: int) -> None:
    chance = random.Random(seed)
    memory = NodeData(Contents())
    changes = 0
    before: Any = None
    with connect(database_url) as connection:
        for step in range(60):
            append(connection, [something(chance, step) for _ in range(chance.choice([1, 1, 1, 4]))])
            follow(connection)
            if chance.random() < 0.7:
                now = told(NodeData(Contents()))
                assert told(memory) == now
                changes += now != before
                before = now
    assert changes > 10


def test_nothing_is_read_again_while_nothing_changes(database_url: str, engine: Engine, told: Any) -> None:
    memory = NodeData(Contents())
    with connect(database_url) as connection:
        everything = [
            run_event(run, job=job, inputs=["t0", "t2"], outputs=["t1", "t3"])
            for run, job in zip(RUNS, JOBS, strict=False)
        ]
        heard(connection, *everything)
        first = told(memory)
        with counted(engine) as statements:
            assert told(memory) == first
        assert not reads(statements)
        # A change of some things lets the others be.
        later = T0 + dt.timedelta(hours=1)
        heard(connection, run_event(RUNS[5], job="job1", inputs=["t2"], outputs=["t3"], at=later))
        second = told(memory)
        changed = [node["name"] for node, before in zip(second, first, strict=True) if node != before]
        assert changed == ["t3", "job1"]
        # What was parked and is applied later changes the state without moving its position.
        connection.execute(
            "INSERT INTO parked (follower, position, error_code, error) VALUES ('state', 1, 'x', 'x')"
        )
        with counted(engine) as statements:
            assert told(memory) == second
        assert reads(statements)


def reads(statements: list[str]) -> bool:
    """Return whether nodes were read."""
    return any("AS asked (id)" in statement for statement in statements)


def heard(connection: "psycopg.Connection[Any]", *events: dict[str, Any]) -> None:
    append(connection, map(fact_of_event, events))
    follow(connection)


def test_a_snapshot_that_is_older_than_the_memory_forgets_nothing(
    database_url: str, engine: Engine, told: Any
) -> None:
    memory = NodeData(Contents())
    graph = PostgresqlGraph(engine)
    with connect(database_url) as connection:
        heard(connection, run_event(RUNS[0], job="job0", outputs=["t1"]))
        old = QueryRequest(
            engine=engine,
            graph=graph,
            runs_dir=Path(),
            seconds=30,
            authorise=lambda _: pytest.fail("nothing needs a permission"),
            submit=lambda _: pytest.fail("nothing is commanded"),
            snapshots=threading.BoundedSemaphore(4),
        )
        with closing(old):
            assert old.snapshot.position == 1
            heard(connection, run_event(RUNS[1], job="job0", outputs=["t1"], at=T0 + dt.timedelta(hours=1)))
            newer = told(memory)
            # It is told what is newer than its snapshot, never what is older than another's.
            assert orjson.loads(orjson.dumps(memory.of(old, nodes()))) == newer
        assert told(memory) == newer
