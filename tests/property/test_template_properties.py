"""Whatever a value holds, it stays in the place that it was put into."""

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import assume, given
from hypothesis import strategies as st

from catalog.documents.template import parse_template, render_body, render_text, render_url
from catalog.errors import InvalidInput

nasty = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.sampled_from(
        [
            "..",
            "/",
            "../../admin",
            "a?b=c&d=e#f",
            "%2e%2e%2f",
            "\r\nX-Injected: y",
            '", "admin": true, "x": "',
            "${run.id}",
            "@evil.example/",
            "//evil.example",
            "\\evil",
            "\0",
            "\u202e",
        ]
    ),
)


@given(first=nasty, second=nasty, third=nasty)
def test_a_value_stays_in_its_part_of_a_url(first: str, second: str, third: str) -> None:
    template = "https://engine.example:8443/jobs/${a}/p-${b}/run?x=${c}&y=1&z=${a}"
    try:
        url = render_url(template, {"a": first, "b": second, "c": third})
    except InvalidInput:
        assert first in ("", ".", "..")
        return
    parsed = urlsplit(url)

    assert url.isascii()
    assert url.isprintable()
    assert (parsed.scheme, parsed.netloc, parsed.fragment) == ("https", "engine.example:8443", "")
    assert [unquote(part) for part in parsed.path.split("/")] == ["", "jobs", first, f"p-{second}", "run"]
    assert parse_qsl(parsed.query, keep_blank_values=True) == [("x", third), ("y", "1"), ("z", first)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | nasty,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(nasty, children, max_size=3),
    max_leaves=8,
)


@given(value=json_values, text=nasty)
def test_a_value_stays_in_its_place_of_a_body(value: Any, text: str) -> None:
    body = {"whole": "${v}", "within": "<${t}>", "list": ["${v}", 1], "fixed": {"a": "b"}}

    rendered = json.loads(json.dumps(render_body(body, {"v": value, "t": text})))

    assert rendered == {"whole": value, "within": f"<{text}>", "list": [value, 1], "fixed": {"a": "b"}}


@given(text=nasty)
def test_a_text_without_variables_is_itself(text: str) -> None:
    assume("${" not in text)

    assert render_text(text, {}) == text
    assert render_body(text, {}) == text


@given(text=nasty)
def test_escaping_gives_any_text_back(text: str) -> None:
    escaped = text.replace("${", "$${")

    # What stands before an escape is left alone, a dollar among it.
    assume("$${" not in text)
    assert render_text(escaped, {}) == text
    assert all(isinstance(piece, str) for piece in parse_template(escaped))
