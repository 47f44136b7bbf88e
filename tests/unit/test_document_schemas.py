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
HTTP_URLS: list[Any] = [
    "https://engine.example:8443/a%20b?c=${run.id}&d",
    "http://[::1]:80/",
    "http://engine.example",
    "HTTP://engine.example/",
    "ftp://engine.example/",
    "http://me:pass@engine.example/",
    "http://${pipeline}.example/",
    "http://engine.example/#part",
    "http://engine.example/a b",
    "http://engine.example/ä",
    "/relative",
    "",
    5,
]
HTTP_POLL: dict[str, Any] = {
    "url": "location",
    "state": "$.state",
    "succeeded": ["done"],
    "failed": ["bad", 3, False],
}
HTTP_PARTS: list[dict[str, Any]] = [
    *[{"method": method} for method in ["POST", "GET", "post", "DELETE", None]],
    *[
        {"headers": headers}
        for headers in [
            {"X-A": "b c", "x_y.z": "${run.id}"},
            {"A": {"secret": "env:HEADWATER_SECRET_X"}},
            {"A": {"secret": "file:x", "prefix": "Bearer "}},
            {"A": {"secret": "file:x", "prefix": " "}},
            {"A": {"secret": "x"}},
            {"A": {"secret": "file:x", "more": 1}},
            {"A B": "c"},
            {"": "c"},
            {"A": " b"},
            {"A": "b\r\nC: d"},
            {"A": "ä"},
            {"A": ""},
            {"A": 1},
            {"A": None},
        ]
    ],
    *[{"body": body} for body in [None, {"a": ["${run.id}", 1, {}]}, "x", 0, False, []]],
    *[{"format": form} for form in ["json", "cloudevents", "xml"]],
    *[{"success": success} for success in [[], [200, 303], [199], [600], ["200"], 200]],
    *[
        {"idempotency": idempotency}
        for idempotency in [
            {},
            {"honoured": True},
            {"header": "X-Id"},
            {"header": "X Id"},
            {"honoured": 1},
            None,
        ]
    ],
    *[
        {"poll": HTTP_POLL | part}
        for part in [
            {},
            {"url": "$.links['status']"},
            {"url": "http://e/${run.id}"},
            {"url": "Location"},
            {"url": "links.status"},
            {"state": "$..state"},
            {"state": "$.a.*"},
            {"state": "$[?@.a]"},
            {"state": "$.a b"},
            {"state": "$['a b'][\"c\"][-1].d_1[0]"},
            {"state": "$[01]"},
            {"state": "state"},
            {"succeeded": []},
            {"succeeded": [1.5]},
            {"succeeded": [None]},
            {"succeeded": "done"},
            {"interval": "5s"},
            {"interval": 0},
            {"absent": []},
            {"reason": "$.why"},
            {"reason": None},
            {"more": 1},
        ]
    ],
    {"poll": {name: value for name, value in HTTP_POLL.items() if name != "failed"}},
    *[
        {"cancel": cancel}
        for cancel in [
            {"url": "http://e/x"},
            {"url": "http://e/x", "method": "DELETE"},
            {"url": "http://e/x", "method": "GET"},
            {"url": "location"},
            {},
        ]
    ],
    *[
        {"answer": answer, "cancel": {"url": "http://e/x"}}
        for answer in [{"id": "$.id"}, {"1": "$.id"}, {"id": "id"}, {"a-b": "$.id"}, {}]
    ],
    *[
        {"timeouts": timeouts}
        for timeouts in [{}, {"connect": "1s", "answer": 3}, {"connect": 0}, {"total": 1}]
    ],
]
AIRFLOW: dict[str, Any] = {"url": "https://airflow.example", "dag": "orders"}
AIRFLOW_PARTS: list[dict[str, Any]] = [
    *[
        {"url": url}
        for url in [
            "https://airflow.example:8443/team/a%20b",
            "http://[::1]:80",
            "https://airflow.example/?a=b",
            "https://airflow.example/${pipeline}",
            "https://me:pass@airflow.example",
            "airflow.example",
            5,
        ]
    ],
    *[{"dag": dag} for dag in ["a.b-c_d", "ä~+", "a/b", ".", "..", "", "a b", "a" * 251, "a?b", "a%2fb", 5]],
    *[
        {"credentials": credentials}
        for credentials in [
            None,
            {},
            {"username": "u", "password": {"secret": "file:x"}},
            {"username": "u", "password": "x"},
            {"username": "", "password": {"secret": "file:x"}},
            {"username": "u"},
            {"token": {"secret": "env:HEADWATER_SECRET_X"}},
            {"token": "x"},
            {"token": {"secret": "file:x"}, "username": "u"},
            [],
        ]
    ],
    *[{"conf": conf} for conf in [{}, {"a": ["${run.id}", 1, None]}, None, [], "${trigger}"]],
    *[{"logicalDate": date} for date in ["due", "none", "now", None]],
    *[{"whenPaused": choice} for choice in ["wait", "fail", "start"]],
    *[{"interval": interval} for interval in ["1s", 0, "10"]],
    *[{"timeouts": timeouts} for timeouts in [{}, {"answer": 3}, {"total": 1}]],
    {"more": 1},
]
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
    (("spec", "launch"), {"http": {"url": "http://e/"}, "command": {"argv": ["x"]}}),
    *[(("spec", "launch"), {"http": {"url": "http://e/x", **part}}) for part in HTTP_PARTS],
    *[(("spec", "launch"), {"http": {"url": url}}) for url in HTTP_URLS],
    *[(("spec", "launch"), {"airflow": {**AIRFLOW, **part}}) for part in AIRFLOW_PARTS],
    (("spec", "launch"), {"airflow": {"url": "https://airflow.example"}}),
    (("spec", "launch"), {"airflow": {"dag": "orders"}}),
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
