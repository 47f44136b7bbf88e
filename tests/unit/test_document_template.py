"""Texts with variables: what they may hold, and what becomes of values in them."""

from typing import Any

import pytest

from catalog.documents.template import (
    PLAIN_VARIABLES,
    TEXT_VARIABLES,
    Variable,
    body_fault,
    parse_template,
    render_body,
    render_text,
    render_url,
    variable_fault,
)
from catalog.errors import InvalidInput

VALUES: dict[str, Any] = {
    "run.id": "5f0f3ae9",
    "run.number": 7,
    "version.partition": "2024-01-31/eu & more?#%",
    "version.dataset.name": None,
    "trigger": {"run": "5f0f3ae9"},
    "trigger.versions": [{"id": 1}],
}


def test_a_text_is_read_as_pieces() -> None:
    assert parse_template("a${run.id}b${pipeline}") == ("a", Variable("run.id"), "b", Variable("pipeline"))
    assert parse_template("$${run.id} $$ $ {}") == ("${", "run.id} $$ $ {}")
    assert parse_template("") == ()


@pytest.mark.parametrize("text", ["${", "${}", "${run.id", "${run id}", "${.a}", "${a${run.id}}", "a ${-}"])
def test_a_half_variable_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected \$\{NAME\}"):
        parse_template(text)


def test_an_unknown_variable_is_told_with_the_nearest() -> None:
    known = {**PLAIN_VARIABLES, **TEXT_VARIABLES}

    assert variable_fault("${run.ids}", known) == (
        f"unknown variable ${{run.ids}}, did you mean ${{run.id}}? (expected {', '.join(known)})"
    )
    assert variable_fault("${run.id}${version.partition}", known) is None
    assert variable_fault("${answer.id}", known, answers=True) is None
    assert variable_fault("${answer.id}", known) is not None
    assert variable_fault("${version.partition}", PLAIN_VARIABLES) is not None


def test_values_in_a_url_are_percent_encoded() -> None:
    url = render_url("https://e/jobs/${version.partition}/x?run=${run.id}&p=${version.partition}", VALUES)

    encoded = "2024-01-31%2Feu%20%26%20more%3F%23%25"
    assert url == f"https://e/jobs/{encoded}/x?run=5f0f3ae9&p={encoded}"
    assert render_url("https://e?x=${version.dataset.name}", VALUES) == "https://e?x="
    assert render_url("https://e/a//../${run.number}", VALUES) == "https://e/a//../7"


@pytest.mark.parametrize("value", ["", ".", "..", None])
def test_a_value_is_no_step_in_a_path(value: str | None) -> None:
    for url in ("https://e/${v}/run", "https://e/${v}", "https://e/${v}?a"):
        with pytest.raises(InvalidInput, match="a part of the path"):
            render_url(url, {"v": value})
    for url in ("https://e/.${v}/run", "https://e/.${v}"):
        if value != "..":
            with pytest.raises(InvalidInput, match="a part of the path"):
                render_url(url, {"v": value})
    assert render_url("https://e/a${v}?x=${v}", {"v": value}) == f"https://e/a{value or ''}?x={value or ''}"


def test_values_in_a_body_keep_their_type_where_they_stand_alone() -> None:
    body = {
        "run": "${run.id}",
        "number": "${run.number}",
        "text": "run ${run.number} of ${version.dataset.name}",
        "versions": ["${trigger.versions}", {"all": "${trigger}"}],
        "none": "${version.dataset.name}",
        "literal": "$${run.id}",
        "${run.id}": 1,
        "rest": [1, True, None, 2.5],
    }

    assert render_body(body, VALUES) == {
        "run": "5f0f3ae9",
        "number": 7,
        "text": "run 7 of ",
        "versions": [[{"id": 1}], {"all": {"run": "5f0f3ae9"}}],
        "none": None,
        "literal": "${run.id}",
        "${run.id}": 1,
        "rest": [1, True, None, 2.5],
    }


def test_a_whole_value_stands_alone() -> None:
    assert body_fault({"a": ["x ${trigger}"]}) == "expected ${trigger} alone in its text: it is no text"
    assert (
        body_fault(["${trigger}", "${trigger.versions}", "${version.partition} ${run.id}", 1, None]) is None
    )
    assert body_fault({"a": {"b": "${answer.id}"}}) is not None


def test_a_text_holds_values_as_they_are() -> None:
    assert render_text("${run.number}: ${version.partition}", VALUES) == "7: 2024-01-31/eu & more?#%"
