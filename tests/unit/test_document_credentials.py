"""Credentials that a document writes out are refused; what only looks like one is found and let in."""

from typing import Any

import pytest

from catalog.documents.credentials import credentials_of
from catalog.documents.pipeline import Pipeline
from catalog.documents.receiving import receive_document
from catalog.documents.webhook import Webhook
from catalog.errors import InvalidDocument


def spec(*argv: str, **environment: Any) -> dict[str, Any]:
    return {
        "when": {"dataset": "dataset:ns:raw"},
        "launch": {"command": {"argv": ["run", *argv], "environment": environment}},
    }


BODY: dict[str, Any] = {
    "apiVersion": "headwater/v1",
    "kind": "Pipeline",
    "metadata": {"name": "model", "owner": "data-platform"},
}


def pipeline(*argv: str, **environment: Any) -> Pipeline:
    return Pipeline.model_validate(BODY | {"spec": spec(*argv, **environment)})


def webhook(url: str) -> Webhook:
    return Webhook.model_validate(
        {
            "apiVersion": "headwater/v1",
            "kind": "Webhook",
            "metadata": {"name": "receiver", "owner": "data-platform"},
            "spec": {"url": url, "events": ["version.*"], "secret": "env:HEADWATER_SECRET_WEBHOOK"},
        }
    )


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PASSWORD",
            "DB_PASSWORD",
            "db_password_file_key_TOKEN",
            "API_KEY",
            "APIKEY",
            "AWS_SECRET_ACCESS_KEY",
        ),
        *("PGPASSWORD", "dbPassword"),
    ],
)
def test_a_value_under_the_name_of_a_credential_is_one(name: str) -> None:
    [found] = credentials_of(pipeline(**{name: "hunter2"}))

    assert found.path == ("spec", "launch", "command", "environment", name)
    assert found.certain
    assert "HEADWATER_SECRET_NAME" in found.message
    assert "hunter2" not in found.message


@pytest.mark.parametrize(
    "name", ["PASSWORD_FILE", "TOKEN_URL", "SECRET_NAME", "PWD", "DB_PASS", "GOOGLE_CREDENTIALS"]
)
def test_a_value_under_a_name_that_holds_such_a_word_looks_like_one(name: str) -> None:
    [found] = credentials_of(pipeline(**{name: "hunter2"}))

    assert not found.certain
    assert "hunter2" not in found.message
    assert receive_document(BODY | {"spec": spec(**{name: "hunter2"})}).name == "model"


@pytest.mark.parametrize("name", ["TARGET", "TOKENIZER", "PRIMARY_KEY", "SECRETARY", "COMPASS"])
def test_other_names_are_none(name: str) -> None:
    assert credentials_of(pipeline(**{name: "x"})) == []


def test_a_named_secret_and_an_empty_value_are_none() -> None:
    assert credentials_of(pipeline(PASSWORD={"secret": "file:warehouse"}, TOKEN="")) == []


def test_an_address_with_a_password_is_one_wherever_it_stands() -> None:
    address = "postgresql://me:hunter2@host/db"

    found = credentials_of(pipeline(address, DATABASE=address))

    assert [(each.path[3:], each.certain) for each in found] == [
        (("environment", "DATABASE"), True),
        (("argv", 1), True),
    ]
    assert credentials_of(pipeline("postgresql://me@host:5432/db", "postgresql://me:@host/db")) == []


def test_an_option_with_a_credential_is_one() -> None:
    [found] = credentials_of(pipeline("--db-password=hunter2", "--target=prod", "--token"))

    assert (found.path[3:], found.certain) == (("argv", 1), True)
    assert "option db-password is a credential" in found.message


def test_the_argument_after_an_option_for_a_password_an_assignment_and_a_header_are_ones() -> None:
    found = credentials_of(
        pipeline("--db-password", "hunter2", "PGPASSWORD=hunter2", "Authorization: Bearer hunter2")
    )

    assert [(each.path[3:], each.certain) for each in found] == [
        (("argv", 2), True),
        (("argv", 3), True),
        (("argv", 4), True),
    ]
    assert (
        credentials_of(pipeline("--password", "--secret", "name", "--password", "$PW", "A=$PASSWORD")) == []
    )
    assert credentials_of(pipeline("TOKEN=$(cat /run/token)", "TOKEN=x; curl")) == []


