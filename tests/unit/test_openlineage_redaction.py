import json
import time
from typing import Any

import orjson
import pytest

from catalog.errors import ConfigurationError
from catalog.openlineage.receive import Redactor, receive_event
from catalog.openlineage.redaction import may_hold_secret, redact_text
from tests.support.openlineage_events import LIMITS, RUN_ID, dataset, parsed_run, received, run_event


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://user:s3cret@host:5432/db", "postgres://user:[redacted]@host:5432/db"),
        ("redis://:s3cret@host", "redis://:[redacted]@host"),
        ("mongodb://u:s3cret@h1:27017,h2:27017/db", "mongodb://u:[redacted]@h1:27017,h2:27017/db"),
        ("s3://AKIAIOSFODNN7:wJalr/K7MDENG/bPx+Y@bucket/key", "s3://AKIAIOSFODNN7:[redacted]@bucket/key"),
        ("https://u:12345@host", "https://u:[redacted]@host"),
        ("https://u:p@ss:w@host/a@b", "https://u:[redacted]@host/a@b"),
        ("https://u:p/a@ss@host/x", "https://u:[redacted]@host/x"),
        ("see a://u:one@h and b://u:two@h", "see a://u:[redacted]@h and b://u:[redacted]@h"),
        ("a://u:one://x:two@h", "a://u:[redacted]@h"),
        ("a://u:one@h,b://u:two@h", "a://u:[redacted]@h,b://u:[redacted]@h"),
        (r"{\"url\": \"postgres:\/\/u:s3cret@h\"}", r"{\"url\": \"postgres:\/\/u:[redacted]@h\"}"),
        ("jdbc:oracle:thin:scott/tiger@host:1521:sid", "jdbc:oracle:thin:scott/[redacted]@host:1521:sid"),
        ("jdbc:postgresql://h/db?user=u&password=p%26w&x=1", "jdbc:postgresql://h/db?user=u&password=[redacted]&x=1"),
        ("jdbc:sqlserver://h;user=u;PASSWORD={a;b};x=1", "jdbc:sqlserver://h;user=u;PASSWORD=[redacted];x=1"),
        ("Server=h;Uid=u;Pwd=s3cret", "Server=h;Uid=u;Pwd=[redacted]"),
        ("host=h password='a b' dbname=d", "host=h password=[redacted] dbname=d"),
        ("h?trustStorePassword=a&sslpassphrase = b", "h?trustStorePassword=[redacted]&sslpassphrase = [redacted]"),
        ("passphrase   =   x;private_key   = y", "passphrase   =   [redacted];private_key   = [redacted]"),
        ("https://h/c?sv=1&sig=abc%3D&se=2", "https://h/c?sv=1&sig=[redacted]&se=2"),
        ("AccountName=a;AccountKey=abc==;Suffix=b", "AccountName=a;AccountKey=[redacted];Suffix=b"),
        ("https://h?X-Amz-Signature=ab&X-Amz-Security-Token=cd", "https://h?X-Amz-Signature=[redacted]&X-Amz-Security-Token=[redacted]"),
        ("?token=a?x=1;client_secret=b", "?token=[redacted];client_secret=[redacted]"),
        ('conf = \\"password=abc\\", \\"x\\"', 'conf = \\"password=[redacted]\\", \\"x\\"'),
    ],
)  # fmt: skip
def test_secrets_are_replaced(text: str, expected: str) -> None:
    assert redact_text(text) == expected
    assert redact_text(expected) == expected
    assert may_hold_secret(orjson.dumps([text]))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hdfs://namenode:8020/user/me@example.com/t",
            "s3://bucket/a:b@c",
            "ssh://git@github.com/x",
            "a@b.com",
        ),
        *("kafka://b1:9092,b2:9092/topic@1", "http://[::1]:8080/a@b", "postgres://host:5432", "//u:p@h"),
        *(
            "s3://bucket/token=abc/part",
            "monkey=1;sortkey=2",
            "password",
            "the password is: x",
            "if password == x",
        ),
        *(
            "select password, pwd from t",
            "time=10:00 mail=a@b",
            "jdbc:oracle:thin:@host:1521:sid",
            "pwd=",
            "pwd=;x",
        ),
    ],
)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "://x:y/",
            "://a:a",
            "password={",
            "pwd='",
            "password=\\",
            'pwd=\\"',
            ";secret",
            "?a_token=",
            ":\\",
            "@:/",
        ),
        *("jdbc:oracle:thin:a/", "://x:1,a:1", ";aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ],
)
def test_hostile_text_takes_time_in_proportion(piece: str) -> None:
    text = piece * (1_000_000 // len(piece)) + "@ password=x"
    start = time.perf_counter()

    redact_text(text)

    assert time.perf_counter() - start < 5


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


ENVIRONMENT = {"environmentVariables": [{"name": "A", "value": "1"}, {"name": "B", "value": {"deep": 2}}]}


@pytest.mark.parametrize(
    ("path", "redactions"),
    [
        (
            "/run/facets/environmentVariables/environmentVariables/*/value",
            [f"/run/facets/environmentVariables/environmentVariables/{index}/value" for index in (0, 1)],
        ),
        ("/run/facets/*/environmentVariables/1", ["/run/facets/environmentVariables/environmentVariables/1"]),
        ("/run/facets/environmentVariables", ["/run/facets/environmentVariables"]),
        ("/a~1b~0", ["/a~1b~0"]),
        ("/run/facets/other/*", []),
        ("/producer/*", []),
        ("/run/facets/environmentVariables/environmentVariables/7", []),
    ],
)
def test_configured_paths_are_redacted(path: str, redactions: list[str]) -> None:
    event: Any = run_event(
        run={"runId": RUN_ID, "facets": {"environmentVariables": ENVIRONMENT}}, **{"a/b~": "x"}
    )
    before = orjson.dumps(event)
    redactor = Redactor.at([path])

    result = receive_event(before, LIMITS, redactor=redactor)

    assert list(result.redactions) == redactions
    assert (result.body == before) is (not redactions)
    assert receive_event(result.body, LIMITS, redactor=redactor).redactions == ()


def test_pointers_hold_no_secrets_either() -> None:
    event = run_event(custom={"db://u:s3cret@h": {"a": 1}})

    result = receive_event(orjson.dumps(event), LIMITS, redactor=Redactor.at(["/custom/*/a"]))

    assert result.redactions == ("/custom/db:~1~1u:[redacted]@h", "/custom/db:~1~1u:[redacted]@h/a")


def test_a_path_without_slash_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="run/facets"):
        Redactor.at(["run/facets"])
