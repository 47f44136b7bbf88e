"""What is heard of for the first time costs statements by kind, never by how much of it a batch has."""

import uuid
from typing import Any

import psycopg
import pytest

from catalog.follower import Follower
from catalog.search.index import MOST_OWN
from graph.following import GraphLog
from tests.support.spine import append, connect, fact_of_event, follow, parked, run_event, state_follower
from tests.support.statements import counted_on

#: Of either the index of the search is left to workers.
FEW, MANY = MOST_OWN + 1, 3 * MOST_OWN


def described(name: str, columns: int = 3) -> dict[str, Any]:
    """Return a DatasetEvent of a dataset with described columns that another dataset's are made of."""
    fields = [{"name": f"{name}_c{n}", "type": "INT", "description": f"the {n}th"} for n in range(columns)]
    lineage = {
        field["name"]: {"inputFields": [{"namespace": "ns", "name": f"{name}_source", "field": "id"}]}
        for field in fields
    }
    event = run_event(uuid.uuid4())
    return {
        **{key: event[key] for key in ("eventTime", "producer")},
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
        "dataset": {
            "namespace": "ns",
            "name": name,
            "facets": {"schema": {"fields": fields}, "columnLineage": {"fields": lineage}},
        },
    }


def of_a_job(name: str) -> dict[str, Any]:
    """Return the end of a run of a job that makes a dataset, with the columns that it makes it of."""
    lineage = {
        f"c{n}": {"inputFields": [{"namespace": "ns", "name": "raw", "field": "id"}]} for n in range(3)
    }
    facets = {"columnLineage": {"fields": lineage}}
    return run_event(uuid.uuid4(), job=f"make_{name}", inputs=["raw"], outputs=[name], output_facets=facets)


@pytest.mark.parametrize("event", [described, of_a_job])
def test_a_batch_of_many_new_things_takes_as_many_statements_as_one_of_few(
    database_url: str, event: Any
) -> None:
    with connect(database_url) as connection:
        append(connection, [fact_of_event(event("known"))])
        state, graph = state_follower(), Follower(GraphLog(), batch=10_000, holder="test")
        follow(connection, state)
        follow(connection, graph)
        counts = {}
        for count in (FEW, MANY):
            append(connection, [fact_of_event(event(f"d{count}_{n}")) for n in range(count)])
            with counted_on(connection) as statements:
                assert state.step(connection).taken == count
                assert graph.step(connection).taken > count
            counts[count] = len(statements)
        assert parked(connection) == []
        assert counts[MANY] == counts[FEW]


def test_a_new_job_is_written_with_its_latest_shape_and_a_known_one_gets_it(
    database_url: str,
) -> None:
    with connect(database_url) as connection:
        events = [run_event(uuid.uuid4(), job="j", inputs=["a"], outputs=[name]) for name in ("b", "c")]
        events[1]["eventTime"] = events[1]["eventTime"].replace("2026", "2027")
        follower = state_follower(batch=1)
        append(connection, [fact_of_event(events[0])])
        with counted_on(connection) as statements:
            follow(connection, follower)
        # One row, written once.
        assert not [text for text in statements if "UPDATE job" in text]
        assert latest(connection) == {"j": "2026"}
        append(connection, [fact_of_event(events[1])])
        follow(connection, follower)
        assert latest(connection) == {"j": "2027"}


def test_triggers_note_each_new_row_of_a_statement(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute(
            "INSERT INTO dataset SELECT gen_random_uuid(), 'ns', 'd' || n, now(), 1 FROM generate_series(1, 3) n"
        )
        connection.execute(
            "INSERT INTO dataset_facet SELECT id, '{}'::text[],"
            " CASE WHEN name = 'd3' THEN '{}' ELSE '{\"tags\": [0, null]}' END::jsonb FROM dataset"
        )
        noted = connection.execute(
            "SELECT d.name, count(*) FROM search_change c JOIN dataset d USING (id) GROUP BY 1 ORDER BY 1"
        ).fetchall()
        # What is described is noted again; a row that says nothing of it is not.
        assert noted == [("d1", 2), ("d2", 2), ("d3", 1)]


def test_more_than_a_transaction_takes_care_of_waits_as_a_whole(database_url: str) -> None:
    with connect(database_url) as connection:
        for count in (MOST_OWN - 1, MOST_OWN):
            outputs = [f"t{count}_{n}" for n in range(count)]
            append(connection, [fact_of_event(run_event(uuid.uuid4(), job=f"j{count}", outputs=outputs))])
            follow(connection)
            ((waiting,),) = connection.execute("SELECT count(*) FROM search_change").fetchall()
            # The job is one change more.
            assert waiting == (0 if count < MOST_OWN else MOST_OWN + 1)


def latest(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the year of each job's latest shape."""
    return dict(connection.execute("SELECT name, to_char(shape_at, 'YYYY') FROM job").fetchall())
