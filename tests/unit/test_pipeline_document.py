"""What a Pipeline document may say, and how it is refused."""

import copy
from datetime import timedelta
from typing import Any

import pytest

from catalog.documents.kinds import model_of, parse_document
from catalog.documents.pipeline import Pipeline, SecretReference, WhenAll, WhenAny, WhenDataset
from catalog.errors import InvalidDocument
from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.limits import MAX_NAME_BYTES

SMALLEST: dict[str, Any] = {
    "apiVersion": "headwater/v1",
    "kind": "Pipeline",
    "metadata": {"name": "flights_model", "owner": "data-platform"},
    "spec": {
        "when": {"dataset": {"namespace": "duckdb://flights", "name": "raw.flights"}},
        "launch": {"command": {"argv": ["dbt-ol", "build"]}},
    },
}


def document(**spec: Any) -> dict[str, Any]:
    """Return the smallest document with other fields in its spec."""
    changed = copy.deepcopy(SMALLEST)
    changed["spec"] |= spec
    return changed


def pipeline(**spec: Any) -> Pipeline:
    model = model_of(parse_document(document(**spec)))
    assert isinstance(model, Pipeline)
    return model


def refusal(value: Any) -> InvalidDocument:
    with pytest.raises(InvalidDocument) as refused:
        parse_document(value, "flights.yaml")
    return refused.value


def refused_spec(**spec: Any) -> str:
    return str(refusal(document(**spec)))


def test_the_smallest_document_has_the_documented_defaults() -> None:
    spec = pipeline().spec

    assert (spec.batching, spec.start_from, spec.on_failure, spec.concurrency) == (
        "each",
        "latest",
        "keep",
        1,
    )
    assert spec.timeout == timedelta(hours=24)
    assert (spec.produces, spec.job) == ((), None)
    assert spec.retries.count == 0
    assert spec.retries.outcomes == ("failed", "timed_out", "lost")
    backoff = spec.retries.backoff
    assert (backoff.initial, backoff.factor, backoff.maximum) == (
        timedelta(seconds=1),
        2,
        timedelta(minutes=5),
    )


def test_the_whole_document() -> None:
    spec = pipeline(
        when={
            "any": [
                {"dataset": {"namespace": "duckdb://flights", "name": "raw.flights"}},
                {
                    "all": [
                        {"dataset": "dataset:duckdb://flights:raw.weather"},
                        {"dataset": "dataset:s3://lake:/x"},
                    ]
                },
            ]
        },
        produces=["dataset:duckdb://flights:mart.delays"],
        job="job:flights:dbt",
        batching="latest",
        startFrom="earliest",
        timeout="1h",
        retries={
            "count": 3,
            "outcomes": ["failed"],
            "backoff": {"initial": "2s", "factor": 3, "maximum": "1m"},
        },
        concurrency=2,
        onFailure="release",
        launch={
            "command": {
                "argv": ["dbt-ol", "build"],
                "workingDirectory": "flights",
                "environment": {"TARGET": "prod", "PASSWORD": {"secret": "env:HEADWATER_SECRET_PASSWORD"}},
            }
        },
    ).spec

    assert isinstance(spec.when, WhenAny)
    first, second = spec.when.children
    assert isinstance(first, WhenDataset)
    assert first.dataset.key == DatasetKey("duckdb://flights", "raw.flights")
    assert isinstance(second, WhenAll)
    assert [child.dataset.key for child in second.children if isinstance(child, WhenDataset)] == [
        DatasetKey("duckdb://flights", "raw.weather"),
        DatasetKey("s3://lake", "/x"),
    ]
    assert [dataset.key for dataset in spec.produces] == [DatasetKey("duckdb://flights", "mart.delays")]
    assert spec.job is not None
    assert spec.job.key == JobKey("flights", "dbt")
    command = spec.launch.command
    assert command.argv == ("dbt-ol", "build")
    assert command.working_directory == "flights"
    assert command.environment["TARGET"] == "prod"
    assert command.environment["PASSWORD"] == SecretReference(secret="env:HEADWATER_SECRET_PASSWORD")


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("dataset:duckdb://flights:raw.flights", DatasetKey("duckdb://flights", "raw.flights")),
        ("dataset:file:/data/a.csv", DatasetKey("file", "/data/a.csv")),
        ("dataset:s3://bucket:a/b#c", DatasetKey("s3://bucket", "a/b#c")),
        ("dataset:Namespace:name", DatasetKey("Namespace", "name")),
    ],
)
def test_a_node_id_that_can_be_read_in_one_way_stands_for_a_dataset(written: str, key: DatasetKey) -> None:
    when = pipeline(when={"dataset": written}).spec.when

    assert isinstance(when, WhenDataset)
    assert when.dataset.key == key


