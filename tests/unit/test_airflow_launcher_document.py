"""The `airflow` launcher in documents: what is read, what is refused, and that no secret is shown."""

import datetime as dt
from typing import Any

import pytest

from catalog.documents.credentials import credentials_of
from catalog.documents.kinds import model_of, parse_document
from catalog.documents.pipeline import AirflowLaunch, Pipeline
from catalog.errors import InvalidDocument

PASSWORD = {"username": "headwater", "password": {"secret": "env:HEADWATER_SECRET_AIRFLOW_PASSWORD"}}


def document(**airflow: Any) -> dict[str, Any]:
    return {
        "apiVersion": "headwater/v1",
        "kind": "Pipeline",
        "metadata": {"name": "report", "owner": "sales"},
        "spec": {
            "when": {"dataset": "dataset:ns:raw"},
            "launch": {"airflow": {"url": "https://airflow.example", "dag": "orders_report", **airflow}},
        },
    }


def refusal(**airflow: Any) -> str:
    with pytest.raises(InvalidDocument) as caught:
        parse_document(document(**airflow))
    return caught.value.message


def test_the_smallest_form_has_its_defaults() -> None:
    parsed = parse_document(document())
    model = model_of(parsed)
    assert isinstance(model, Pipeline)
    assert isinstance(model.spec.launch, AirflowLaunch)
    airflow = model.spec.launch.airflow

    assert (airflow.conf, airflow.logical_date, airflow.when_paused) == (
        {"headwater": "${trigger}"},
        "due",
        "wait",
    )
    assert airflow.credentials is None
    assert airflow.interval == dt.timedelta(seconds=10)
    assert parsed.body["spec"]["launch"] == document()["spec"]["launch"]


@pytest.mark.parametrize("credentials", [PASSWORD, {"token": {"secret": "file:airflow"}}])
def test_a_document_is_its_own_canonical_form(credentials: dict[str, Any]) -> None:
    body = document(
        credentials=credentials,
        conf={"versions": "${trigger.versions}"},
        logicalDate="none",
        whenPaused="fail",
    )
    first = parse_document(body)

    assert parse_document(dict(first.body)).digest == first.digest
    assert first.body["spec"]["launch"]["airflow"] == body["spec"]["launch"]["airflow"]


@pytest.mark.parametrize(
    ("airflow", "expected"),
    [
        ({"url": "https://${pipeline}.example"}, "expected a URL of http or https"),
        ({"url": "https://airflow.example/?x=1"}, "expected a URL without a query"),
        ({"conf": {"a": "${run.ids}"}}, "unknown variable ${run.ids}, did you mean ${run.id}?"),
        ({"conf": {"a": "x ${trigger}"}}, "expected ${trigger} alone"),
        ({"interval": "500ms"}, "expected at least 1s"),
        ({"timeouts": {"answer": "2m"}}, "answer of at most 1m, found 2m"),
        ({"dagId": "x"}, "unknown field 'dagId'"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(airflow: dict[str, Any], expected: str) -> None:
    assert expected in refusal(**airflow)


@pytest.mark.parametrize(
    "airflow",
    [
        {"url": "https://me:hunter2@airflow.example"},
        {"credentials": {"username": "u", "password": "hunter2"}},
        {"credentials": {"username": "u", "password": {"secret": "hunter2"}}},
        {"credentials": {"token": "hunter2"}},
        {"credentials": {"token": {"secret": "hunter2"}}},
    ],
)
def test_what_may_be_a_secret_is_not_shown(airflow: dict[str, Any]) -> None:
    assert "hunter2" not in refusal(**airflow)


def test_a_credential_in_the_conf_is_found() -> None:
    model = model_of(parse_document(document(credentials=PASSWORD, conf={"db": {"password": "hunter2"}})))
    [found] = credentials_of(model)

    assert found.path == ("spec", "launch", "airflow", "conf", "db", "password")
    assert found.certain
    assert "keep it in Airflow" in found.message
    assert "hunter2" not in found.message
