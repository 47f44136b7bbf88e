"""The `http` launcher in documents: what is read, what is refused, and that nothing that may be a secret is shown."""

import datetime as dt
from typing import Any

import pytest

from catalog.documents.credentials import credentials_of
from catalog.documents.faults import pointer
from catalog.documents.kinds import model_of, parse_document
from catalog.documents.pipeline import HttpLaunch, Pipeline
from catalog.errors import InvalidDocument

POLL: dict[str, Any] = {
    "url": "https://engine.example/runs/${run.id}",
    "state": "$.state",
    "succeeded": ["done"],
    "failed": ["bad"],
}


def document(**http: Any) -> dict[str, Any]:
    return {
        "apiVersion": "headwater/v1",
        "kind": "Pipeline",
        "metadata": {"name": "model", "owner": "data-platform"},
        "spec": {
            "when": {"dataset": "dataset:ns:raw"},
            "launch": {"http": {"url": "https://engine.example/run", **http}},
        },
    }


def refusal(**http: Any) -> str:
    with pytest.raises(InvalidDocument) as caught:
        parse_document(document(**http))
    return caught.value.message


def test_the_smallest_form_has_its_defaults() -> None:
    parsed = parse_document(document())
    model = model_of(parsed)
    assert isinstance(model, Pipeline)
    assert isinstance(model.spec.launch, HttpLaunch)
    http = model.spec.launch.http

    assert (http.method, http.body, http.format, http.success) == ("POST", "${trigger}", "json", ())
    assert (http.idempotency.header, http.idempotency.honoured) == ("Idempotency-Key", False)
    assert http.poll is None
    assert http.timeouts.unreachable == dt.timedelta(minutes=5)
    assert parsed.body["spec"]["launch"] == {"http": {"url": "https://engine.example/run"}}


def test_a_document_is_its_own_canonical_form() -> None:
    body = document(
        headers={
            "Authorization": {"secret": "env:HEADWATER_SECRET_X", "prefix": "Bearer "},
            "X-Run": "${run.id}",
        },
        body={"a": ["${trigger.versions}", None, 1, True]},
        answer={"id": "$.id"},
        poll=POLL | {"url": "https://engine.example/runs/${answer.id}", "succeeded": [True, 1, "1"]},
        cancel={"url": "https://engine.example/runs/${answer.id}", "method": "DELETE"},
        timeouts={"connect": "1s"},
    )
    first = parse_document(body)

    assert parse_document(dict(first.body)).digest == first.digest
    assert first.body["spec"]["launch"]["http"] == body["spec"]["launch"]["http"]


def test_no_body_is_not_the_default_body() -> None:
    assert parse_document(document(body=None)).body["spec"]["launch"]["http"]["body"] is None


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ({"url": "https://engine.example/${run.idd}"}, "did you mean ${run.id}?"),
        ({"url": "https://engine.example/${trigger}"}, "unknown variable ${trigger}"),
        ({"url": "https://engine.example/${answer.id}"}, "unknown variable ${answer.id}"),
        ({"url": "https://engine.example:0/"}, "expected a port from 1 to 65535"),
        ({"url": "https://engine.example:70000/"}, "expected a port from 1 to 65535"),
        ({"body": {"a": "${"}}, "expected ${NAME}"),
        ({"body": {"a": ["x${trigger}"]}}, "alone in its text"),
        ({"headers": {"X-A": "${version.partition}"}}, "unknown variable ${version.partition}"),
        ({"headers": {"Host": "x"}}, "does not write itself, found Host"),
        ({"headers": {"content-length": "1"}}, "does not write itself"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "does not write itself"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "each header once, found x-a twice"),
        ({"headers": {"idempotency-key": "1"}}, "found idempotency-key twice"),
        ({"poll": POLL | {"failed": ["done", "bad"]}}, "no state both in succeeded and in failed"),
        ({"poll": POLL | {"succeeded": [True], "failed": [True]}}, "no state both"),
        ({"poll": POLL | {"interval": "500ms"}}, "expected at least 1s, found 500ms"),
        ({"poll": POLL | {"succeeded": [{}]}}, "expected a text of at most 500 characters"),
        ({"poll": POLL | {"state": "$..a"}}, "expected a JSON path to one value"),
        ({"poll": POLL | {"absent": [404], "url": "location"}}, "known before the engine's answer"),
        ({"poll": POLL | {"url": "https://engine.example/${answer.id}"}}, "which `answer` does not keep"),
        ({"cancel": {"url": "https://engine.example/${answer.id}"}}, "which `answer` does not keep"),
        (
            {"answer": {"id": "$.id"}, "poll": POLL | {"absent": [404], "url": "https://e/${answer.id}"}},
            "known before the engine's answer",
        ),
        ({"answer": {"id": "$.id"}}, "expected `poll` or `cancel` beside `answer`"),
        ({"timeouts": {"connect": "31s"}}, "connect of at most 30s, found 31s"),
        ({"timeouts": {"answer": "2m"}}, "answer of at most 1m, found 2m"),
        ({"retry": 3}, "unknown field 'retry'"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(http: dict[str, Any], expected: str) -> None:
    assert expected in refusal(**http)


@pytest.mark.parametrize(
    "http",
    [
        {"url": "https://me:hunter2@engine.example/"},
        {"url": "hunter2"},
        {"headers": {"Authorization": "hunter2\n"}},
        {"headers": {"Authorization": 4711}},
        {"headers": {"Authorization": {"secret": "hunter2"}}},
        {"headers": {"Authorization": {"secret": "file:x", "prefix": "\thunter2"}}},
    ],
)
def test_what_may_be_a_secret_is_not_shown(http: dict[str, Any]) -> None:
    message = refusal(**http)

    assert "hunter2" not in message
    assert "4711" not in message


def written_out(**http: Any) -> dict[str, str]:
    found = credentials_of(model_of(parse_document(document(**http))))
    assert all(each.certain for each in found)
    return {pointer(each.path).removeprefix("/spec/launch/http"): each.message for each in found}


def test_a_credential_written_out_is_found_wherever_it_stands() -> None:
    found = written_out(
        url="https://engine.example/run?api_key=hunter2&page=1&token=${run.id}",
        headers={"Authorization": "Bearer hunter2", "X-Api-Key": "hunter2", "X-Trace": "on"},
        body={
            "password": "hunter2",
            "nested": [{"accessToken": "hunter2"}],
            "note": "postgres://a:hunter2@h/d",
        },
        cancel={"url": "https://engine.example/stop?secret=hunter2"},
    )

    assert set(found) == {
        "/url",
        "/headers/Authorization",
        "/headers/X-Api-Key",
        "/body/password",
        "/body/nested/0/accessToken",
        "/body/note",
        "/cancel/url",
    }
    assert all("hunter2" not in message and "in headers" in message for message in found.values())


def test_named_secrets_and_variables_are_none_written_out() -> None:
    assert (
        written_out(
            headers={"Authorization": {"secret": "file:engine"}}, body={"token": "${attempt.id}", "key": 1}
        )
        == {}
    )
