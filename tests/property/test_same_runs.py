"""Laws 4 and 5: the same ledger gives the same runs on 1, 2 or 8 workers, whatever crashes."""

import random
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, make_url

from catalog.facts import FactKind, command, version_report
from catalog.keys import DatasetKey
from catalog.ledger import NewFact
from tests.support.simulation import CountingEngine, SimulatedWorker
from tests.support.spine import T0, append, apply_fact, connect, parked, pipeline_body, state_follower

TABLES = (
    "fact, fact_digest, observation, dataset, job, job_parent, shape, job_shape, dataset_alias, dataset_class, run,"
    " dataset_schema, dataset_version, version_event, parked, document, command_result, pipeline, input_queue,"
    " pipeline_run, consumption, pipeline_run_transition, decision, attempt_claim, pause_of_all, procrastinate_jobs"
    " CASCADE"
)
A, B = "a", "b"
RETRIES = {"retries": {"count": 1, "backoff": {"initial": "1ms"}}}


def documents() -> NewFact:
    both = {"all": [{"dataset": {"namespace": "ns", "name": A}}, {"dataset": {"namespace": "ns", "name": B}}]}
    either = {"any": both["all"]}
    return apply_fact(
        pipeline_body("each_a", A, batching="each", concurrency=2, **RETRIES),
        pipeline_body("latest_a", A, batching="latest"),
        pipeline_body("each_both", both, batching="each"),
        pipeline_body("latest_either", either, batching="latest", **RETRIES),
        # What fails gives back what it consumed, and the next version starts a run of it all.
        pipeline_body("release_a", A, batching="each", onFailure="release"),
        pipeline_body("release_either", either, batching="latest", onFailure="release"),
    )


def report(name: str, number: int) -> NewFact:
    return version_report(DatasetKey("ns", name), actor="test", time=T0, key=str(number))


def runs_of(connection: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """Return all that is stored of runs, with ranks for numbers that transactions skip which are rolled back."""
    connection.execute(
        "CREATE OR REPLACE TEMPORARY VIEW ranked AS"
        " SELECT sequence, row_number() OVER (ORDER BY sequence) AS rank FROM version_event"
    )
    queries = {
        "runs": "SELECT id, pipeline, number, state, attempt, attempts_left, document_version, cause, actor,"
        " causal_depth, batch_open, due_position, due_at, started_at, ended_at, exit_code, reason,"
        " cancel_requested FROM pipeline_run",
        "consumed": "SELECT pipeline, input_id, version_id, run_id, rank FROM consumption JOIN ranked USING (sequence)",
        "transitions": "SELECT run_id, from_state, to_state, attempt, at, position, actor, reason,"
        " row_number() OVER (PARTITION BY run_id ORDER BY sequence) FROM pipeline_run_transition",
        "decisions": "SELECT d.id, d.pipeline, d.run_id, d.verdict, d.reason, d.rules::text, d.position, d.at,"
        " (SELECT jsonb_agg((input - 'sequence') || jsonb_build_object('rank', rank) ORDER BY place)::text"
        " FROM jsonb_array_elements(d.inputs) WITH ORDINALITY AS each (input, place)"
        " LEFT JOIN ranked ON sequence = (input->>'sequence')::bigint) FROM decision d",
        "queued": "SELECT pipeline, input_id, version_id, at, depth, rank"
        " FROM input_queue JOIN ranked USING (sequence)",
        "results": "SELECT position, accepted, code, message, result::text FROM command_result",
    }
    return {name: sorted(connection.execute(query).fetchall(), key=repr) for name, query in queries.items()}


def reset(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"TRUNCATE {TABLES}")
    connection.execute("UPDATE follower SET position = 0")
    connection.execute("UPDATE installation SET id = %s", (uuid.UUID(int=1),))


def simulate(
    connection: psycopg.Connection[Any],
    workers: list[SimulatedWorker],
    arrivals: list[NewFact],
    chooser: random.Random,
    crash_share: float,
) -> None:
    """Let arrivals, followers and jobs interleave until nothing is left to do."""
    append(connection, [documents()])
    rest = list(arrivals)
    while rest or not quiet(connection):
        if rest and chooser.random() < 0.3:
            size = chooser.randint(1, 3)
            append(connection, rest[:size])
            rest = rest[size:]
        worker = chooser.choice(workers)
        crashes = chooser.random() < crash_share
        worker.follow(chooser.randint(0, 25) if crashes else None)
        worker.work(chooser, chooser.choice(["before", "after"]) if crashes else None)


def quiet(connection: psycopg.Connection[Any]) -> bool:
    """Say whether nothing is left to follow and no job is left to do."""
    row = connection.execute(
        "SELECT (SELECT max(position) FROM fact) = (SELECT position FROM follower WHERE name = 'state')"
        " AND NOT EXISTS (SELECT FROM procrastinate_jobs)"
    ).fetchone()
    return bool(row and row[0])


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url) as found:
        yield found


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 2**32),
    count=st.sampled_from([1, 2, 8]),
    names=st.lists(st.sampled_from([A, A, B]), min_size=1, max_size=12),
    trigger=st.booleans(),
    paused=st.none() | st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
