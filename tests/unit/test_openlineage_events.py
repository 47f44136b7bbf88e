from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from catalog.errors import InvalidEvent
from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.events import (
    Alias,
    DatasetEvent,
    DatasetLineage,
    DatasetReference,
    JobEvent,
    Parent,
    RunReference,
    order_of,
    parse_event,
    time_of,
)
from tests.support.openlineage_events import (
    RUN_ID,
    dataset,
    dataset_event,
    job_event,
    parsed,
    parsed_run,
    received,
    run_event,
)

OTHER_ID = "f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11"
FIELDS: list[dict[str, Any]] = [
    {"name": "a", "type": "INTEGER"},
    {"name": "s", "type": "struct", "fields": [{"name": "x"}]},
]


def output(**members: Any) -> DatasetReference:
    (reference,) = parsed_run(outputs=[dataset("t", **members)]).outputs
    return reference


def notes(**members: Any) -> tuple[str, ...]:
    return parsed_run(**members).notes


def parent_facet(run_id: str, **members: Any) -> dict[str, Any]:
    return {"run": {"runId": run_id}, "job": {"namespace": "airflow", "name": "dag.task"}, **members}


def run_with(**facets: Any) -> dict[str, Any]:
    return {"runId": RUN_ID, "facets": facets}


def test_a_run_event_says_what_its_envelope_says() -> None:
    event = parsed_run(eventType="running", inputs=[dataset("a")], outputs=[dataset("b"), dataset("c")])

    assert (event.event_type, event.run_id, event.run_id_derived) == ("RUNNING", UUID(RUN_ID), False)
    assert event.job == JobKey("scheduler", "job")
    assert event.event_time == time_of(event.order) == datetime(2024, 10, 17, 9, 18, 27, 719_000, tzinfo=UTC)
    assert event.inputs == (DatasetReference(DatasetKey("db", "a")),)
    assert [dataset.key.name for dataset in event.outputs] == ["b", "c"]
    assert event.parent is None
    assert event.notes == ()


def test_events_are_ordered_by_time_then_type_then_digest() -> None:
    early, late = datetime(1969, 12, 31, tzinfo=UTC), datetime(2024, 1, 1, microsecond=1, tzinfo=UTC)
    low, high = b"\0" * 16, b"\xff" * 16
    orders = [
        order_of(early, "FAIL", high),
        order_of(late, "START", high),
        order_of(late, "RUNNING", high),
        order_of(late, "OTHER", high),
        order_of(late, "COMPLETE", low),
        order_of(late, "ABORT", b"\1" * 16),
        order_of(late, "FAIL", high),
    ]

    assert orders == sorted(orders)


def test_what_a_dataset_s_facets_say() -> None:
    reference = output(
        facets={
            "schema": {"fields": FIELDS},
            "version": {"datasetVersion": "7"},
            "symlinks": {
                "identifiers": [
                    {"namespace": "hive://h", "name": "default.t", "type": "table"},
                    {"namespace": "hive://h", "name": "default.t", "type": "TABLE"},
                    {"namespace": "db", "name": "t", "type": "TABLE"},
                ]
            },
            "lifecycleStateChange": {
                "lifecycleStateChange": "RENAME",
                "previousIdentifier": {"namespace": "db", "name": "old"},
            },
            "documentation": {"description": "Flights"},
            "unknown": {"a": 1},
        },
        outputFacets={"outputStatistics": {"rowCount": 2000, "size": 2097152.0, "fileCount": 5}},
    )

    assert reference == DatasetReference(
        key=DatasetKey("db", "t"),
        lifecycle="RENAME",
        renamed_from=DatasetKey("db", "old"),
        version="7",
        schema=reference.schema,
        aliases=(Alias(DatasetKey("hive://h", "default.t"), "TABLE"),),
        row_count=2000,
        byte_count=2097152,
        file_count=5,
        description="Flights",
    )


def test_equal_schemas_have_one_digest_and_their_fields_stand_beside() -> None:
    event = parsed_run(
        inputs=[dataset("a", facets={"schema": {"fields": FIELDS}})],
        outputs=[
            dataset("b", facets={"schema": {"fields": [dict(reversed(field.items())) for field in FIELDS]}})
        ],
    )

    (digest,) = event.schemas
    assert [event.inputs[0].schema, event.outputs[0].schema] == [digest, digest]
    assert len(digest) == 32
    assert event.schemas[digest] == FIELDS
    assert output(facets={"schema": {"fields": FIELDS[::-1]}}).schema != digest
    assert output(facets={"schema": {"fields": []}}).schema is None


