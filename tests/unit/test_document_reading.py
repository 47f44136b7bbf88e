"""Documents as text: what YAML and JSON mean, and what hostile text costs."""

import json
import time
from typing import Any

import pytest

from catalog.documents.faults import Place
from catalog.documents.reading import read
from catalog.errors import InvalidDocument


def values(text: str | bytes, source: str = "x.yaml") -> list[Any]:
    return [raw.value for raw in read(text, source)]


def refusal(text: str | bytes, source: str = "x.yaml") -> str:
    with pytest.raises(InvalidDocument) as refused:
        values(text, source)
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("+7", 7),
        # Not octal, as in YAML 1.1.
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        # Texts that YAML 1.1 takes for booleans, times, dates and numbers of base 60.
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"),
        ("1_000", "1_000"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("0b1", "0b1"),
        ("=", "="),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(written: str, value: Any) -> None:
    [read_value] = values(f"a: {written}")

    assert read_value == {"a": value}
    assert type(read_value["a"]) is type(value)


def test_blocks_and_folded_text() -> None:
    assert values("a: |\n  one\n  two\nb: >\n  three\n  four\n") == [{"a": "one\ntwo\n", "b": "three four\n"}]


def test_many_documents_come_in_order_and_empty_ones_are_left_out() -> None:
    assert values("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n") == [{"a": 1}, {"b": 2}]
    assert values("") == []
    assert values("# only a comment\n") == []


def test_anchors_repeat_a_value() -> None:
    assert values("a: &x [1, 2]\nb: *x\nc: &y text\nd: *y\n") == [
        {"a": [1, 2], "b": [1, 2], "c": "text", "d": "text"}
    ]


def test_an_anchor_does_not_reach_into_the_next_document() -> None:
    assert "expected an anchor &x that ends before this" in refusal("a: &x 1\n---\nb: *x\n")


def test_names_of_fields_are_texts() -> None:
    assert values("1: a\ntrue: b\n") == [{"1": "a", "true": "b"}]


def test_every_value_knows_its_place() -> None:
    [raw] = read("a:\n  b:\n    - 1\n    - c: x\n", "x.yaml")

    assert raw.place(("a", "b")) == Place(2, 3)
    assert raw.place(("a", "b", 1)) == Place(4, 7)
    assert raw.place(("a", "b", 1, "c")) == Place(4, 7)
    # What is not there stands where it is missing.
    assert raw.place(("a", "b", 1, "d", "e")) == Place(4, 7)
    assert raw.place(()) == Place(1, 1)


def test_json_is_read_by_its_own_rules() -> None:
    text = '{\n\t"a": "\\ud83d\\ude00",\n\t"b": [1, 2.5, null, true], "c": "on"\n}'

    assert values(text, "x.json") == [{"a": "😀", "b": [1, 2.5, None, True], "c": "on"}]
    assert values(text, "standard input") == values(text, "x.json")


def test_flow_yaml_that_begins_like_json_is_yaml() -> None:
    assert values("{a: 1, b: [x]}") == [{"a": 1, "b": ["x"]}]


def test_a_byte_order_mark_is_no_content() -> None:
    assert values("\ufeffa: 1".encode()) == [{"a": 1}]
    assert values("\ufeffa: 1") == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: /a: expected each field once, found 'a' twice"),
        ("a: {b: 1, b: 2}\n", "x.yaml:1:11: /a/b: expected each field once, found 'b' twice"),
        ("a: [1,\nb", "x.yaml:3:1: expected YAML: did not find expected ',' or ']'"),
        ("a: b: c", "x.yaml:1:5: expected YAML: mapping values are not allowed in this context"),
        ("\ta: 1", "x.yaml:1:1: expected YAML: found character that cannot start any token"),
        ("a: &x [*x]", "x.yaml:1:8: /a/0: expected an anchor &x that ends before this"),
        ("a: *x", "x.yaml:1:4: /a: expected an anchor &x that ends before this"),
        ("b: &x {c: 1}\na:\n  <<: *x\n", "x.yaml:3:3: /a/<<: merge keys (<<) are not supported"),
        ("a: !!python/object/apply:os.system [x]", "x.yaml:1:4: tags are not supported, found"),
        ("a: !secret x", "x.yaml:1:4: tags are not supported, found '!secret'"),
        ("a: !!binary aGk=", "x.yaml:1:4: tags are not supported"),
        ("? [a]\n: b", "x.yaml:1:3: expected a text as the name of a field"),
        ("a: &x y\n*x : 1", "x.yaml:2:1: expected a text as the name of a field"),
        ("a: .inf", "x.yaml:1:4: /a: expected a finite number, found .inf"),
        ("a: .nan", "x.yaml:1:4: /a: expected a finite number, found .nan"),
        (b"a: 1\nb: \xff", "x.yaml:2:4: expected UTF-8, found the byte 0xff"),
        ("a: \x00", "x.yaml: expected YAML: control characters are not allowed"),
        ("a: \ud800", "x.yaml: expected Unicode text, found half of a character"),
        ('a: "\\ud800"', "x.yaml:1:7: expected YAML: found invalid Unicode character escape code"),
    ],
)
def test_faulty_yaml_is_refused_with_its_place(text: str | bytes, message: str) -> None:
    assert refusal(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n"b": }', "x.json:2:6: expected JSON: Expecting value"),
        ('{"a": 1} {"b": 2}', "x.json:1:10: expected JSON: Extra data"),
        ('{"a": {"b": 1, "b": 2}}', "x.json: expected each field once, found 'b' twice"),
        ('{"a": NaN}', "x.json: expected a finite number, found NaN"),
        ('{"a": -Infinity}', "x.json: expected a finite number, found -Infinity"),
        ("", "x.json:1:1: expected JSON: Expecting value"),
        ("a: 1", "x.json:1:1: expected JSON: Expecting value"),
    ],
)
def test_faulty_json_is_refused_with_its_place(text: str, message: str) -> None:
    assert refusal(text, "x.json") == message


