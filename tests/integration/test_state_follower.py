"""From facts to due runs, in the database, without processes."""

import datetime as dt
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.spine import (
    T0,
    append,
    apply_fact,
    connect,
    fact_of_event,
    follow,
    parked,
    pipeline_body,
    run_event,
)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with connect(database_url) as found:
        yield found


def test_a_completed_run_makes_a_version_and_starts_the_pipeline_that_reads_it(
    connection: psycopg.Connection,
) -> None:
    append(connection, [apply_fact(pipeline_body("p", "raw"))])
    run = uuid.uuid4()
    append(connection, [fact_of_event(run_event(run, "START", outputs=["raw"]))])
    follow(connection)
    # A run that has only started makes nothing due.
    assert connection.execute("SELECT count(*) FROM pipeline_run").fetchone() == (0,)
    append(connection, [fact_of_event(run_event(run, "COMPLETE", outputs=["raw"]))])
    follow(connection)
    assert parked(connection) == []
    assert connection.execute("SELECT state, row_count FROM dataset_version").fetchall() == [
        ("published", None)
    ]
    assert connection.execute("SELECT pipeline, state, attempt FROM pipeline_run").fetchall() == [
        ("p", "queued", 1)
    ]
    assert connection.execute("SELECT task_name, queue_name FROM procrastinate_jobs").fetchall() == [
        ("headwater.launch", "launch")
    ]
    assert connection.execute("SELECT verdict FROM decision").fetchall() == [("start",)]
    assert T0 is not None


@pytest.mark.parametrize("minutes", [1, -1])
def test_a_run_known_from_before_that_tells_of_another_job(
    connection: psycopg.Connection, minutes: int
) -> None:
    run = uuid.uuid4()
    append(connection, [fact_of_event(run_event(run, job="one", inputs=["raw"]))])
    follow(connection)
    other = run_event(run, "OTHER", job="two", outputs=["made"], at=T0 + dt.timedelta(minutes=minutes))
    append(connection, [fact_of_event(other)])
    # What another process read and remembered is gone.
    follow(connection)
    assert parked(connection) == []
    shapes = connection.execute("SELECT name FROM job WHERE shape_hash IS NOT NULL").fetchall()
    assert shapes == [("two" if minutes > 0 else "one",)]


def test_an_append_makes_the_partition_that_it_needs(connection: psycopg.Connection) -> None:
    connection.execute("SELECT setval('fact_position', 4999998)")
    events = [fact_of_event(run_event(uuid.uuid4(), outputs=["raw"])) for _ in range(3)]
    assert [found.position for found in append(connection, events)] == [4999999, 5000000, 5000001]
    follow(connection)
    assert parked(connection) == []
    assert connection.execute("SELECT count(*) FROM dataset_version").fetchone() == (3,)
