from typing import Any

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.columns import ColumnLineage, ColumnSource, Transformation
from catalog.openlineage.definition import DEFINITIONS_NAMESPACE, definition_job
from catalog.openlineage.events import DatasetEvent, JobEvent
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.shape import Flow, Shape, definition_of, shape_of
from tests.support.openlineage_events import dataset, dataset_event, job_event, parsed, parsed_run

A, B, X = (DatasetKey("db", name) for name in "abx")
IDENTITY = Transformation("DIRECT", "IDENTITY", "", masking=False)
JOIN = Transformation("INDIRECT", "JOIN", "a.id = b.id", masking=True)


def source(key: DatasetKey, field: str, *transformations: dict[str, Any], **members: Any) -> dict[str, Any]:
    told = {"transformations": list(transformations)} if transformations else {}
    return {"namespace": key.namespace, "name": key.name, "field": field, **told, **members}


def of_field(*sources: ColumnSource) -> ColumnLineage:
    return ColumnLineage.of({"f": sources}, [])


def told(facet: dict[str, Any], name: str = "columnLineage") -> tuple[ColumnLineage | None, tuple[str, ...]]:
    """Return what a run with the facet on its output says of the output's columns, and the notes."""
    event = parsed_run(inputs=[dataset("a")], outputs=[dataset("x", facets={name: facet})])
    shape = shape_of(MergedRun.of(event), event.columns.__getitem__)
    assert shape is not None
    return dict(shape.columns).get(X), event.notes


def field(*inputs: Any, **members: Any) -> dict[str, Any]:
    return {"fields": {"f": {"inputFields": list(inputs), **members}}}


def test_transformations_of_each_source_are_read() -> None:
    identity = {"type": "DIRECT", "subtype": "IDENTITY"}
    join = {"type": "INDIRECT", "subtype": "JOIN", "description": "a.id = b.id", "masking": True}

    found, notes = told(field(source(A, "g", identity, join), source(B, "id")))

    assert found == of_field(ColumnSource(A, "g", (IDENTITY, JOIN)), ColumnSource(B, "id", ()))
    assert notes == ()


def test_the_old_form_names_one_transformation_for_all_sources_that_name_none() -> None:
    own = {"type": "DIRECT", "subtype": "IDENTITY"}

    found, _ = told(
        field(
            source(A, "g"),
            source(B, "h", own),
            transformationType="MASKED",
            transformationDescription="sha256(g)",
        )
    )

    masked = Transformation("DIRECT", "MASKED", "sha256(g)", masking=True)
    assert found == of_field(ColumnSource(A, "g", (masked,)), ColumnSource(B, "h", (IDENTITY,)))


def test_an_old_description_alone_says_neither_direct_nor_indirect() -> None:
    found, _ = told(field(source(A, "g"), transformationDescription="SELECT g"))

    assert found == of_field(ColumnSource(A, "g", (Transformation("", "", "SELECT g", masking=False),)))


def test_sources_of_the_whole_dataset_stand_apart() -> None:
    facet = {"fields": {}, "dataset": [source(A, "g", {"type": "INDIRECT", "subtype": "FILTER"})]}

    found, _ = told(facet)

    filtered = Transformation("INDIRECT", "FILTER", "", masking=False)
    assert found == ColumnLineage((), (ColumnSource(A, "g", (filtered,)),))


def test_what_cannot_be_read_is_left_out_and_noted() -> None:
    facet = {
        "fields": {
            "f": {"inputFields": [source(A, "g"), {"namespace": "db", "field": "h"}, 7, source(A, "")]},
            "broken": 3,
            "worse": {"inputFields": "no"},
        },
        "dataset": {},
    }

    found, notes = told(facet)

    assert found == of_field(ColumnSource(A, "g", ()))
    at = "/outputs/0/facets/columnLineage: "
    assert [note.removeprefix(at) for note in notes] == [
        "fields/f/inputFields/1: name: expected text",
        "fields/f/inputFields/2: expected a field of a dataset",
        "fields/f/inputFields/3: field: expected text",
        "fields/broken: expected a name with an object",
        "fields/worse: inputFields: expected an array",
        "dataset: expected an array",
    ]


