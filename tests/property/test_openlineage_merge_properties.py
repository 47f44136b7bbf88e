from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.openlineage.events import RunEvent
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.shape import shape_of
from tests.support.openlineage_events import RUN_ID, dataset, parsed_run

#: A loaded machine may stall any example; only what is asserted counts.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = st.sampled_from(["a", "b", "c"])
TYPES = st.sampled_from(["START", "RUNNING", "OTHER", "COMPLETE", "ABORT", "FAIL", None])
# Few instants, so that orders are often decided by type and digest.
TIMES = st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000001Z", "0001-01-01T00:00:00Z"])


def facet(content: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(content, st.just({"_deleted": True}))


def sources() -> st.SearchStrategy[list[dict[str, Any]]]:
    named = st.builds(
        lambda name, kind: {"namespace": "db", "name": name, "type": kind},
        NAMES,
        st.sampled_from(["DATASET", "JOB"]),
    )
    return st.lists(st.one_of(named, st.just({"type": "JOB"})), max_size=3)


DATASET_FACETS = st.fixed_dictionaries(
    {},
    optional={
        "schema": facet(st.builds(lambda name: {"fields": [{"name": name}]}, NAMES)),
        "version": facet(st.builds(lambda version: {"datasetVersion": version}, NAMES)),
        "lineage": facet(st.builds(lambda inputs: {"inputs": inputs}, sources())),
        "lifecycleStateChange": facet(
            st.sampled_from([{"lifecycleStateChange": state} for state in ("CREATE", "DROP", "ALTER")])
        ),
        "symlinks": facet(
            st.builds(
                lambda name: {"identifiers": [{"namespace": "n", "name": name, "type": "TABLE"}]}, NAMES
            )
        ),
    },
)
OUTPUT_FACETS = st.fixed_dictionaries(
    {}, optional={"outputStatistics": st.builds(lambda rows: {"rowCount": rows}, st.integers(0, 3))}
)
RUN_FACETS = st.fixed_dictionaries(
    {},
    optional={
        "parent": facet(
            st.builds(lambda name: {"run": {"runId": name}, "job": {"namespace": "s", "name": name}}, NAMES)
        ),
        "errorMessage": facet(st.builds(lambda message: {"message": message}, NAMES)),
        "extractionError": facet(st.builds(lambda failed: {"failedTasks": failed}, st.integers(0, 1))),
        "nominalTime": facet(st.builds(lambda time: {"nominalStartTime": time}, TIMES)),
    },
)
JOB_FACETS = st.fixed_dictionaries(
    {},
    optional={
        "jobType": facet(st.builds(lambda name: {"processingType": name}, NAMES)),
        "lineage": facet(
            st.builds(
                lambda name, inputs: {
                    "entries": [{"namespace": "db", "name": name, "type": "DATASET", "inputs": inputs}]
                },
                NAMES,
                sources(),
            )
        ),
    },
)
OUTPUTS = st.lists(
    st.builds(lambda n, f, o: dataset(n, facets=f, outputFacets=o), NAMES, DATASET_FACETS, OUTPUT_FACETS),
    max_size=3,
)
INPUTS = st.lists(
    st.builds(lambda name, facets: dataset(name, facets=facets), NAMES, DATASET_FACETS), max_size=3
)
EVENTS = st.builds(
    lambda kind, time, run, name, job, inputs, outputs: parsed_run(
        eventType=kind,
        eventTime=time,
        run={"runId": RUN_ID, "facets": run},
        job={"namespace": "s", "name": name, "facets": job},
        inputs=inputs,
        outputs=outputs,
    ),
    *(TYPES, TIMES, RUN_FACETS, NAMES, JOB_FACETS, INPUTS, OUTPUTS),
)  # fmt: skip


def one_by_one(events: list[RunEvent]) -> MergedRun:
    run = MergedRun()
    for event in events:
        run = run.merge_event(event)
    return run


@unhurried
@given(events=st.lists(EVENTS, min_size=1, max_size=6), data=st.data())
def test_order_repetition_and_chunks_do_not_matter(events: list[RunEvent], data: st.DataObject) -> None:
    expected = one_by_one(events)

    # Every event at least once, in any order, some repeated, in chunks that are merged and stored each on its own.
    shuffled = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=4))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    chunks = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    run = MergedRun()
    for chunk in data.draw(st.permutations(chunks)):
        run = MergedRun.decode(run.encode()).merge(MergedRun.decode(one_by_one(chunk).encode()))

    assert run == expected
    assert run.encode() == expected.encode()
    assert shape_of(run, partial=True) == shape_of(expected, partial=True)


@unhurried
@given(
    first=st.lists(EVENTS, max_size=4),
    second=st.lists(EVENTS, max_size=4),
    third=st.lists(EVENTS, max_size=4),
)
def test_merging_is_commutative_associative_and_idempotent(
    first: list[RunEvent], second: list[RunEvent], third: list[RunEvent]
) -> None:
    one, two, three = one_by_one(first), one_by_one(second), one_by_one(third)

    assert one.merge(two) == two.merge(one)
    assert one.merge(two.merge(three)) == one.merge(two).merge(three)
    assert one.merge(one) == one
    assert one.merge(MergedRun()) == one
    assert one.merge(two).merge(two) == one.merge(two)


@unhurried
@given(events=st.lists(EVENTS, min_size=1, max_size=6))
def test_a_merged_run_is_what_its_events_say(events: list[RunEvent]) -> None:
    run = one_by_one(events)
    in_order = sorted(events, key=lambda event: event.order)
    terminal = [event for event in in_order if event.event_type in {"COMPLETE", "ABORT", "FAIL"}]
    latest = {name: value for event in in_order for name, value in event.facets.items()}

    assert run.state == (terminal or in_order)[-1].event_type
    assert run.job == in_order[-1].job
    assert run.has_complete == any(event.event_type == "COMPLETE" for event in events)
    assert run.disputed == (run.has_complete and terminal[-1].event_type != "COMPLETE")
    assert run.error_message == latest.get("error")
    assert run.extraction_error == (latest.get("extraction_error") is True)
    assert set(run.inputs) == {dataset.key for event in events for dataset in event.inputs}
    assert set(run.outputs) == {dataset.key for event in events for dataset in event.outputs}
    known = {digest for event in events for digest in event.schemas}
    assert {dataset.schema for dataset in run.outputs.values()} <= {*known, None}


@unhurried
@given(event=EVENTS)
def test_one_event_says_as_a_run_what_it_says_alone(event: RunEvent) -> None:
    run = MergedRun.of(event)

    assert tuple(run.inputs.values()) == event.inputs
    assert tuple(run.outputs.values()) == event.outputs
    assert run.parent == event.parent