def test_what_redaction_would_take_out_is_one_in_a_variable_and_looks_like_one_in_a_script() -> None:
    texts = ["host=db password=hunter2 user=me", "https://files.example/c?sv=1&sig=hunter2"]

    for text in texts:
        [variable] = credentials_of(pipeline(SOURCE=text))
        [argument] = credentials_of(pipeline(text))
        assert (variable.certain, argument.certain) == (True, False)
        assert "hunter2" not in variable.message + argument.message
    assert (
        credentials_of(pipeline("psql 'password=$PW'", "x?token=${TOKEN}", "postgresql://me:$PW@host/db"))
        == []
    )


ADDRESS = "postgresql://me:hunter2@host:5432/db"


@pytest.mark.parametrize(
    ("spec_of", "path"),
    [
        (
            {"when": {"dataset": {"namespace": ADDRESS, "name": "t"}}},
            ("spec", "when", "dataset", "namespace"),
        ),
        ({"produces": [{"namespace": "n", "name": ADDRESS}]}, ("spec", "produces", 0, "name")),
        ({"job": {"namespace": ADDRESS, "name": "t"}}, ("spec", "job", "namespace")),
        (
            {"launch": {"http": {"url": "https://e/", "body": {ADDRESS: 1}}}},
            ("spec", "launch", "http", "body"),
        ),
        (
            {"launch": {"command": {"argv": ["run"], "workingDirectory": ADDRESS}}},
            ("spec", "launch", "command", "workingDirectory"),
        ),
    ],
    ids=["when", "produces", "job", "name-in-a-body", "working-directory"],
)
def test_an_address_with_a_password_is_one_in_every_other_place_too(
    spec_of: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    [found] = credentials_of(Pipeline.model_validate(BODY | {"spec": spec() | spec_of}))

    assert (found.path, found.certain) == (path, True)
    assert "hunter2" not in found.message


def test_a_description_and_the_patterns_of_a_webhook_are_looked_at() -> None:
    described = BODY | {"metadata": BODY["metadata"] | {"description": f"see {ADDRESS}"}, "spec": spec()}
    listening = webhook("https://example.com/hook").model_dump(mode="json", by_alias=True)
    listening["spec"]["datasets"] = [{"namespace": ADDRESS, "name": "*"}]

    for body in (described, listening):
        with pytest.raises(InvalidDocument) as refused:
            receive_document(body)
        assert "hunter2" not in refused.value.message


def test_an_address_as_the_catalog_has_it_is_none() -> None:
    when = {"dataset": {"namespace": "postgresql://me:[redacted]@host:5432/db", "name": "t"}}

    assert credentials_of(Pipeline.model_validate(BODY | {"spec": spec() | {"when": when}})) == []


@pytest.mark.parametrize(
    "body",
    [
        {"password": 123456},
        {"password": ["hunter2"]},
        {"headers": {"Authorization": "Bearer hunter2"}},
        {"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]},
    ],
    ids=["number", "list", "header", "name-and-value"],
)
def test_a_field_of_a_body_is_known_by_its_name_in_every_form(body: dict[str, Any]) -> None:
    launch = {"launch": {"http": {"url": "https://engine.example/", "body": body}}}

    [found] = credentials_of(Pipeline.model_validate(BODY | {"spec": spec() | launch}))

    assert found.certain
    assert found.path[:4] == ("spec", "launch", "http", "body")
    assert "hunter2" not in found.message


def test_a_bearer_token_in_any_header_is_one() -> None:
    http = {"url": "https://engine.example/", "headers": {"X-Engine": "Bearer hunter2"}}

    [found] = credentials_of(Pipeline.model_validate(BODY | {"spec": spec() | {"launch": {"http": http}}}))

    assert (found.path[3:], found.certain) == (("headers", "X-Engine"), True)


def test_a_credential_in_the_address_of_a_webhook_is_one() -> None:
    [found] = credentials_of(webhook("https://example.com/hook?team=data&access_token=hunter2"))

    assert (found.path, found.certain) == (("spec", "url"), True)
    assert "the parameter access_token is a credential" in found.message
    assert "hunter2" not in found.message
    assert credentials_of(webhook("https://example.com/hook?team=data")) == []


def test_all_of_them_are_refused_with_their_places_and_without_their_values() -> None:
    with pytest.raises(InvalidDocument) as refused:
        receive_document(BODY | {"spec": spec("--api-key=hunter2", DB_PASSWORD="hunter2", SECRET_NAME="x")})

    assert [fault["pointer"] for fault in refused.value.details["faults"]] == [
        "/spec/launch/command/environment/DB_PASSWORD",
        "/spec/launch/command/argv/1",
    ]
    assert "hunter2" not in str(refused.value.details) + refused.value.message