def test_every_dataset_that_an_event_may_name_can_be_waited_for() -> None:
    longest = {"namespace": "n" * MAX_NAME_BYTES, "name": "\U0001f525" * (MAX_NAME_BYTES // 4)}
    assert pipeline(when={"dataset": longest}).spec.when == WhenDataset(dataset=longest)
    message = f"a text of at most {MAX_NAME_BYTES} character"
    too_long = {"dataset": longest | {"namespace": "n" * (MAX_NAME_BYTES + 1)}}
    assert message in str(refusal(document(when=too_long)))


def test_a_node_id_that_can_be_read_in_two_ways_is_refused_with_both() -> None:
    message = refused_spec(when={"dataset": "dataset:postgres://host:5432:public.t"})

    assert message == (
        "flights.yaml: /spec/when/dataset: expected a mapping with namespace and name: "
        "'dataset:postgres://host:5432:public.t' can be read as "
        "('postgres://host', '5432:public.t') or ('postgres://host:5432', 'public.t')"
    )


@pytest.mark.parametrize(
    "written",
    ["raw.flights", "dataset:flights", "job:ns:name", "dataset::name", "dataset:ns:", "dataset:ns://x"],
)
def test_a_text_that_is_no_node_id_is_refused(written: str) -> None:
    message = refused_spec(when={"dataset": written})

    assert "expected a mapping with namespace and name" in message
    assert repr(written) in message


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"concurency": 2},
            "/spec/concurency: unknown field 'concurency', did you mean 'concurrency'? (expected when, ",
        ),
        ({"start_from": "latest"}, "/spec/start_from: unknown field 'start_from', did you mean 'startFrom'?"),
        (
            {"when": {"any": [{"datset": "dataset:a:b"}]}},
            "/spec/when/any/0/datset: unknown field 'datset', did you mean 'dataset'? (expected dataset, all",
        ),
        ({"when": {}}, "/spec/when: expected a mapping with exactly one of dataset, all, any, found none"),
        (
            {"when": {"all": [{"dataset": "dataset:a:b"}], "any": [{"dataset": "dataset:a:b"}]}},
            "/spec/when: expected a mapping with exactly one of dataset, all, any, found all, any",
        ),
        (
            {"when": "dataset:a:b"},
            "/spec/when: expected a mapping with exactly one of dataset, all, any, found",
        ),
        ({"when": {"all": []}}, "/spec/when/all: expected at least 1 of them, found an empty list"),
        (
            {"when": {"dataset": {"namespace": "a"}}},
            "/spec/when/dataset/name: expected a field 'name', found none",
        ),
        (
            {"when": {"dataset": {"namespace": "", "name": "b"}}},
            "/spec/when/dataset/namespace: expected a text of",
        ),
        (
            {"when": {"any": [{"dataset": "dataset:a:b"}, {"dataset": {"namespace": "a", "name": "b"}}]}},
            "/spec/when: expected each dataset once in one all or any, found dataset:a:b twice",
        ),
        ({"produces": ["dataset:a:b", "dataset:a:b"]}, "/spec/produces: expected each dataset once"),
        ({"batching": "late"}, "/spec/batching: expected 'each' or 'latest', found 'late'"),
        ({"timeout": "1 hour"}, "/spec/timeout: expected a duration such as 30s, 5m, 1h30m, PT1H or"),
        ({"timeout": None}, "/spec/timeout: expected a duration such as 30s, 5m, 1h30m, PT1H or"),
        ({"concurrency": 0}, "/spec/concurrency: expected at least 1, found the number 0"),
        ({"concurrency": "3"}, "/spec/concurrency: expected a whole number, found '3'"),
        ({"concurrency": True}, "/spec/concurrency: expected a whole number, found true"),
        ({"retries": {"count": 2.5}}, "/spec/retries/count: expected a whole number, found the number 2.5"),
        ({"retries": {"count": 1000}}, "/spec/retries/count: expected at most 100, found the number 1000"),
        (
            {"retries": {"outcomes": ["failed", "failed"]}},
            "/spec/retries/outcomes: expected each outcome once",
        ),
        (
            {"retries": {"outcomes": ["cancelled"]}},
            "/spec/retries/outcomes/0: expected 'failed', 'timed_out' or",
        ),
        (
            {"retries": {"backoff": {"initial": "1h"}}},
            "/spec/retries/backoff: expected a maximum of at least the initial wait (1h), found 5m",
        ),
        (
            {"launch": {"htpp": {}}},
            "/spec/launch/htpp: unknown field 'htpp', did you mean 'http'? (expected command, http, airflow)",
        ),
        (
            {"launch": {}},
            "/spec/launch: expected a mapping with exactly one of command, http, airflow, found none",
        ),
        (
            {"launch": "ls"},
            "/spec/launch: expected a mapping with exactly one of command, http, airflow, found 'ls'",
        ),
        ({"launch": {"http": {}}}, "/spec/launch/http/url: expected a field 'url', found none"),
        ({"launch": {"command": {"argv": []}}}, "/spec/launch/command/argv: expected at least 1 of them"),
        (
            {"launch": {"command": {"argv": [""]}}},
            "/spec/launch/command/argv: expected the name of a program",
        ),
        (
            {"launch": {"command": {"argv": "ls"}}},
            "/spec/launch/command/argv: expected a list, found a value",
        ),
    ],
)
def test_a_fault_is_named_with_its_path_and_what_was_expected(spec: dict[str, Any], message: str) -> None:
    found = refused_spec(**spec)

    assert found.startswith(f"flights.yaml: {message}")
    assert "\n" not in found


