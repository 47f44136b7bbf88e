"""Paths to one value of an answer (RFC 9535)."""

from typing import Any

import pytest

from catalog.documents.json_path import NOTHING, is_path, value_at

ANSWER: dict[str, Any] = {
    "state": "SUCCESS",
    "run": {"a b": [1, None, {"it's": True}], "ä": 0, "": "empty"},
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", ANSWER),
        ("$.state", "SUCCESS"),
        ("$['state']", "SUCCESS"),
        ('$["run"]["a b"][0]', 1),
        ("$.run['a b'][-1]['it\\'s']", True),
        ("$.run['a b'][1]", None),
        ("$.run.ä", 0),
        ("$.run['\\u00e4']", 0),
        ("$.run['']", "empty"),
        ("$.none", None),
        ("$.state.x", NOTHING),
        ("$.state[0]", NOTHING),
        ("$.run['a b'][9]", NOTHING),
        ("$.missing", NOTHING),
    ],
)
def test_a_path_leads_to_one_value(path: str, value: Any) -> None:
    assert is_path(path)
    assert value_at(path, ANSWER) is value or value_at(path, ANSWER) == value


@pytest.mark.parametrize(
    "path",
    [
        "",
        "state",
        "$.",
        "$..state",
        "$.*",
        "$[*]",
        "$[0:2]",
        "$[0,1]",
        "$[?@.a]",
        "$.a[?match(@, '(a+)+')]",
        "$[01]",
        "$[-0]",
        "$.1a",
        "$ .a",
        "$.a\n",
        "$['a]",
        "$['\\x']",
        "$['\\ud800']",
        "@.a",
    ],
)
def test_what_may_lead_to_more_or_to_nothing_is_no_path(path: str) -> None:
    assert not is_path(path)


def test_a_deep_path_costs_what_it_is_long() -> None:
    document: Any = "found"
    for _ in range(90):
        document = {"a": document}

    assert value_at("$" + ".a" * 90, document) == "found"
