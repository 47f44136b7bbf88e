"""The document kind VersionScope."""

from typing import Any

import pytest

from catalog.documents.kinds import model_of, parse_document
from catalog.documents.version_scope import VersionScope, scope_of
from catalog.errors import InvalidDocument
from catalog.keys import JobKey


def document(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "headwater/v1",
        "kind": "VersionScope",
        "metadata": {"name": name, "owner": "data-platform"},
        "spec": spec,
    }


def scope(name: str, **spec: Any) -> VersionScope:
    model = model_of(parse_document(document(name, **spec)))
    assert isinstance(model, VersionScope)
    return model


def test_a_run_makes_versions_where_no_document_speaks() -> None:
    elsewhere = scope("other", namespace="elsewhere", scope="rootRun")

    assert scope_of(JobKey("spark", "etl"), []) == "run"
    assert scope_of(JobKey("spark", "etl"), [elsewhere]) == "run"


def test_a_namespace_decides_for_its_jobs_and_a_job_for_itself() -> None:
    documents = [
        scope("all-of-spark", namespace="spark", scope="rootRun"),
        scope("one-job", namespace="spark", job="small", scope="run"),
    ]

    assert scope_of(JobKey("spark", "etl"), documents) == "rootRun"
    assert scope_of(JobKey("spark", "small"), documents) == "run"
    assert scope_of(JobKey("spark", "small"), documents[::-1]) == "run"


def test_of_two_documents_about_one_job_the_smaller_name_decides() -> None:
    documents = [
        scope("b", namespace="spark", job="etl", scope="run"),
        scope("a", namespace="spark", job="etl", scope="rootRun"),
    ]

    assert scope_of(JobKey("spark", "etl"), documents) == "rootRun"
    assert scope_of(JobKey("spark", "etl"), documents[::-1]) == "rootRun"


def test_another_scope_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="/spec/scope: expected 'run' or 'rootRun', found 'root'"):
        parse_document(document("a", namespace="spark", scope="root"))
