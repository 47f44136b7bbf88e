"""What applying documents does, before anything is stored."""

from typing import Any

import pytest

from catalog.documents.document import Document
from catalog.documents.kinds import parse_document
from catalog.errors import CausalLoop, Conflict, InvalidDocument
from catalog.keys import DatasetKey
from policies.loops import PipelineEdges
from policies.plans import Circumstances, Effect, Plan, StoredDocument, plan_documents
from policies.undeclared import SeenUses
from tests.support.spine import pipeline_body

SCOPE = {
    "apiVersion": "headwater/v1",
    "kind": "VersionScope",
    "metadata": {"name": "spark", "owner": "team"},
    "spec": {"namespace": "spark", "scope": "rootRun"},
}


def dataset(name: str) -> DatasetKey:
    return DatasetKey("ns", name)


def pipeline(name: str, when: str = "raw", *writes: str, **spec: Any) -> Document:
    produces = [{"namespace": "ns", "name": written} for written in writes]
    return parse_document(pipeline_body(name, when, produces=produces, **spec))


def planned(*documents: Document, expected: dict[str, int] | None = None, **known: Any) -> Plan:
    empty: dict[str, Any] = {"stored": {}, "pipelines": {}, "seen": {}, "aliases": {}}
    return plan_documents(documents, expected or {}, Circumstances(**empty | known))


def stored(version: int, document: Document | None) -> dict[tuple[str, str], StoredDocument]:
    return {("Pipeline", "p"): StoredDocument(version, document)}


def test_what_is_new_is_created() -> None:
    (found,) = planned(pipeline("p")).documents
    assert (found.effect, found.version, found.before, found.warnings) == (Effect.CREATED, 1, None, ())


def test_what_says_the_same_is_unchanged() -> None:
    (found,) = planned(pipeline("p", batching="each"), stored=stored(4, pipeline("p"))).documents
    assert (found.effect, found.version, found.before) == (Effect.UNCHANGED, 4, None)


def test_what_says_something_else_is_updated_and_knows_what_it_replaces() -> None:
    before = pipeline("p")
    (found,) = planned(pipeline("p", "other"), stored=stored(4, before)).documents
    assert (found.effect, found.version, found.before) == (Effect.UPDATED, 5, before)


def test_what_was_deleted_is_created_anew_and_its_versions_go_on() -> None:
    (found,) = planned(pipeline("p"), stored=stored(4, None)).documents
    assert (found.effect, found.version, found.before) == (Effect.CREATED, 5, None)


def test_another_version_than_expected_is_a_conflict() -> None:
    for known, expected in ((stored(2, pipeline("p")), 3), (stored(2, pipeline("p")), 0), ({}, 1)):
        plan = planned(pipeline("p"), expected={"Pipeline/p": expected}, stored=known)
        assert isinstance(plan.refusal, Conflict)
        assert f"expected version {expected}" in plan.refusal.message
    # What is deleted still has versions, and what is not asked for is not looked at.
    planned(pipeline("p"), expected={"Pipeline/p": 2, "Pipeline/q": 9}, stored=stored(2, None)).check()


def test_the_second_of_two_of_one_name_is_refused_and_each_document_is_planned() -> None:
    plan = planned(pipeline("p"), pipeline("q"), pipeline("p", "other"), parse_document(SCOPE))
    assert [found.refusal is None for found in plan.documents] == [True, True, False, True]
    with pytest.raises(InvalidDocument, match="documents/0 and documents/2") as raised:
        plan.check()
    assert raised.value.pointer == "/documents/2/metadata/name"


def test_a_loop_through_what_is_registered_refuses_all() -> None:
    registered = {"q": PipelineEdges("q", frozenset({dataset("mart")}), frozenset({dataset("raw")}))}
    loop = planned(pipeline("p", "raw", "mart"), pipelines=registered)
    assert [found.refusal for found in loop.documents] == [None]
    with pytest.raises(CausalLoop, match="without end: p -> dataset:ns:mart -> q"):
        loop.check()
    # The new version of a pipeline counts, not the registered one.
    planned(pipeline("p", "raw", "mart"), pipeline("q", "mart"), pipelines=registered).check()


def test_a_loop_through_an_alias_is_one() -> None:
    aliases = {dataset("raw"): dataset("class"), dataset("raw_by_path"): dataset("class")}
    documents = (pipeline("p", "raw", "mart"), pipeline("q", "mart", "raw_by_path"))
    planned(*documents).check()
    with pytest.raises(CausalLoop):
        planned(*documents, aliases=aliases).check()


def test_a_conflict_is_told_before_a_loop() -> None:
    plan = planned(pipeline("p", "raw", "raw"), expected={"Pipeline/p": 1})
    assert plan.loop is not None
    assert isinstance(plan.refusal, Conflict)


def test_uses_beyond_the_document_and_credentials_are_warnings() -> None:
    launch = {"command": {"argv": ["load"], "environment": {"DB_PASSWORD": "hunter2"}}}
    seen = SeenUses(
        frozenset(map(dataset, ("raw_by_path", "stage", "side"))), frozenset(map(dataset, ("stage", "mart")))
    )
    aliases = {dataset("raw"): dataset("class"), dataset("raw_by_path"): dataset("class")}
    documents = (pipeline("p", "raw", "mart", launch=launch), pipeline("q", "raw"), parse_document(SCOPE))
    first, *others = planned(*documents, seen={"p": seen}, aliases=aliases).documents
    assert [(warning.code, warning.dataset) for warning in first.warnings] == [
        ("credential-written-out", None),
        ("reads-undeclared", "dataset:ns:side"),
        ("writes-undeclared", "dataset:ns:stage"),
    ]
    assert "hunter2" not in str(first.warnings)
    assert [found.warnings for found in others] == [(), ()]
