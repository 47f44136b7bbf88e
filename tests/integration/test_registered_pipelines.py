"""What documents change, told fact by fact: new pipelines, edits, removal, and what is refused."""

import datetime as dt
import uuid

import pytest

from catalog.facts import FactKind, version_report
from catalog.keys import DatasetKey
from tests.support.spine import (
    T0,
    append,
    apply_fact,
    fact_of_event,
    follow,
    pipeline_body,
    run_event,
    state_follower,
)
from tests.support.story import Story


def test_unchanged_documents_are_a_no_op_and_an_expected_version_is_held(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    position = story.tell(apply_fact(pipeline_body("p", "a")))
    result = story.connection.execute(
        "SELECT result FROM command_result WHERE position = %s", (position,)
    ).fetchone()
    unchanged = {"kind": "Pipeline", "name": "p", "version": 1, "change": "unchanged", "warnings": []}
    assert result == ({"documents": [unchanged]},)
    position = story.tell(apply_fact(pipeline_body("p", "b"), expected={"Pipeline/p": 7}))
    row = story.connection.execute(
        "SELECT accepted, code FROM command_result WHERE position = %s", (position,)
    ).fetchone()
    assert row == (False, "conflict")
    assert story.connection.execute("SELECT max(version) FROM document").fetchone() == (1,)


def test_one_document_twice_in_one_apply_is_refused(story: Story) -> None:
    position = story.tell(apply_fact(pipeline_body("p", "a"), pipeline_body("p", "b")))
    row = story.connection.execute(
        "SELECT accepted, code FROM command_result WHERE position = %s", (position,)
    ).fetchone()
    assert row == (False, "invalid-document")


def test_a_loop_in_the_documents_is_refused_whole(story: Story) -> None:
    there = pipeline_body("there", "a", produces=[{"namespace": "ns", "name": "b"}])
    back = pipeline_body("back", "b", produces=[{"namespace": "ns", "name": "a"}])
    position = story.tell(apply_fact(there, back))
    row = story.connection.execute(
        "SELECT accepted, code FROM command_result WHERE position = %s", (position,)
    ).fetchone()
    assert row == (False, "causal-loop")
    assert story.connection.execute("SELECT count(*) FROM document").fetchone() == (0,)


@pytest.mark.parametrize(("start_from", "expected"), [("latest", 0), ("current", 1), ("earliest", 3)])
def test_a_new_pipeline_starts_from_where_its_document_says(
    story: Story, start_from: str, expected: int
) -> None:
    for _ in range(3):
        story.arrive("a")
    story.tell(apply_fact(pipeline_body("p", "a", startFrom=start_from, concurrency=10)))
    assert len(story.runs()) == expected


@pytest.mark.parametrize("newest", ["a", "b"])
def test_the_current_version_of_an_input_with_aliases_is_one(story: Story, newest: str) -> None:
    symlinks = {
        "symlinks": {
            "_producer": "https://example.com/test",
            "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/SymlinksDatasetFacet.json",
            "identifiers": [{"namespace": "ns", "name": "b", "type": "TABLE"}],
        }
    }
    story.tell(fact_of_event(run_event(uuid.uuid4(), outputs=["a"], output_facets=symlinks)))
    later = T0 + dt.timedelta(hours=1)
    story.arrive("b")
    story.tell(version_report(DatasetKey("ns", newest), actor="test", time=later, key="newest"))
    # One run, of the newest version whatever name it came under, at whichever name the pipeline waits.
    story.tell(apply_fact(pipeline_body("p", "a", startFrom="current", concurrency=10)))
    assert story.runs() == [(1, "queued")]
    consumed = story.connection.execute(
        "SELECT d.name, v.time FROM consumption c JOIN dataset_version v ON v.id = c.version_id"
        " JOIN dataset d ON d.id = v.dataset_id"
    ).fetchall()
    assert consumed == [(newest, later)]


def test_editing_the_condition_keeps_what_was_consumed_and_queued(story: Story) -> None:
    both = {"all": [{"dataset": {"namespace": "ns", "name": name}} for name in ("a", "b")]}
    story.tell(apply_fact(pipeline_body("p", both)))
    story.arrive("a")
    assert story.runs() == []
    # The version of `a` that was queued makes the new condition true.
    story.tell(apply_fact(pipeline_body("p", "a")))
    assert story.runs() == [(1, "queued")]
    # And is not consumed twice by the old one.
    story.tell(apply_fact(pipeline_body("p", both)))
    story.arrive("b")
    assert story.runs() == [(1, "queued")]


@pytest.mark.parametrize("batch", [1, 1000])
def test_released_versions_are_not_stranded_by_an_edit(story: Story, batch: int) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", onFailure="release", concurrency=20)))
    for _ in range(5):
        story.arrive("a")
    for number in range(1, 6):
        story.start(number)
        story.end(number, exit_code=1)
    story.command(FactKind.PIPELINE_PAUSE, {"pipeline": "p"})
    story.tell(apply_fact(pipeline_body("p", "a", onFailure="keep", concurrency=20)))
    story.command(FactKind.PIPELINE_RESUME, {"pipeline": "p"})
    append(
        story.connection,
        [version_report(DatasetKey("ns", "a"), actor="test", time=T0, key=f"late {n}") for n in range(2)],
    )
    follow(story.connection, state_follower(batch=batch))
    assert len(story.runs()) == 12
    assert story.connection.execute("SELECT count(*) FROM input_queue").fetchone() == (0,)


def test_deleting_cancels_what_waits_and_lets_go_on_what_runs(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.arrive("a")
    story.start(1)
    accepted, *_ = story.command(FactKind.DOCUMENT_DELETE, {"kind": "Pipeline", "name": "p"})
    assert accepted
    assert story.runs() == [(1, "running"), (2, "cancelled")]
    story.arrive("a")
    story.end(1)
    assert story.runs() == [(1, "succeeded"), (2, "cancelled")]


def test_a_pipeline_that_comes_back_does_not_see_what_was_released_meanwhile(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", onFailure="release")))
    story.arrive("a")
    story.start(1)
    story.command(FactKind.DOCUMENT_DELETE, {"kind": "Pipeline", "name": "p"})
    story.end(1, exit_code=1)
    story.tell(apply_fact(pipeline_body("p", "a", onFailure="release")))
    assert story.runs() == [(1, "failed")]
