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
    ["PASSWORD", "DB_PASSWORD", "db_password_file_key_TOKEN", "API_KEY", "APIKEY", "AWS_SECRET_ACCESS_KEY"],
)
def test_a_value_under_the_name_of_a_credential_is_one(name: str) -> None:
    [found] = credentials_of(pipeline(**{name: "hunter2"}))

    assert found.path == ("spec", "launch", "command", "environment", name)
    assert found.certain
    assert "HEADWATER_SECRET_NAME" in found.message
    assert "hunter2" not in found.message


@pytest.mark.parametrize("name", ["PASSWORD_FILE", "TOKEN_URL", "SECRET_NAME", "PWD", "GOOGLE_CREDENTIALS"])
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