@pytest.mark.parametrize("name", ["", "a/b", "-a", ".a", "a b", "ä", "a" * 129, "a\n", 7, None])
def test_a_name_is_short_and_has_no_slash(name: Any) -> None:
    changed = copy.deepcopy(SMALLEST)
    changed["metadata"]["name"] = name

    assert "flights.yaml: /metadata/name: expected" in str(refusal(changed))


def test_all_faults_are_told_at_once() -> None:
    error = refusal(document(batching="late", timeout="x", retries={"count": -1}))

    assert [fault["pointer"] for fault in error.details["faults"]] == [
        "/spec/batching",
        "/spec/timeout",
        "/spec/retries/count",
    ]
    assert str(error).count("\n") == 2


def test_a_wrong_entry_is_not_also_reported_as_a_list_too_short() -> None:
    error = refusal(document(when={"all": [{"dataset": {"namespace": "a"}}]}))

    assert [fault["pointer"] for fault in error.details["faults"]] == ["/spec/when/all/0/dataset/name"]


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("TARGET", True),
        ("_x1", True),
        ("OPENLINEAGE_URL", True),
        ("OPENLINEAGE_NAMESPACE", True),
        ("OPENLINEAGE_PARENT_ID", False),
        ("OPENLINEAGE_CONTEXT", False),
        ("HEADWATER_RUN_ID", False),
        ("HEADWATER_", False),
        ("1X", False),
        ("A-B", False),
        ("A=B", False),
        ("", False),
        ("A\n", False),
    ],
)
def test_names_of_the_environment_that_headwater_sets_are_refused(name: str, accepted: bool) -> None:
    spec = {"launch": {"command": {"argv": ["x"], "environment": {name: "v"}}}}

    if accepted:
        assert pipeline(**spec).spec.launch.command.environment == {name: "v"}
    else:
        assert "expected a name of letters, digits and _ that Headwater does not set" in refused_spec(**spec)


