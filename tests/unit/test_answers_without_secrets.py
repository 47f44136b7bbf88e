"""Answers of engines are told without the secrets that were sent, in whatever usual form they come back."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.launchers.answers import without_secrets

SECRETS = ["hunter2", 'p"ss wörd', "a&b<c>'d", "x/y+z=?", "日本語のひみつ"]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_usual_form_is_left(secret: str) -> None:
    told = [
        secret,
        json.dumps({"token": secret}),
        json.dumps({"token": secret}, ensure_ascii=False),
        html.escape(secret),
        f"https://engine.example/?token={quote(secret, safe='')}&again={quote_plus(secret)}",
    ]
    for text in told:
        left = without_secrets(f"before {text} after", [secret])
        assert "[redacted]" in left
        assert without_secrets(left, [secret]) == left
        assert left.startswith("before ")
        assert left.endswith(" after")
        assert secret not in html.unescape(left)


@given(st.binary(max_size=5), st.binary(max_size=5))
def test_base64_is_found_wherever_the_secret_stands_in_it(before: bytes, after: bytes) -> None:
    secret = "hunter2-hunter2"
    coded = base64.b64encode(before + secret.encode() + after).decode()
    for text in (coded, coded.replace("+", "-").replace("/", "_")):
        left = without_secrets(f"Basic {text}", [secret])
        assert "[redacted]" in left
        assert len(left) < 30 + len(before) * 2 + len(after) * 2


def test_what_is_too_short_is_not_looked_for() -> None:
    assert without_secrets("a b c", ["a"]) == "a b c"


def test_what_is_redacted_in_events_is_redacted_in_answers() -> None:
    told = "cannot connect to postgresql://loader:hunter2@db/shop, nor with host=db password=hunter2"

    assert without_secrets(told, []) == (
        "cannot connect to postgresql://loader:[redacted]@db/shop, nor with host=db password=[redacted]"
    )
