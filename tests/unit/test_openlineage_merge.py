from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from catalog.errors import NotUnderstood
from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.events import RunEvent
from catalog.openlineage.merge import MergedRun
from tests.support.openlineage_events import RUN_ID, dataset, parsed_run

T = DatasetKey("db", "t")


def at(second: int, event_type: str, **members: Any) -> RunEvent:
    return parsed_run(eventType=event_type, eventTime=f"2024-01-01T00:00:{second:02}Z", **members)


def instant(second: int) -> datetime:
    return datetime(2024, 1, 1, 0, 0, second, tzinfo=UTC)


def merged(*events: RunEvent) -> MergedRun:
    run = MergedRun()
    for event in events:
        run = run.merge_event(event)
    return run


def versioned(version: Any) -> dict[str, Any]:
    return {"outputs": [dataset("t", facets={"version": version})]}


@pytest.mark.parametrize(
    ("types", "state"),
    [
        (["START"], "START"),
        (["START", "RUNNING"], "RUNNING"),
        (["START", "RUNNING", "OTHER"], "OTHER"),
        (["START", "COMPLETE"], "COMPLETE"),
        (["START", "COMPLETE", "OTHER"], "COMPLETE"),
        (["START", "FAIL", "START", "COMPLETE"], "COMPLETE"),
        (["START", "COMPLETE", "ABORT"], "ABORT"),
        (["COMPLETE", "START"], "COMPLETE"),
    ],
)
def test_the_state_is_the_greatest_terminal_event_s_else_the_greatest_event_s(
    types: list[str], state: str
) -> None:
    events = [at(second, event_type) for second, event_type in enumerate(types)]

    assert merged(*events).state == state
    assert merged(*reversed(events)).state == state


def test_in_one_instant_a_terminal_event_is_the_last() -> None:
    run = merged(at(0, "COMPLETE", job={"namespace": "s", "name": "end"}), at(0, "START"), at(0, "OTHER"))

    assert run.state == "COMPLETE"
    assert run.job == JobKey("s", "end")


def test_times_are_those_of_the_events() -> None:
    run = merged(at(1, "START"), at(2, "START"), at(3, "COMPLETE"), at(4, "COMPLETE"), at(5, "OTHER"))

    assert (run.started_at, run.complete_time, run.ended_at) == (instant(1), instant(4), instant(4))
    assert run.last_event_at == instant(5)
    assert merged(at(3, "RUNNING")).started_at is None
    assert merged(at(3, "RUNNING")).ended_at is None


def test_a_failure_after_the_greatest_complete_disputes_it() -> None:
    complete = at(5, "COMPLETE")

    assert not merged(complete, at(4, "FAIL")).disputed
    assert merged(complete, at(6, "FAIL")).disputed
    assert merged(complete, at(6, "ABORT")).has_complete
    assert not merged(complete, at(6, "ABORT"), at(7, "COMPLETE")).disputed
    assert not merged(at(6, "FAIL")).disputed
    assert not merged(at(6, "FAIL")).has_complete


def test_datasets_add_up_and_the_greatest_event_s_facet_counts() -> None:
    run = merged(
        at(3, "COMPLETE", inputs=[dataset("a")], **versioned({"datasetVersion": "late"})),
        at(1, "START", inputs=[dataset("b")], outputs=[dataset("u")]),
        at(2, "RUNNING", outputs=[dataset("t", facets={"documentation": {"description": "d"}})]),
        at(2, "OTHER", **versioned({"datasetVersion": "early"})),
    )

    assert {key.name for key in run.inputs} == {"a", "b"}
    assert {key.name for key in run.outputs} == {"t", "u"}
    assert (run.outputs[T].version, run.outputs[T].description) == ("late", "d")


def test_a_deleted_facet_stays_deleted_whatever_arrives_later_from_before() -> None:
    old, deleted, new = (
        at(1, "START", **versioned({"datasetVersion": "1"})),
        at(2, "RUNNING", **versioned({"_deleted": True})),
        at(3, "COMPLETE", **versioned({"datasetVersion": "3"})),
    )

    assert merged(deleted, old).outputs[T].version is None
    assert merged(old, deleted).outputs[T].version is None
    assert merged(new, deleted, old).outputs[T].version == "3"


def test_run_and_job_facets_are_kept() -> None:
    facets = {
        "nominalTime": {"nominalStartTime": "2024-01-01T00:00:01Z", "nominalEndTime": "2024-01-01T00:00:02Z"},
        "errorMessage": {"message": "m" * 5000, "programmingLanguage": "JAVA"},
        "extractionError": {"totalTasks": 1, "failedTasks": 1, "errors": []},
        "parent": {"run": {"runId": RUN_ID}, "job": {"namespace": "s", "name": "parent"}},
    }
    job = {
        "namespace": "s",
        "name": "j",
        "facets": {"lineage": {"entries": []}},
    }
    run = merged(
        at(1, "START", run={"runId": RUN_ID, "facets": facets}, job=job),
        at(2, "FAIL", job=job | {"facets": None}),
    )

    assert (run.nominal_start, run.nominal_end) == (instant(1), instant(2))
    assert run.error_message == "m" * 4096
    assert run.extraction_error
    assert run.parent is not None
    assert run.parent.run.job == JobKey("s", "parent")
    said = {name: value for name, (_, value) in run.job_registers.items()}
    assert said == {"lineage": [], "entry_columns": None}
    assert MergedRun.decode(run.encode()) == run


def test_what_no_event_says_is_unknown() -> None:
    run = merged(at(1, "START"))

    assert (run.parent, run.error_message, run.nominal_start, run.nominal_end) == (None, None, None, None)
    assert (run.job_lineage, dict(run.job_registers)) == (None, {})
    assert not run.extraction_error


def test_a_merged_run_is_json_without_the_fields_of_schemas() -> None:
    fields = [{"name": "column", "type": "INTEGER"}]
    event = at(1, "COMPLETE", outputs=[dataset("t", facets={"schema": {"fields": fields}})])

    encoded = merged(event).encode()

    assert b"column" not in encoded
    assert MergedRun.decode(encoded).outputs[T].schema in event.schemas
    assert merged(event, event).encode() == encoded


def test_a_format_of_another_release_is_refused() -> None:
    state = orjson.loads(merged(at(1, "START")).encode()) | {"format": 99}

    with pytest.raises(NotUnderstood, match="found 99"):
        MergedRun.decode(orjson.dumps(state))
