from typing import Any

import pytest

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.events import JobEvent
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.shape import Flow, Shape, shape_of
from tests.support.openlineage_events import RUN_ID, dataset, job_event, parsed, parsed_run

A, B, C, X, Y = (DatasetKey("db", name) for name in "abcxy")
EXTRACT, LOAD = JobKey("airflow://p", "daily.extract"), JobKey("airflow://p", "daily.load")


def shape(**members: Any) -> Shape:
    found = shape_of(MergedRun.of(parsed_run(**members)))
    assert found is not None
    return found


def source(key: DatasetKey | JobKey | None = None, **members: Any) -> dict[str, Any]:
    name = {} if key is None else {"namespace": key.namespace, "name": key.name}
    return {"type": "DATASET" if isinstance(key, DatasetKey) else "JOB", **name, **members}


def with_entries(*entries: dict[str, Any]) -> dict[str, Any]:
    return {
        "job": {"namespace": "scheduler", "name": "job", "facets": {"lineage": {"entries": list(entries)}}}
    }


def explicit(name: str, *inputs: dict[str, Any], **members: Any) -> dict[str, Any]:
    return dataset(name, facets={"lineage": {"inputs": list(inputs), **members}})


def test_without_explicit_lineage_every_input_feeds_every_output() -> None:
    found = shape(inputs=[dataset("b"), dataset("a")], outputs=[dataset("y"), dataset("x")])

    assert (found.inputs, found.outputs, found.flows) == ((A, B), (X, Y), None)


def test_an_output_with_lineage_has_its_sources_and_the_others_have_none() -> None:
    found = shape(
        inputs=[dataset("a"), dataset("b")],
        outputs=[explicit("x", source(A), fields={"f": {"inputs": [source(C, field="g")]}}), dataset("y")],
    )

    assert found.flows == (Flow((X,), (A, C)), Flow((Y,), ()))
    assert (found.inputs, found.outputs) == ((A, B, C), (X, Y))


def test_empty_inputs_say_that_there_is_no_tracked_source() -> None:
    assert shape(inputs=[dataset("a")], outputs=[explicit("x")]).flows == (Flow((X,), ()),)
    assert shape(inputs=[dataset("a")], outputs=[dataset("x")], **with_entries()).flows == (Flow((X,), ()),)


def test_entries_of_the_job_name_datasets_that_are_not_listed() -> None:
    found = shape(outputs=[dataset("y")], **with_entries(source(X, inputs=[source(A, field="f"), source(B)])))

    assert found == Shape((A, B), (X, Y), (Flow((X,), (A, B)), Flow((Y,), ())))


def test_facet_and_entry_for_the_same_output_add_up() -> None:
    found = shape(outputs=[explicit("x", source(A))], **with_entries(source(X, inputs=[source(B)])))

    assert found.flows == (Flow((X,), (A, B)),)


def test_the_event_s_own_job_as_source_is_no_source() -> None:
    own = JobKey("scheduler", "job")
    entry = source(X, inputs=[], fields={"total": {"inputs": [source(), source(own)]}})

    assert shape(inputs=[dataset("a")], **with_entries(entry)) == Shape((A,), (X,), (Flow((X,), ()),))


def test_the_event_s_own_job_as_target_reads_its_sources() -> None:
    found = shape(outputs=[dataset("x")], **with_entries(source(inputs=[source(A)])))

    assert found == Shape((A,), (X,), (Flow((X,), ()), Flow((), (A,))))


def test_other_jobs_stand_in_the_flows() -> None:
    found = shape(
        **with_entries(
            source(X, inputs=[source(EXTRACT, runId=RUN_ID)]),
            source(LOAD, inputs=[source(A, field="order_id")]),
            source(LOAD, inputs=[source(EXTRACT)]),
        )
    )

    assert found.flows == (Flow((X,), (), (), (EXTRACT,)), Flow((), (A,), (LOAD,), (EXTRACT,)))
    assert (found.inputs, found.outputs) == ((A,), (X,))
    assert (found.job_inputs, found.job_outputs) == ((EXTRACT,), (LOAD,))