LAUGHS = "a0: &a0 [[], [], [], [], [], [], [], [], [], []]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10)
)
LONG_ECHO = f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 1000)}]\n"
MANY_ECHOES = "---\n".join([f"a: &a {'x' * 1000}\nb: [{', '.join(['*a'] * 500)}]\n"] * 100)


@pytest.mark.parametrize(
    ("text", "source", "message"),
    [
        (LAUGHS, "x.yaml", "expected at most 1000000 values"),
        (LONG_ECHO, "x.yaml", "with 10485760 characters, aliases counted"),
        (MANY_ECHOES, "x.yaml", "with 10485760 characters, aliases counted"),
        ("[" * 1_000_000, "x.yaml", "expected at most 64 levels of nesting"),
        ("a:\n" + "".join(" " * level + "- \n" for level in range(1, 2000)), "x.yaml", "at most 64 levels"),
        ("- " * 1_000_000, "x.yaml", "expected at most 64 levels of nesting"),
        ("{" * 1_000_000, "x.yaml", "expected a text as the name of a field"),
        ("? " * 1_000_000, "x.yaml", "expected a text as the name of a field"),
        ("[" * 1_000_000, "x.json", "expected at most 64 levels of nesting"),
        ('{"a":' * 1_000_000, "x.json", "expected at most 64 levels of nesting"),
        (f"a: {'1' * 5_000_000}", "x.yaml", "found 5000000 digits"),
        (f'{{"a": {"1" * 5_000_000}}}', "x.json", "found 5000000 digits"),
        ("x" * 10_485_761, "x.yaml", "expected at most 10485760 bytes, found 10485761"),
        (b"\xc3\xa4" * 6_000_000, "x.json", "expected at most 10485760 bytes, found 12000000"),
        (json.dumps({"a": 1})[:-1] + ', "a": 1' * 300_000 + "}", "x.json", "found 'a' twice"),
    ],
    ids=lambda argument: repr(argument[:24]) if isinstance(argument, str | bytes) else None,
)
def test_hostile_text_is_refused_quickly(text: str | bytes, source: str, message: str) -> None:
    begin = time.process_time()

    assert message in refusal(text, source)

    assert time.process_time() - begin < 5
