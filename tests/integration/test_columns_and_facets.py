"""Columns in the shapes of jobs, definitions of datasets, and facets as registers of datasets and jobs."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import orjson
import psycopg
import pytest

from catalog.keys import DatasetKey, JobKey
from catalog.observations import DatasetObserved, ShapeObserved, decode_observed
from catalog.openlineage.columns import ColumnLineage, ColumnSource
from catalog.openlineage.definition import definition_job
from catalog.openlineage.shape import Flow, Shape
from catalog.search.index import QUERIES
from tests.support.spine import T0, append, connect, fact_of_event, follow, parked, run_event, state_follower
from tests.support.statements import counted_on

INDEXING = set(QUERIES.values())
A, B, X = (DatasetKey("ns", name) for name in "abx")
LATER = T0 + dt.timedelta(hours=1)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url) as found:
        yield found


def hear(connection: psycopg.Connection[Any], *events: dict[str, Any]) -> None:
    append(connection, [fact_of_event(event) for event in events])
    follow(connection)
    assert parked(connection) == []


def shapes(connection: psycopg.Connection[Any]) -> list[ShapeObserved]:
    rows = connection.execute("SELECT kind, body FROM observation ORDER BY sequence").fetchall()
    return [found for kind, body in rows if isinstance(found := decode_observed(kind, body), ShapeObserved)]


def field(key: DatasetKey, name: str) -> dict[str, str]:
    return {"namespace": key.namespace, "name": key.name, "field": name}


def columns(*inputs: dict[str, str], target: str = "total") -> dict[str, Any]:
    return {"columnLineage": {"fields": {target: {"inputFields": list(inputs)}}}}


def writing(at: dt.datetime = T0, **facets: Any) -> dict[str, Any]:
    return run_event(uuid.uuid4(), at=at, inputs=["a"], outputs=["x"], output_facets=facets)


def dataset_event(at: dt.datetime = T0, **facets: Any) -> dict[str, Any]:
    dataset = {"namespace": "ns", "name": "x", "facets": facets}
    return {"eventTime": at.isoformat(), "producer": "https://example.com/test", "dataset": dataset}


def stored(connection: psycopg.Connection[Any], owner: str, key: DatasetKey | JobKey) -> dict[str, Any]:
    rows = connection.execute(
        f"SELECT e.key, b.body FROM {owner}_facet f CROSS JOIN jsonb_each(f.facets) e"  # noqa: S608 - one of two names
        f" LEFT JOIN facet_body b ON b.digest = e.value->>1 WHERE f.{owner}_id = %s",
        (key.id,),
    )
    return {name: None if body is None else orjson.loads(body) for name, body in rows}


def of_total(*fields: tuple[DatasetKey, str]) -> ColumnLineage:
    return ColumnLineage.of({"total": [ColumnSource(key, name, ()) for key, name in fields]}, [])


def test_columns_are_in_the_shape_and_an_unchanged_shape_is_told_once(
    connection: psycopg.Connection[Any],
) -> None:
    hear(connection, writing(**columns(field(A, "f"))))
    hear(connection, writing(LATER, **columns(field(A, "f"))))

    (told,) = shapes(connection)
    assert told.shape == Shape((A,), (X,), None, columns=((X, of_total((A, "f"))),))


def test_other_columns_are_another_shape(connection: psycopg.Connection[Any]) -> None:
    hear(connection, writing(**columns(field(A, "f"))), writing(LATER, **columns(field(A, "g"))))

    found = [told.shape and told.shape.columns for told in shapes(connection)]
    assert found == [((X, of_total((A, "f"))),), ((X, of_total((A, "g"))),)]


def test_columns_that_an_earlier_event_of_the_run_told_are_found_again_by_another_process(
    connection: psycopg.Connection[Any],
) -> None:
    run = uuid.uuid4()
    facets = columns(field(A, "f"))
    hear(connection, run_event(run, "START", inputs=["a"], outputs=["x"], output_facets=facets))
    # `hear` follows with a follower that remembers nothing.
    hear(connection, run_event(run, "COMPLETE", at=LATER, inputs=["a"], outputs=["x"]))

    assert [told.shape and told.shape.columns for told in shapes(connection)] == [((X, of_total((A, "f"))),)]


def test_a_deleted_facet_says_nothing_of_columns_any_more(connection: psycopg.Connection[Any]) -> None:
    run = uuid.uuid4()
    facets = columns(field(A, "f"))
    hear(connection, run_event(run, "START", inputs=["a"], outputs=["x"], output_facets=facets))
    deleted = {"columnLineage": {"_deleted": True}}
    hear(connection, run_event(run, "COMPLETE", at=LATER, inputs=["a"], outputs=["x"], output_facets=deleted))

    assert [told.shape for told in shapes(connection)] == [Shape((A,), (X,), None)]


def test_datasets_that_only_columns_name_exist(connection: psycopg.Connection[Any]) -> None:
    hear(connection, writing(**columns(field(B, "f"))))

    rows = connection.execute("SELECT kind, body FROM observation").fetchall()
    assert DatasetObserved(B) in [decode_observed(kind, body) for kind, body in rows]


def test_a_dataset_event_tells_of_what_the_dataset_is_made(connection: psycopg.Connection[Any]) -> None:
    source = {"namespace": "ns", "name": "a", "type": "DATASET"}
    lineage = {"inputs": [source], "fields": {"total": {"inputs": [source | {"field": "f"}]}}}
    hear(connection, dataset_event(lineage=lineage))
    hear(connection, dataset_event(LATER, lineage={"_deleted": True}))

    first, second = shapes(connection)
    assert (first.job, second.job) == (definition_job(X), definition_job(X))
    assert first.shape == Shape((A,), (X,), (Flow((X,), (A,)),), columns=((X, of_total((A, "f"))),))
    assert second.shape == Shape((), (), ())


def test_a_dataset_event_with_columns_alone_names_their_datasets_as_sources(
    connection: psycopg.Connection[Any],
) -> None:
    hear(connection, dataset_event(**columns(field(A, "f"), field(B, "g"))))

    (told,) = shapes(connection)
    assert told.shape == Shape(
        (A, B), (X,), (Flow((X,), (A, B)),), columns=((X, of_total((A, "f"), (B, "g"))),)
    )


def test_a_dataset_event_without_lineage_defines_nothing(connection: psycopg.Connection[Any]) -> None:
    hear(connection, dataset_event(schema={"fields": [{"name": "total"}]}))

    assert shapes(connection) == []


def test_of_each_facet_the_latest_event_counts_whenever_it_arrives(
    connection: psycopg.Connection[Any],
) -> None:
    big = 2**80
    hear(connection, writing(LATER, custom={"n": big}, tags={"tags": [1]}))
    hear(connection, writing(T0, custom={"n": 1}, storage={"storageLayer": "s3"}))

    assert stored(connection, "dataset", X) == {
        "custom": {"n": float(big)},  # orjson reads so; the body is exact, as the next line says.
        "tags": {"tags": [1]},
        "storage": {"storageLayer": "s3"},
    }
    bodies = [row[0] for row in connection.execute("SELECT body FROM facet_body")]
    assert f'{{"n":{big}}}'.encode() in bodies


def test_a_facet_told_again_keeps_its_place_against_what_comes_late(
    connection: psycopg.Connection[Any],
) -> None:
    gold, raw = {"tags": [{"key": "gold"}]}, {"tags": [{"key": "raw"}]}
    hear(connection, writing(T0, tags=gold))
    hear(connection, writing(LATER, tags=gold))
    hear(connection, writing(T0 + dt.timedelta(minutes=30), tags=raw))

    assert stored(connection, "dataset", X) == {"tags": gold}


def test_a_deleted_facet_is_a_tombstone(connection: psycopg.Connection[Any]) -> None:
    hear(connection, writing(T0, tags={"tags": []}))
    hear(connection, writing(LATER, tags={"_deleted": True}))
    hear(connection, writing(T0 + dt.timedelta(minutes=1), tags={"tags": [1]}))

    assert stored(connection, "dataset", X) == {"tags": None}


def test_facets_of_jobs_are_kept_by_runs_and_by_job_events(connection: psycopg.Connection[Any]) -> None:
    job = {"namespace": "ns", "name": "job"}
    event = writing(LATER) | {"job": job | {"facets": {"sql": {"query": "SELECT 2"}, "own": {"x": 1}}}}
    stated = {"eventTime": T0.isoformat(), "producer": "https://example.com/test"}
    stated["job"] = job | {"facets": {"sql": {"query": "SELECT 1"}, "ownership": {"owners": []}}}
    hear(connection, event, stated)

    assert stored(connection, "job", JobKey("ns", "job")) == {
        "sql": {"query": "SELECT 2"},
        "own": {"x": 1},
        "ownership": {"owners": []},
    }


def test_a_batch_writes_its_facets_with_one_statement_for_each_table(
    connection: psycopg.Connection[Any],
) -> None:
    follower = state_follower()
    events = [
        run_event(uuid.uuid4(), job=f"j{n}", outputs=[f"x{n}"], output_facets=columns(field(A, f"f{n}")))
        for n in range(20)
    ]
    append(connection, [fact_of_event(event) for event in events])

    with counted_on(connection) as statements:
        follow(connection, follower)

    # What they are found by is read back once.
    statements = [statement for statement in statements if statement.encode() not in INDEXING]
    for table in ("dataset_facet", "facet_body", "column_lineage"):
        assert sum(f"INSERT INTO {table} " in statement for statement in statements) == 1
        assert sum(f"FROM {table} " in statement for statement in statements) <= 1
