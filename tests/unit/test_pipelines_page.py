"""The page about pipelines says what the code does."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from catalog.documents.airflow_launcher import AirflowLauncher, PasswordCredentials, TokenCredentials
from catalog.documents.document import Document
from catalog.documents.duration import format_duration
from catalog.documents.http_launcher import HttpCancel, HttpLauncher, HttpTimeouts, Idempotency, Poll
from catalog.documents.kinds import model_of
from catalog.documents.loading import load_text
from catalog.documents.pipeline import (
    AirflowLaunch,
    Backoff,
    CommandLaunch,
    CommandLauncher,
    HttpLaunch,
    Pipeline,
    PipelineSpec,
    Retries,
)
from catalog.documents.references import Metadata
from catalog.documents.template import PLAIN_VARIABLES, TEXT_VARIABLES, VALUE_VARIABLES
from catalog.documents.version_scope import VersionScopeSpec
from policies.conditions import from_document, leaves
from policies.loops import PipelineEdges, find_loop

PAGE = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = [block for block in BLOCKS if "apiVersion" in block]
#: The table of variables has its meaning in the second column, the tables of fields their default.
ALL_ROWS = dict(re.findall(r"^\| `([\w.]+)` \| (.+?) \|", PAGE, re.MULTILINE))
ROWS = {field: default for field, default in ALL_ROWS.items() if re.match(r"spec\.|metadata\.", field)}

#: Where each model stands in the tables.
PREFIXES: list[tuple[str, type[BaseModel]]] = [
    ("metadata", Metadata),
    ("spec", PipelineSpec),
    ("spec", VersionScopeSpec),
    ("spec.launch", CommandLaunch),
    ("spec.launch", HttpLaunch),
    ("spec.launch.command", CommandLauncher),
    ("spec.launch.http", HttpLauncher),
    ("spec.launch.http.idempotency", Idempotency),
    ("spec.launch.http.poll", Poll),
    ("spec.launch.http.cancel", HttpCancel),
    ("spec.launch.http.timeouts", HttpTimeouts),
    ("spec.launch", AirflowLaunch),
    ("spec.launch.airflow", AirflowLauncher),
    ("spec.launch.airflow.credentials", PasswordCredentials),
    ("spec.launch.airflow.credentials", TokenCredentials),
    ("spec.launch.airflow.timeouts", HttpTimeouts),
    ("spec.retries", Retries),
    ("spec.retries.backoff", Backoff),
]
#: Told by their own fields.
GROUPS = {
    "spec.launch",
    "spec.launch.command",
    "spec.launch.http",
    "spec.launch.http.idempotency",
    "spec.launch.http.poll",
    "spec.launch.http.cancel",
    "spec.launch.http.timeouts",
    "spec.launch.airflow",
    "spec.launch.airflow.timeouts",
    "spec.retries",
    "spec.retries.backoff",
}


@pytest.mark.parametrize("block", EXAMPLES)
def test_every_example_loads(block: str) -> None:
    documents = load_text(block, "pipelines.md")

    assert all(isinstance(document, Document) for document in documents)
    for document in documents:
        model = model_of(document)
        if isinstance(model, Pipeline):
            assert leaves(from_document(model.spec.when))


def test_there_are_examples_of_both_kinds_and_the_first_is_short() -> None:
    kinds = [document.kind for block in EXAMPLES for document in load_text(block, "pipelines.md")]

    assert kinds.count("Pipeline") >= 3
    assert kinds.count("VersionScope") == 2
    assert len(EXAMPLES[0].splitlines()) == 10


def test_the_schema_that_editors_are_told_about_exists() -> None:
    [path] = re.findall(r"\$schema=(\S+)", PAGE)

    assert (Path(__file__).parents[2] / path).is_file()


def test_the_tables_name_every_field_and_no_other() -> None:
    fields = {
        f"{prefix}.{field.alias or name}"
        for prefix, model in PREFIXES
        for name, field in model.model_fields.items()
    }

    assert set(ROWS) == fields - GROUPS


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("spec.batching", PipelineSpec.model_fields["batching"].default),
        ("spec.startFrom", PipelineSpec.model_fields["start_from"].default),
        ("spec.timeout", format_duration(PipelineSpec.model_fields["timeout"].default)),
        ("spec.concurrency", PipelineSpec.model_fields["concurrency"].default),
        ("spec.onFailure", PipelineSpec.model_fields["on_failure"].default),
        ("spec.launch.http.method", HttpLauncher.model_fields["method"].default),
        ("spec.launch.http.body", HttpLauncher.model_fields["body"].default),
        ("spec.launch.http.format", HttpLauncher.model_fields["format"].default),
        ("spec.launch.http.idempotency.header", Idempotency().header),
        ("spec.launch.http.idempotency.honoured", str(Idempotency().honoured).lower()),
        ("spec.launch.http.poll.interval", format_duration(Poll.model_fields["interval"].default)),
        ("spec.launch.http.cancel.method", HttpCancel.model_fields["method"].default),
        ("spec.launch.http.timeouts.connect", format_duration(HttpTimeouts().connect)),
        ("spec.launch.http.timeouts.answer", format_duration(HttpTimeouts().answer)),
        ("spec.launch.http.timeouts.unreachable", format_duration(HttpTimeouts().unreachable)),
        ("spec.launch.airflow.logicalDate", AirflowLauncher.model_fields["logical_date"].default),
        ("spec.launch.airflow.whenPaused", AirflowLauncher.model_fields["when_paused"].default),
        ("spec.launch.airflow.interval", format_duration(AirflowLauncher.model_fields["interval"].default)),
        ("spec.launch.airflow.timeouts.answer", format_duration(HttpTimeouts().answer)),
        ("spec.retries.count", Retries().count),
        ("spec.retries.backoff.initial", format_duration(Backoff().initial)),
        ("spec.retries.backoff.factor", f"{Backoff().factor:g}"),
        ("spec.retries.backoff.maximum", format_duration(Backoff().maximum)),
    ],
)
def test_the_tables_name_the_defaults(field: str, default: object) -> None:
    assert ROWS[field] == f"`{default}`"


def test_the_table_of_variables_names_them_all() -> None:
    told = {name: text for name, text in ALL_ROWS.items() if name not in ROWS}

    assert told == {
        **PLAIN_VARIABLES,
        **TEXT_VARIABLES,
        **VALUE_VARIABLES,
        "answer.NAME": "a value that `answer` keeps",
    }


def test_required_fields_are_named_as_such() -> None:
    required = {
        f"{prefix}.{field.alias or name}"
        for prefix, model in PREFIXES
        for name, field in model.model_fields.items()
        if field.is_required()
    }

    assert {field for field, default in ROWS.items() if default == "required"} == required - GROUPS


def test_the_examples_make_no_loop() -> None:
    pipelines = [
        model
        for block in EXAMPLES
        for document in load_text(block, "pipelines.md")
        if isinstance(model := model_of(document), Pipeline)
    ]

    edges = [
        PipelineEdges(
            name=pipeline.name,
            reads=frozenset(leaf.key for leaf in leaves(from_document(pipeline.spec.when))),
            writes=frozenset(dataset.key for dataset in pipeline.spec.produces),
        )
        for pipeline in pipelines
    ]
    assert find_loop(edges) is None