def test_lineage_on_an_input_says_nothing_about_the_job() -> None:
    assert shape(inputs=[explicit("a", source(B))], outputs=[dataset("x")]) == Shape((A,), (X,), None)


def test_a_deleted_lineage_facet_gives_the_product_back() -> None:
    first = parsed_run(eventType="START", inputs=[dataset("a")], outputs=[explicit("x")])
    deleted = parsed_run(outputs=[dataset("x", facets={"lineage": {"_deleted": True}})])

    assert shape_of(MergedRun.of(first).merge_event(deleted)) == Shape((A,), (X,), None)


@pytest.mark.parametrize(
    "wrong", ["text", {"type": "TABLE"}, {"type": "DATASET", "name": "a"}, {"namespace": "db"}]
)
def test_a_source_that_cannot_be_read_does_not_bring_the_product_back(wrong: Any) -> None:
    event = parsed_run(inputs=[dataset("a")], outputs=[explicit("x", source(B), wrong)])
    found = shape_of(MergedRun.of(event))

    assert found is not None
    assert found.flows == (Flow((X,), (B,)),)
    assert len(event.notes) == 1


def test_a_dropped_dataset_is_an_output_like_any_other() -> None:
    dropped = dataset("x", facets={"lifecycleStateChange": {"lifecycleStateChange": "DROP"}})

    assert shape(outputs=[dropped]).outputs == (X,)


def test_a_run_without_datasets_has_no_shape() -> None:
    links = MergedRun.of(parsed_run(**with_entries(source(LOAD, inputs=[source(EXTRACT)]))))

    assert shape_of(MergedRun.of(parsed_run())) is None
    assert shape_of(MergedRun.of(parsed_run()), partial=True) is None
    assert shape_of(links) is None
    assert shape_of(links, partial=True) == Shape(
        (), (), (Flow((), (), (LOAD,), (EXTRACT,)),), (EXTRACT,), (LOAD,)
    )


def test_a_run_with_an_extraction_error_has_a_partial_shape_only() -> None:
    facets = {"extractionError": {"totalTasks": 2, "failedTasks": 1, "errors": [{"errorMessage": "x"}]}}
    run = MergedRun.of(parsed_run(run={"runId": RUN_ID, "facets": facets}, outputs=[dataset("x")]))

    assert shape_of(run) is None
    assert shape_of(run, partial=True) == Shape((), (X,), None)


def test_a_job_event_has_the_shape_that_a_run_of_it_would_have() -> None:
    members = {"inputs": [dataset("a")], "outputs": [explicit("x", source(B)), dataset("y")]}
    event = parsed(job_event(**members, **with_entries(source(C, inputs=[source(A)]))))

    assert isinstance(event, JobEvent)
    assert shape_of(event) == shape(**members, **with_entries(source(C, inputs=[source(A)])))


def test_the_hash_tells_shapes_apart() -> None:
    shapes = [
        Shape((), (A,), None),
        Shape((A,), (), None),
        Shape((A,), (X,), None),
        Shape((A,), (X,), ()),
        Shape((A,), (X,), (Flow((X,), ()),)),
        Shape((A,), (X,), (Flow((X,), (A,)),)),
        Shape((A,), (X,), (Flow((X,), (), (), (LOAD,)),)),
        Shape((A,), (X,), (Flow((X,), (), (LOAD,), ()),)),
        Shape((A, B), (X,), None),
        Shape((DatasetKey("db,a", ""),), (X,), None),
    ]

    assert len({shape.hash for shape in shapes}) == len(shapes)
    assert Shape((A,), (X,), None).hash == Shape((A,), (X,), None).hash
    assert all(len(shape.hash) == 16 for shape in shapes)
