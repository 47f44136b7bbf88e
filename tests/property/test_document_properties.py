"""Documents: every form of the same says the same, and nothing that is read can crash the reader."""

import json
from datetime import timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from catalog.documents.document import difference
from catalog.documents.duration import LONGEST, format_duration, parse_duration
from catalog.documents.kinds import document_of, model_of, parse_document
from catalog.documents.loading import load_text
from catalog.documents.schema import schema_of
from catalog.errors import InvalidDocument


def written(value: Any) -> str:
    """Return one text for what is one value, in whatever order its fields stand."""
    return json.dumps(value, sort_keys=True)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
DATASETS = st.fixed_dictionaries({"namespace": TEXTS, "name": TEXTS})
WHENS = st.recursive(
    DATASETS.map(lambda dataset: {"dataset": dataset}),
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=3, unique_by=written).map(lambda parts: {"all": parts}),
        st.lists(children, min_size=1, max_size=3, unique_by=written).map(lambda parts: {"any": parts}),
    ),
    max_leaves=5,
)
MILLISECONDS = st.integers(1, LONGEST // timedelta(milliseconds=1))
DURATIONS = st.one_of(
    MILLISECONDS.map(lambda count: format_duration(timedelta(milliseconds=count))),
    MILLISECONDS.map(lambda count: count / 1000),
    st.integers(1, 10_000).map(lambda count: f"PT{count}M"),
)
SPECS = st.fixed_dictionaries(
    {
        "when": WHENS,
        "launch": st.fixed_dictionaries(
            {
                "command": st.fixed_dictionaries(
                    {"argv": st.lists(TEXTS, min_size=1, max_size=4)},
                    optional={
                        "workingDirectory": TEXTS,
                        "environment": st.dictionaries(
                            st.from_regex(r"[A-GI-NP-Z_][A-Z0-9_]{0,10}", fullmatch=True),
                            st.one_of(TEXTS, st.just({"secret": "env:HEADWATER_SECRET_X"})),
                            max_size=3,
                        ),
                    },
                )
            }
        ),
    },
    optional={
        "produces": st.lists(DATASETS, max_size=3, unique_by=written),
        "job": st.one_of(st.none(), DATASETS),
        "batching": st.sampled_from(["each", "latest"]),
        "startFrom": st.sampled_from(["latest", "current", "earliest"]),
        "timeout": DURATIONS,
        "retries": st.fixed_dictionaries(
            {},
            optional={
                "count": st.integers(0, 100),
                "outcomes": st.lists(
                    st.sampled_from(["failed", "lost"]), min_size=1, max_size=2, unique=True
                ),
                "backoff": st.fixed_dictionaries(
                    {}, optional={"factor": st.floats(1, 100), "initial": st.just("1ms")}
                ),
            },
        ),
        "concurrency": st.integers(1, 10_000),
        "onFailure": st.sampled_from(["keep", "release"]),
    },
)
PIPELINES = st.fixed_dictionaries(
    {
        "apiVersion": st.just("headwater/v1"),
        "kind": st.just("Pipeline"),
        "metadata": st.fixed_dictionaries(
            {"name": NAMES, "owner": TEXTS},
            optional={"description": TEXTS, "labels": st.dictionaries(NAMES, TEXTS, max_size=2)},
        ),
        "spec": SPECS,
    }
)


class QuotedDumper(yaml.SafeDumper):
    """Quotes every text: PyYAML writes YAML 1.1, in which `0E0` is a text and needs no quotes."""


QuotedDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)
VALIDATOR = Draft202012Validator(schema_of("headwater/v1", "Pipeline"))


@given(PIPELINES)
def test_a_document_read_again_from_its_body_is_the_same(value: dict[str, Any]) -> None:
    document = parse_document(value)
    stored = json.loads(json.dumps(document.body))

    assert parse_document(stored) == document
    assert parse_document(stored).body == document.body
    assert document_of(model_of(document)) == document
    assert difference(document, parse_document(stored)) == []


@given(PIPELINES)
def test_yaml_and_json_and_values_say_the_same(value: dict[str, Any]) -> None:
    document = parse_document(value)

    for text, source in [
        (yaml.dump(value, Dumper=QuotedDumper, allow_unicode=True), "x.yaml"),
        (yaml.dump(value, Dumper=QuotedDumper, default_flow_style=True), "x.yaml"),
        (json.dumps(value), "x.json"),
        (json.dumps(value, ensure_ascii=False, indent=2), "standard input"),
    ]:
        assert load_text(text, source) == [document]


@given(PIPELINES)
def test_the_schema_accepts_a_document_and_its_canonical_form(value: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(value)
    assert VALIDATOR.is_valid(parse_document(value).body)


@given(PIPELINES, PIPELINES)
def test_documents_are_equal_exactly_where_nothing_differs(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = parse_document(one), parse_document(other)

    assert (difference(first, second) == []) == (first == second) == (first.digest == second.digest)


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a value."""
    match value:
        case dict():
            items: Any = value.items()
        case list():
            items = enumerate(value)
        case _:
            return [path]
    return [path, *(inner for key, item in items for inner in paths(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = value.copy()
    copied[path[0]] = replaced(value[path[0]], path[1:], new)
    return copied


@given(PIPELINES, JSON_VALUES, st.data())
def test_a_wrong_value_anywhere_is_a_refusal_and_never_a_crash(
    value: dict[str, Any], wrong: Any, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(paths(value)))
    changed = replaced(value, path, wrong)

    faults: list[Any] = []
    document = None
    try:
        document = parse_document(changed, "x.yaml")
    except InvalidDocument as error:
        faults = error.details["faults"]

    assert (document is None) == bool(faults)
    if document is not None:
        # What the models accept the schema accepts too.
        assert VALIDATOR.is_valid(changed)
        assert parse_document(document.body) == document


@given(
    st.one_of(
        st.text(st.sampled_from(list("ab:-?[]{}&*!|>'\"%@#,\n \t~<.01e")), max_size=60),
        st.binary(max_size=60),
    )
)
def test_any_text_that_is_no_document_is_a_refusal(text: str | bytes) -> None:
    for source in ("x.yaml", "x.json"):
        with pytest.raises(InvalidDocument, match=f"^{source}"):
            load_text(text, source)


@given(MILLISECONDS)
def test_a_duration_written_and_read_is_the_same(count: int) -> None:
    duration = timedelta(milliseconds=count)

    assert parse_duration(format_duration(duration)) == duration
    assert parse_duration(count / 1000) == duration
    assert format_duration(parse_duration(format_duration(duration))) == format_duration(duration)