def test_runs_do_not_depend_on_workers_and_crashes(
    connection: psycopg.Connection[Any],
    engine: Engine,
    database_url: str,
    seed: int,
    count: int,
    names: list[str],
    trigger: bool,
    paused: tuple[int, int] | None,
) -> None:
    reset(connection)
    chooser = random.Random(seed)
    launcher = CountingEngine(failing_share=0.3)
    plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    workers = [
        SimulatedWorker(plain, engine, launcher, chooser.choice([1, 3, 1000]), f"host{index}")
        for index in range(count)
    ]
    arrivals = [report(name, number) for number, name in enumerate(names)]
    if trigger:
        body = {"pipeline": "latest_a", "reason": "by hand"}
        arrivals.insert(len(arrivals) // 2, command(FactKind.PIPELINE_TRIGGER, body, actor="test"))
    if paused is not None:
        # Everything is paused in between, and resumed before the end.
        start, length = paused
        arrivals.insert(start, command(FactKind.PIPELINES_PAUSE, {"reason": "look"}, actor="test"))
        arrivals.insert(start + 1 + length, command(FactKind.PIPELINES_RESUME, {}, actor="test"))
    try:
        simulate(connection, workers, arrivals, chooser, crash_share=0.25)
    finally:
        for worker in workers:
            worker.close()
    assert parked(connection) == []
    lived = runs_of(connection)

    # No attempt started twice, and every run came to an end.
    assert set(launcher.starts.values()) <= {1}
    ended = {row[3] for row in lived["runs"]}
    assert ended <= {"succeeded", "failed"}
    # `each` as many as it must, `latest` every version exactly once, none stranded.
    per_pipeline: dict[str, int] = {}
    for row in lived["runs"]:
        per_pipeline[row[1]] = per_pipeline.get(row[1], 0) + 1
    assert per_pipeline.get("each_a", 0) == names.count(A)
    assert per_pipeline.get("each_both", 0) == min(names.count(A), names.count(B))
    consumed = [row for row in lived["consumed"] if row[0] == "latest_a"]
    assert len(consumed) == names.count(A)
    assert len([row for row in lived["consumed"] if row[0] == "latest_either"]) == len(names)
    assert {row[0] for row in lived["queued"]} <= {"each_both", "release_a", "release_either"}
    # What was given back waits, or a run took it: no version is gone, and none is at two places.
    for pipeline, versions in (("release_a", names.count(A)), ("release_either", len(names))):
        kept = [row[2] for row in lived["consumed"] if row[0] == pipeline]
        waiting = [row[2] for row in lived["queued"] if row[0] == pipeline]
        assert len({*kept, *waiting}) == len(kept) + len(waiting) == versions

    # The ledger that came about, outcomes included, followed again in other chunks: the same to the row.
    connection.execute(
        "TRUNCATE observation, dataset, job, dataset_version, version_event, document, command_result, pipeline,"
        " input_queue, pipeline_run, consumption, pipeline_run_transition, decision, pause_of_all, procrastinate_jobs"
        " CASCADE"
    )
    connection.execute("ALTER SEQUENCE version_event_sequence_seq RESTART")
    connection.execute("UPDATE follower SET position = 0")
    follower = state_follower(batch=chooser.choice([1, 2, 5, 1000]))
    while follower.step(connection).taken:
        if chooser.random() < 0.3:
            follower = state_follower(batch=chooser.choice([1, 2, 5, 1000]))
    assert runs_of(connection) == lived