@pytest.mark.parametrize("secret", ["env:HEADWATER_SECRET_X", "file:warehouse.password"])
def test_a_secret_is_named(secret: str) -> None:
    spec = pipeline(launch={"command": {"argv": ["x"], "environment": {"P": {"secret": secret}}}}).spec

    assert spec.launch.command.environment["P"] == SecretReference(secret=secret)


@pytest.mark.parametrize(
    "secret",
    ["hunter2", "env:PATH", "env:HEADWATER_DATABASE_URL", "file:../passwd", "file:/etc/passwd", "file:.x"],
)
def test_a_value_that_names_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    message = refused_spec(launch={"command": {"argv": ["x"], "environment": {"P": {"secret": secret}}}})

    assert "/environment/P/secret: expected env:HEADWATER_SECRET_NAME or file:NAME" in message
    assert secret not in message


def test_values_beside_secrets_are_not_repeated_either() -> None:
    message = refused_spec(launch={"command": {"argv": [4711], "environment": {"PIN": 815}}})

    assert "put it in quotes" in message
    assert "4711" not in message
    assert "815" not in message


def test_a_password_in_an_address_is_not_repeated() -> None:
    message = refused_spec(when={"dataset": "dataset:postgres://me:hunter2@host:5432:t"})

    assert "hunter2" not in message
    assert "://me:[redacted]@host" in message


def nested(depth: int) -> dict[str, Any]:
    when: dict[str, Any] = {"dataset": "dataset:a:b"}
    for _ in range(depth - 1):
        when = {"all": [when]}
    return when


def test_a_condition_nests_at_most_sixteen_deep() -> None:
    assert pipeline(when=nested(16))
    assert "expected `when` to nest at most 16 deep" in refused_spec(when=nested(17))


def test_a_condition_has_at_most_a_thousand_datasets() -> None:
    def wide(count: int) -> list[dict[str, Any]]:
        return [{"dataset": f"dataset:a:{number}"} for number in range(count)]

    assert pipeline(when={"all": wide(1000)})
    assert "expected at most 1000 of them" in refused_spec(when={"all": wide(1001)})
    assert "expected at most 1000 datasets in `when`, found 1200" in refused_spec(
        when={"any": [{"all": wide(600)}, {"all": wide(600)}]}
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "expected a mapping with apiVersion and kind, found nothing"),
        ([], "expected a mapping with apiVersion and kind, found an empty list"),
        ({}, "expected a field 'apiVersion', found none"),
        (
            {"apiVersion": "v3.1.0", "kind": "DataContract"},
            "(headwater/v1 Pipeline or headwater/v1 VersionScope or headwater/v1 Webhook), found v3.1.0 DataContract",
        ),
        (SMALLEST | {"kind": "pipeline"}, "did you mean headwater/v1 Pipeline?"),
        (SMALLEST | {"kind": ["Pipeline"]}, "expected a known kind"),
        (SMALLEST | {"spec": None}, "/spec: expected a mapping, found nothing"),
        (SMALLEST | {"status": {}}, "/status: unknown field 'status'"),
        (SMALLEST | {"metadata": {"name": "x", "owner": "\0"}}, "/metadata/owner: expected text without the"),
        (SMALLEST | {"metadata": {"name": "x", "owner": "\ud800"}}, "/metadata/owner: expected Unicode text"),
        (SMALLEST | {"metadata": {1: "x"}}, "/metadata: expected a text as the name of a field"),
        (SMALLEST | {"spec": {"timeout": float("inf")}}, "/spec/timeout: expected a finite number"),
        (SMALLEST | {"spec": {"timeout": 2**60}}, "/spec/timeout: expected a number of at most"),
        (SMALLEST | {"spec": {"when": {1, 2}}}, "/spec/when: expected a value of JSON, found a set"),
    ],
)
def test_a_value_that_is_no_document_is_refused(value: Any, message: str) -> None:
    assert message in str(refusal(value))


def test_deep_nesting_is_refused_without_recursion() -> None:
    value: Any = {}
    for _ in range(100_000):
        value = [value]

    assert "expected at most 64 levels of nesting" in str(refusal(value))
