"""The JSON Schemas that editors use: committed as the code says them, and of one mind with the models."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from catalog.documents.kinds import KINDS, parse_document
from catalog.documents.schema import main, schema_files, schema_of
from catalog.errors import InvalidDocument

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def test_the_committed_files_are_what_the_code_says() -> None:
    committed = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("headwater-*.json")}

    # To renew them: python -m catalog.documents.schema docs/schemas
    assert committed == schema_files()


def test_the_command_writes_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "new")]) == 0

    assert {file.name: file.read_text() for file in (tmp_path / "new").iterdir()} == schema_files()
    assert "headwater-v1-Pipeline.json" in capsys.readouterr().out
    assert main([]) == 2


@pytest.mark.parametrize(("api_version", "kind"), list(KINDS))
def test_every_schema_is_valid_and_every_field_is_described(api_version: str, kind: str) -> None:
    schema = schema_of(api_version, kind)

    Draft202012Validator.check_schema(schema)
    for name, definition in {kind: schema, **schema["$defs"]}.items():
        assert definition["additionalProperties"] is False, name
        assert definition["description"], name
        for field, content in definition["properties"].items():
            assert content.get("description"), f"{name}.{field}"
            assert content.get("title") or "$ref" in content or "anyOf" in content, f"{name}.{field}"


@pytest.mark.parametrize(("api_version", "kind"), list(KINDS))
def test_every_default_and_example_fits_its_own_schema(api_version: str, kind: str) -> None:
    schema = schema_of(api_version, kind)
    for name, definition in {kind: schema, **schema["$defs"]}.items():
        for field, content in definition["properties"].items():
            validator = Draft202012Validator(content | {"$defs": schema["$defs"]})
            for value in [
                *content.get("examples", []),
                *([content["default"]] if "default" in content else []),
            ]:
                assert validator.is_valid(value), f"{name}.{field}: {value!r}"


SMALLEST: dict[str, Any] = {
    "apiVersion": "headwater/v1",
    "kind": "Pipeline",
    "metadata": {"name": "model", "owner": "data-platform"},
    "spec": {"when": {"dataset": "dataset:ns:raw"}, "launch": {"command": {"argv": ["dbt-ol"]}}},
}
COMMAND = ("spec", "launch", "command")
#: Each puts one value at one path of the smallest document.
EDITS: list[tuple[tuple[str, ...], Any]] = [
    *[(("metadata", "name"), name) for name in ["a.b-c_D", "a/b", "", "a" * 129, 5]],
    *[(("metadata", "labels"), labels) for labels in [{"team": "x"}, {"a b": "x"}, {"team": 1}, [], None]],
    (("metadata", "colour"), "x"),
    (("metadata", "description"), "any text\nwith lines"),
    *[
        (("spec", "when"), when)
        for when in [
            {"dataset": {"namespace": "a", "name": "b"}},
            {"dataset": "dataset:postgres://h:5432:t"},
            {"dataset": "dataset:s3://b:k"},
            {"dataset": "dataset:a:b://c"},
            {"dataset": "dataset:a:b:"},
            {"dataset": "job:a:b"},
            {"dataset": {"namespace": "a"}},
            {"any": [{"dataset": "dataset:a:b"}, {"all": [{"dataset": "dataset:a:c"}]}]},
            {"any": []},
            {"any": [{"dataset": "dataset:a:b"}], "all": [{"dataset": "dataset:a:b"}]},
            {},
            None,
            "dataset:a:b",
        ]
    ],
    *[
        (("spec", "produces"), produces)
        for produces in [[], ["dataset:a:b"], [{"namespace": "a"}], "x", None]
    ],
    *[(("spec", "job"), job) for job in [None, "job:a:b", {"namespace": "a", "name": "b"}, "dataset:a:b", 1]],
    *[(("spec", "batching"), batching) for batching in ["each", "latest", "Each", None]],
    *[(("spec", "startFrom"), start) for start in ["latest", "current", "earliest", "now"]],
    *[
        (("spec", "timeout"), timeout)
        for timeout in [
            "1h30m",
            "PT1H",
            "P1DT2H",
            "250ms",
            90,
            0.5,
            0,
            -1,
            "0s",
            "PT0S",
            "1M",
            "",
            "P",
            4e7,
            True,
        ]
    ],
    *[(("spec", "retries"), retries) for retries in [{}, {"count": 3}, {"count": -1}, {"count": 101}, 3]],
    (("spec", "retries"), {"count": 1.0}),
    (("spec", "retries"), {"outcomes": ["lost"]}),
    (("spec", "retries"), {"outcomes": ["lost", "lost"]}),
    (("spec", "retries"), {"outcomes": []}),
    (("spec", "retries"), {"outcomes": ["succeeded"]}),
    *[
        (("spec", "retries"), {"backoff": backoff})
        for backoff in [
            {"initial": "2s"},
            {"factor": 1},
            {"factor": 0.5},
            {"factor": "2"},
            {"maximum": 0},
            None,
        ]
    ],
    *[(("spec", "concurrency"), count) for count in [1, 10_000, 0, 10_001, "1", 1.5, True]],
    *[(("spec", "onFailure"), choice) for choice in ["keep", "release", "drop"]],
    *[((*COMMAND, "argv"), argv) for argv in [["x", ""], [], "x", [1]]],
    *[((*COMMAND, "workingDirectory"), folder) for folder in ["a", None, "", 1]],
    *[
        ((*COMMAND, "environment"), environment)
        for environment in [
            {"A": "b", "_c1": ""},
            {"A": 1},
            {"1A": "x"},
            {"A-B": "x"},
            {"HEADWATER_X": "x"},
            {"OPENLINEAGE_PARENT_ID": "x"},
            {"OPENLINEAGE_PARENT_IDENTITY": "x"},
            {"OPENLINEAGE_URL": "x"},
            {"A": {"secret": "env:HEADWATER_SECRET_X"}},
            {"A": {"secret": "file:x.y"}},
            {"A": {"secret": "file:x/y"}},
            {"A": {"secret": "x"}},
            {"A": {"secret": "file:x", "more": 1}},
            {"A": {}},
            {"A": None},
        ]
    ],
    (("spec", "launch"), {"http": {}}),
    (("spec", "launch"), {}),
    (("apiVersion",), "headwater/v2"),
    (("status",), {}),
]


@pytest.mark.parametrize(
    ("path", "value"), EDITS, ids=[f"{'.'.join(path)}={value!r}" for path, value in EDITS]
)
def test_schema_and_models_accept_the_same(path: tuple[str, ...], value: Any) -> None:
    document = copy.deepcopy(SMALLEST)
    place = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    validator = Draft202012Validator(schema_of("headwater/v1", "Pipeline"))

    try:
        parse_document(document)
        accepted = True
    except InvalidDocument:
        accepted = False

    assert validator.is_valid(json.loads(json.dumps(document))) == accepted