def test_a_facet_without_fields_says_nothing_and_takes_back_what_was_said() -> None:
    assert told({"fields": {}}) == (None, ())


def test_fields_of_the_lineage_facet_are_columns_and_sources_without_field_are_not() -> None:
    whole = {"namespace": "db", "name": "b", "type": "DATASET"}
    facet = {
        "inputs": [whole, source(A, "id", {"type": "INDIRECT", "subtype": "JOIN"}, type="DATASET")],
        "fields": {"f": {"inputs": [source(A, "g", type="DATASET"), whole, {"type": "JOB"}]}},
    }

    found, notes = told(facet, "lineage")

    joined = Transformation("INDIRECT", "JOIN", "", masking=False)
    assert found == ColumnLineage.of({"f": [ColumnSource(A, "g", ())]}, [ColumnSource(A, "id", (joined,))])
    assert notes == ()


def test_both_facets_of_an_output_and_the_job_s_entries_add_up() -> None:
    entry = {"type": "DATASET", "namespace": "db", "name": "x"} | {
        "fields": {"h": {"inputs": [source(B, "h", type="DATASET")]}}
    }
    facets = {
        "columnLineage": field(source(A, "g")),
        "lineage": {"fields": {"f": {"inputs": [source(B, "g", type="DATASET")]}}},
    }
    event = parsed_run(
        job={"namespace": "scheduler", "name": "job", "facets": {"lineage": {"entries": [entry]}}},
        outputs=[dataset("x", facets=facets)],
    )

    shape = shape_of(MergedRun.of(event), event.columns.__getitem__)

    assert shape is not None
    both = [ColumnSource(A, "g", ()), ColumnSource(B, "g", ())]
    assert dict(shape.columns)[X] == ColumnLineage.of({"f": both, "h": [ColumnSource(B, "h", ())]}, [])


def test_a_job_event_tells_of_columns_too() -> None:
    event = parsed(job_event(outputs=[dataset("x", facets={"columnLineage": field(source(A, "g"))})]))
    assert isinstance(event, JobEvent)

    shape = shape_of(event, event.columns.__getitem__)

    assert shape is not None
    assert shape.columns == ((X, of_field(ColumnSource(A, "g", ()))),)


def test_a_merged_run_keeps_columns_by_digest() -> None:
    event = parsed_run(outputs=[dataset("x", facets={"columnLineage": field(source(A, "g"))})])
    run = MergedRun.decode(MergedRun.of(event).encode())

    assert run.column_digests == set(event.columns) == {of_field(ColumnSource(A, "g", ())).digest}


def test_a_definition_is_the_lineage_of_a_job_that_stands_for_it() -> None:
    view = dataset("x", facets={"columnLineage": field(source(A, "g"))})
    event = parsed(dataset_event(dataset=view))
    assert isinstance(event, DatasetEvent)

    found = definition_of(event, event.columns.__getitem__)

    columns = ((X, of_field(ColumnSource(A, "g", ()))),)
    assert found == (
        JobKey(DEFINITIONS_NAMESPACE, "dataset:db:x"),
        Shape((A,), (X,), (Flow((X,), (A,)),), columns=columns),
    )


def test_a_definition_has_a_name_that_is_no_longer_than_a_job_s() -> None:
    long = DatasetKey("n" * 5000, "x" * 5000)

    assert definition_job(long).name == f"dataset:{long.id}"


def test_a_lineage_facet_without_sources_defines_that_there_is_none() -> None:
    event = parsed(dataset_event(dataset=dataset("x", facets={"lineage": {"inputs": []}})))
    assert isinstance(event, DatasetEvent)

    found = definition_of(event, event.columns.__getitem__)

    assert found == (definition_job(X), Shape((), (X,), (Flow((X,), ()),)))
