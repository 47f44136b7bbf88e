import json
from typing import Any

import orjson
import pytest

from catalog.errors import ConfigurationError
from catalog.openlineage.receive import Redactor, receive_event
from tests.support.openlineage_events import LIMITS, RUN_ID, dataset, parsed_run, received, run_event


def test_a_redacted_event_is_written_anew_and_says_where() -> None:
    event = run_event(
        inputs=[dataset("t", namespace="postgres://u:s3cret@h")],
        run={"runId": RUN_ID, "facets": {"x": {"a/b": ["ok", "pwd=s3cret"], "k://u:s3cret@h": 1}}},
    )

    result = received(event)

    assert b"s3cret" not in result.body
    assert result.redactions == (
        "/inputs/0/namespace",
        "/run/facets/x/a~1b/1",
        "/run/facets/x/k:~1~1u:[redacted]@h",
    )
    assert orjson.loads(result.body)["inputs"][0]["namespace"] == "postgres://u:[redacted]@h"
    assert received(orjson.loads(result.body)).digest == result.digest
    assert received(orjson.loads(result.body)).redactions == ()


@pytest.mark.parametrize(
    "written",
    [
        r"postgres:\/\/u:s3cret@h",
        r"postgres\u003a//u:s3cret\u0040h",
        r"\u0070ostgres:\u002f\u002fu:s3cr\u0065t@h",
    ],
)
def test_json_escapes_hide_nothing(written: str) -> None:
    body = orjson.dumps(run_event(producer="SECRET")).replace(b"SECRET", written.encode())

    result = receive_event(body, LIMITS)

    assert result.redactions == ("/producer",)
    assert orjson.loads(result.body)["producer"] == "postgres://u:[redacted]@h"


def test_events_that_differ_in_a_secret_alone_are_equal_and_join() -> None:
    first, second = (
        run_event(outputs=[dataset("t", namespace=f"postgres://u:{secret}@h")]) for secret in ("one", "two")
    )

    assert received(first).digest == received(second).digest
    assert parsed_run(outputs=first["outputs"]).outputs == parsed_run(inputs=second["outputs"]).inputs


def test_integers_beyond_64_bits_survive_redaction() -> None:
    body = json.dumps(run_event(extra=[2**70, "pwd=x"])).encode()

    assert f"[{2**70},".encode() in receive_event(body, LIMITS).body


VARIABLES = [{"name": "A", "value": "1"}, {"name": "B", "value": {"deep": 2}}]


@pytest.mark.parametrize(
    ("path", "redactions"),
    [
        (
            "/run/facets/custom/secrets/*/value",
            [f"/run/facets/custom/secrets/{index}/value" for index in (0, 1)],
        ),
        ("/run/facets/*/secrets/1", ["/run/facets/custom/secrets/1"]),
        ("/run/facets/custom", ["/run/facets/custom"]),
        ("/a~1b~0", ["/a~1b~0"]),
        ("/run/facets/other/*", []),
        ("/producer/*", []),
        ("/run/facets/custom/secrets/7", []),
    ],
)
def test_configured_paths_are_redacted(path: str, redactions: list[str]) -> None:
    event: Any = run_event(
        run={"runId": RUN_ID, "facets": {"custom": {"secrets": VARIABLES}}}, **{"a/b~": "x"}
    )
    before = orjson.dumps(event)
    redactor = Redactor.at([path])

    result = receive_event(before, LIMITS, redactor=redactor)

    assert list(result.redactions) == redactions
    assert (result.body == before) is (not redactions)
    assert receive_event(result.body, LIMITS, redactor=redactor).redactions == ()


def test_values_of_environment_variables_are_redacted_whatever_is_configured() -> None:
    facet = {"environmentVariables": VARIABLES}
    event = run_event(run={"runId": RUN_ID, "facets": {"environmentVariables": facet}})

    result = receive_event(orjson.dumps(event), LIMITS)

    pointer = "/run/facets/environmentVariables/environmentVariables"
    assert result.redactions == (f"{pointer}/0/value", f"{pointer}/1/value")
    kept = orjson.loads(result.body)["run"]["facets"]["environmentVariables"]["environmentVariables"]
    assert kept == [{"name": "A", "value": "[redacted]"}, {"name": "B", "value": "[redacted]"}]
    assert receive_event(result.body, LIMITS).redactions == ()


def test_pointers_hold_no_secrets_either() -> None:
    event = run_event(custom={"db://u:s3cret@h": {"a": 1}})

    result = receive_event(orjson.dumps(event), LIMITS, redactor=Redactor.at(["/custom/*/a"]))

    assert result.redactions == ("/custom/db:~1~1u:[redacted]@h", "/custom/db:~1~1u:[redacted]@h/a")


def test_a_path_without_slash_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="run/facets"):
        Redactor.at(["run/facets"])