def test_input_statistics_count_what_was_read() -> None:
    event = parsed_run(inputs=[dataset("t", inputFacets={"inputStatistics": {"rowCount": 3}})])

    assert event.inputs[0].row_count == 3
    assert event.inputs[0].byte_count is None


@pytest.mark.parametrize(
    ("state", "changes_content"),
    [
        *(("DROP", False), ("RENAME", False), ("ALTER", False)),
        *(("CREATE", True), ("OVERWRITE", True), ("TRUNCATE", True), ("truncate", True)),
    ],
)
def test_lifecycle_says_whether_the_content_changed(state: str, changes_content: bool) -> None:
    reference = output(facets={"lifecycleStateChange": {"lifecycleStateChange": state}})

    assert reference.lifecycle == state.upper()
    assert reference.changes_content is changes_content


@pytest.mark.parametrize(
    ("condition", "partition"),
    [
        ({"type": "partition", "partitions": [{"dimensions": {"country": "PL", "a": 1}}]}, "a=1/country=PL"),
        ({"type": "partition", "partitions": [{"dimensions": {"day": "1/2=3"}}]}, "day=1%2F2%3D3"),
        (
            {"type": "partition", "partitions": [{"identifier": "2024-PL", "dimensions": {"x": "y"}}]},
            "2024-PL",
        ),
        ({"type": "partition", "partitions": [{"dimensions": {"a": 1}}, {"dimensions": {"a": 2}}]}, None),
        ({"type": "location", "locations": ["s3://b/a"]}, None),
    ],
)
def test_exactly_one_partition_is_a_partition(condition: dict[str, Any], partition: str | None) -> None:
    assert output(outputFacets={"subset": {"outputCondition": condition}}).partition == partition


def test_the_later_mention_of_a_dataset_adds_to_the_earlier() -> None:
    event = parsed_run(
        outputs=[
            dataset("t", facets={"version": {"datasetVersion": "1"}, "documentation": {"description": "d"}}),
            dataset("t", facets={"version": {"datasetVersion": "2"}}),
        ]
    )

    assert [(reference.version, reference.description) for reference in event.outputs] == [("2", "d")]


def test_the_parent_and_its_root_are_named_by_run_and_job() -> None:
    root = {"run": {"runId": "not a uuid"}, "job": {"namespace": "airflow", "name": "dag"}}
    event = parsed_run(run=run_with(parent=parent_facet(OTHER_ID, root=root)))
    itself = parsed_run(run={"runId": "not a uuid"}, job={"namespace": "airflow", "name": "dag"})

    assert event.parent == Parent(
        run=RunReference(UUID(OTHER_ID), False, JobKey("airflow", "dag.task")),
        root=RunReference(itself.run_id, True, JobKey("airflow", "dag")),
    )


def test_the_older_name_of_the_parent_facet_is_read() -> None:
    old = parsed_run(run=run_with(parentRun=parent_facet(OTHER_ID)))
    both = parsed_run(run=run_with(parentRun=parent_facet(OTHER_ID), parent=parent_facet(RUN_ID)))

    assert old.parent is not None
    assert old.parent.run.run_id == UUID(OTHER_ID)
    assert both.parent is not None
    assert both.parent.run.run_id == UUID(RUN_ID)


def test_a_deleted_facet_is_a_tombstone_and_an_absent_one_is_nothing() -> None:
    event = parsed_run(outputs=[dataset("t", facets={"schema": {"_deleted": True}, "version": None})])

    assert event.output_registers == {DatasetKey("db", "t"): {"schema": None}}


@pytest.mark.parametrize(
    ("failed", "errors", "expected"),
    [(1, [{"errorMessage": "x"}], True), (0, [], None), (None, [], True), (0, [{"errorMessage": "x"}], True)],
)
def test_an_extraction_error_counts_unless_nothing_failed(
    failed: Any, errors: Any, expected: bool | None
) -> None:
    event = parsed_run(
        run=run_with(extractionError={"totalTasks": 1, "failedTasks": failed, "errors": errors})
    )

    assert event.facets == {"extraction_error": expected}


