"""Warnings about credentials that a document writes out."""

from typing import Any

import pytest

from catalog.documents.credentials import credential_warnings
from catalog.documents.pipeline import Pipeline
from catalog.documents.webhook import Webhook


def pipeline(*argv: str, **environment: Any) -> Pipeline:
    return Pipeline.model_validate(
        {
            "apiVersion": "headwater/v1",
            "kind": "Pipeline",
            "metadata": {"name": "model", "owner": "data-platform"},
            "spec": {
                "when": {"dataset": "dataset:ns:raw"},
                "launch": {"command": {"argv": ["run", *argv], "environment": environment}},
            },
        }
    )


@pytest.mark.parametrize(
    "name",
    ["PASSWORD", "DB_PASSWORD", "db_password_file_key_TOKEN", "API_KEY", "APIKEY", "AWS_SECRET_ACCESS_KEY"],
)
def test_a_value_under_the_name_of_a_credential_is_a_warning(name: str) -> None:
    [warning] = credential_warnings(pipeline(**{name: "hunter2"}))

    assert warning.pointer == f"/spec/launch/command/environment/{name}"
    assert "HEADWATER_SECRET_NAME" in warning.message
    assert "hunter2" not in warning.message


@pytest.mark.parametrize("name", ["TARGET", "TOKENIZER", "PRIMARY_KEY", "SECRETARY", "COMPASS"])
def test_other_names_are_no_warning(name: str) -> None:
    assert credential_warnings(pipeline(**{name: "x"})) == []


def test_a_named_secret_and_an_empty_value_are_no_warning() -> None:
    assert credential_warnings(pipeline(PASSWORD={"secret": "file:warehouse"}, TOKEN="")) == []


def test_an_address_with_a_password_is_a_warning_wherever_it_stands() -> None:
    address = "postgresql://me:hunter2@host/db"

    warnings = credential_warnings(pipeline(address, DATABASE=address))

    assert [warning.pointer for warning in warnings] == [
        "/spec/launch/command/environment/DATABASE",
        "/spec/launch/command/argv/1",
    ]
    assert credential_warnings(pipeline("postgresql://me@host:5432/db", "postgresql://me:@host/db")) == []


def test_an_option_with_a_credential_is_a_warning() -> None:
    [warning] = credential_warnings(pipeline("--db-password=hunter2", "--target=prod", "--token"))

    assert warning.pointer == "/spec/launch/command/argv/1"
    assert "option db-password looks like a credential" in warning.message


def webhook(url: str) -> Webhook:
    return Webhook.model_validate(
        {
            "apiVersion": "headwater/v1",
            "kind": "Webhook",
            "metadata": {"name": "receiver", "owner": "data-platform"},
            "spec": {"url": url, "events": ["version.*"], "secret": "env:HEADWATER_SECRET_WEBHOOK"},
        }
    )


def test_a_credential_in_the_address_of_a_webhook_is_a_warning() -> None:
    [warning] = credential_warnings(webhook("https://example.com/hook?team=data&access_token=hunter2"))

    assert warning.pointer == "/spec/url"
    assert "the parameter access_token looks like a credential" in warning.message
    assert "hunter2" not in warning.message
    assert credential_warnings(webhook("https://example.com/hook?team=data")) == []
