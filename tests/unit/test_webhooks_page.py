"""What the page about webhooks says is so: its document, its messages, its ten lines."""

import base64
import json
import re
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from catalog.documents.kinds import parse_document
from catalog.documents.webhook import ALL_RUN_EVENTS, RUN_EVENTS, VERSION_EVENTS, WebhookSpec
from hooks.webhooks.payload import payload_schema, printed_schema
from hooks.webhooks.signing import key_of, signed_headers
from web.cli import root

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "webhooks.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_published_schema_is_what_the_code_says() -> None:
    # To renew it: python -m hooks.webhooks.payload docs/schemas/webhook-message.json
    assert (DOCS / "schemas/webhook-message.json").read_text() == printed_schema()
    Draft202012Validator.check_schema(payload_schema())


@pytest.mark.parametrize("text", blocks("json"))
def test_examples_of_messages_fit_the_schema_and_hold_every_field(text: str) -> None:
    message = json.loads(text)
    schema = payload_schema()
    validator = Draft202012Validator(schema)
    assert validator.is_valid(message)
    assert not validator.is_valid({**message, "data": {}})
    data = "VersionData" if message["type"].startswith("version.") else "RunData"
    assert set(message["data"]) == set(schema["$defs"][data]["properties"])


def test_the_document_is_one() -> None:
    (text,) = blocks("yaml")
    document = parse_document(yaml.safe_load(text))
    assert document.title == "Webhook on-call"


def test_the_ten_lines_verify_what_is_signed_and_nothing_else() -> None:
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the page's own code is what is tested
    old, new = ("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    now, body = int(time.time()), b'{"type":"version.published"}'
    headers = signed_headers("msg_1", now, body, [key_of(new, name="x"), key_of(old, name="x")])
    assert names["verify"](new, headers, body)
    assert names["verify"](old, headers, body)
    assert not names["verify"](new, headers, body + b" ")
    assert not names["verify"](new, {**headers, "webhook-id": "msg_2"}, body)
    other = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    assert not names["verify"](other, headers, body)
    late = signed_headers("msg_1", now - 301, body, [key_of(new, name="x")])
    assert not names["verify"](new, late, body)


def test_every_event_and_every_command_is_told() -> None:
    for name in (*VERSION_EVENTS, ALL_RUN_EVENTS):
        assert f"`{name}`" in PAGE
    for name in RUN_EVENTS:
        assert f"`{name.removeprefix('pipeline_run.')}`" in PAGE
    commands = root().commands["webhooks"]._entry.load().commands  # type: ignore[attr-defined]  # the lazy command
    for name in commands:
        assert f"headwater webhooks {name}" in PAGE


def test_the_numbers_are_those_of_the_code() -> None:
    spec = WebhookSpec.model_validate({"url": "http://e/", "events": ["version.*"], "secret": "file:x"})
    assert (spec.timeout.total_seconds(), spec.retries.count) == (10, 12)
    backoff = spec.retries.backoff
    assert (backoff.initial.total_seconds(), backoff.maximum.total_seconds()) == (5, 3 * 3600)
    from hooks.webhooks import delivering, queue
    from web.webhook_vitals import MAX_WAITING_SECONDS, MOST_LABELS

    assert delivering.KEPT_DELIVERED == 1_000
    assert (delivering.MOST_DEAD, queue.MOST_PENDING, MAX_WAITING_SECONDS, MOST_LABELS) == (
        10_000,
        10_000,
        300,
        100,
    )
    assert delivering.BLOCKED_WAIT.total_seconds() == 30