@pytest.mark.parametrize(
    ("facets", "kept", "note"),
    [
        ("none", {}, "/outputs/0/facets: expected an object"),
        ({"schema": 3}, {}, "/outputs/0/facets/schema: expected an object"),
        ({"schema": {"fields": {}}}, {}, "/outputs/0/facets/schema: fields: expected an array"),
        ({"version": {}}, {}, "/outputs/0/facets/version: datasetVersion: expected text"),
        ({"version": {"datasetVersion": 12}}, {"version": "12"}, None),
        (
            {"documentation": {"description": []}},
            {},
            "/outputs/0/facets/documentation: description: expected text",
        ),
        (
            {"lifecycleStateChange": {"lifecycleStateChange": "EXPLODE"}},
            {},
            "/outputs/0/facets/lifecycleStateChange: expected one of ALTER, CREATE, DROP, OVERWRITE, RENAME, TRUNCATE",
        ),
        (
            {"lifecycleStateChange": {"lifecycleStateChange": "RENAME", "previousIdentifier": {"name": "x"}}},
            {"lifecycle": ["RENAME", None, None]},
            "/outputs/0/facets/lifecycleStateChange: previousIdentifier: namespace: expected text",
        ),
        (
            {"symlinks": {"identifiers": [{"namespace": "", "name": "x"}, {"namespace": "n", "name": "x"}]}},
            {"symlinks": [["n", "x", ""]]},
            "/outputs/0/facets/symlinks: identifiers/0: namespace: expected text",
        ),
    ],
)
def test_a_sloppy_facet_costs_itself_and_leaves_a_note(
    facets: Any, kept: dict[str, Any], note: str | None
) -> None:
    event = parsed_run(outputs=[dataset("t", facets=facets)])

    assert event.output_registers == {DatasetKey("db", "t"): kept}
    assert event.notes == (() if note is None else (note,))


def test_fields_without_a_name_are_left_out_at_any_level() -> None:
    fields = [
        {"name": "a", "fields": [{"type": "x"}, {"name": "b", "fields": 3}]},
        {"name": ""},
        "c",
        {"name": "d"},
    ]
    event = parsed_run(outputs=[dataset("t", facets={"schema": {"fields": fields}})])

    assert list(event.schemas.values()) == [
        [{"name": "a", "fields": [{"name": "b", "fields": []}]}, {"name": "d"}]
    ]
    assert len(event.notes) == 4


@pytest.mark.parametrize(
    ("count", "kept"),
    [(-1, None), (True, None), ("5", None), (1.5, None), (2**63, None), (2**63 - 1, 2**63 - 1)],
)
def test_a_count_is_a_whole_number_that_fits_a_column(count: Any, kept: int | None) -> None:
    reference = output(outputFacets={"outputStatistics": {"rowCount": count, "size": 1}})

    assert (reference.row_count, reference.byte_count) == (kept, 1)


def test_sloppy_run_facets_leave_notes() -> None:
    assert notes(run=run_with(parent={"run": {"runId": OTHER_ID}}, nominalTime={"nominalStartTime": 3})) == (
        "/run/facets/parent: expected an object with namespace and name",
        "/run/facets/nominalTime: nominalStartTime: expected text",
    )
    assert notes(run=run_with(parent=parent_facet(OTHER_ID, root={}))) == (
        "/run/facets/parent: root: expected an object with run and job",
    )
    assert notes(job={"namespace": "s", "name": "j", "facets": {"lineage": {}}}) == (
        "/job/facets/lineage: expected entries",
    )


def test_a_dataset_event_describes_its_dataset() -> None:
    source = {"namespace": "db", "name": "source", "type": "DATASET"}
    lineage = {"inputs": [], "fields": {"a": {"inputs": [source | {"field": "b"}]}}}
    event = parsed(
        dataset_event(dataset=dataset("t", facets={"lineage": lineage, "schema": {"fields": FIELDS}}))
    )

    assert isinstance(event, DatasetEvent)
    assert event.dataset.lineage == DatasetLineage((DatasetKey("db", "source"),), ())
    assert list(event.schemas) == [event.dataset.schema]


def test_sources_are_sorted_and_named_once() -> None:
    inputs = [{"namespace": "db", "name": name, "type": "DATASET"} for name in "hgfedcbaabcdefgh"]
    event = parsed(dataset_event(dataset=dataset("t", facets={"lineage": {"inputs": inputs}})))

    assert isinstance(event, DatasetEvent)
    assert event.dataset.lineage == DatasetLineage(tuple(DatasetKey("db", name) for name in "abcdefgh"), ())


def test_a_job_event_describes_its_job() -> None:
    job = {
        "namespace": "s",
        "name": "j",
        "facets": {"jobType": {"processingType": "BATCH", "integration": "DBT"}},
    }
    event = parsed(job_event(job=job, inputs=[dataset("a")], outputs=[dataset("b")]))

    assert isinstance(event, JobEvent)
    assert event.job == JobKey("s", "j")
    body = event.stated.job["jobType"]
    assert body is not None
    assert body.json == b'{"integration":"DBT","processingType":"BATCH"}'
    assert [dataset.key.name for dataset in (*event.inputs, *event.outputs)] == ["a", "b"]


def test_a_body_that_was_never_received_is_refused() -> None:
    with pytest.raises(InvalidEvent):
        parse_event(b"{}", received(run_event()).digest)
