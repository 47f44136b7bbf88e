import json
from typing import Any

import orjson
import pytest

from catalog.errors import HeadwaterError, InvalidEvent, InvalidInput, InvalidJson, PayloadTooLarge
from catalog.openlineage.receive import Limits, ReceivedEvent, Redactor, receive_batch, split_batch
from tests.support.openlineage_events import LIMITS, dataset, job_event, received, run_event


def events_of(body: bytes, limits: Limits = LIMITS) -> list[ReceivedEvent | HeadwaterError]:
    return receive_batch(body, limits)


def test_each_event_keeps_the_bytes_in_which_it_was_sent() -> None:
    texts = [
        json.dumps(run_event(), indent=2),
        orjson.dumps(run_event(inputs=[dataset("ünïcode 🦆")])).decode(),
        json.dumps(job_event(extra=']}\\",[{')),
    ]
    body = ("\n [ " + " ,\t".join(texts) + "\r\n] ").encode()

    assert [item.body for item in split_batch(body, LIMITS)] == [text.encode() for text in texts]
    singles = [received(orjson.loads(text)).digest for text in texts]
    assert [event.digest for event in events_of(body) if isinstance(event, ReceivedEvent)] == singles


def test_an_empty_array_has_no_events() -> None:
    assert events_of(b" [ ] ") == []


@pytest.mark.parametrize(
    "wrong",
    [
        *(b"null", b"3", b'"text"', b"[]", b"{}", b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}'),
        *(
            b'{"a":' * 5000 + b"1" + b"}" * 5000,
            b'{"a":' + b"1" * 5000 + b"}",
            b'{"a":"]\\"","b":' + b"2" * 5000 + b"}",
        ),
        orjson.dumps(run_event(eventTime=None)),
    ],
)
def test_a_wrong_event_fails_alone(wrong: bytes) -> None:
    good = orjson.dumps(run_event())

    before, error, after = events_of(b"[" + b",".join([good, wrong, good]) + b"]")

    assert isinstance(before, ReceivedEvent)
    assert isinstance(after, ReceivedEvent)
    assert before.digest == after.digest
    assert isinstance(error, InvalidInput)


@pytest.mark.parametrize(
    ("wrong", "pointer", "words"),
    [
        *(
            (number, "/extra", "expected a number that a double can hold")
            for number in (b"1e999", b"NaN", b"-Infinity")
        ),
        (b'["x", "\\udfff"]', "/extra/1", "half of a surrogate pair"),
        (b'{"\\ud800": 1}', "/extra", "half of a surrogate pair"),
    ],
)
def test_what_only_python_reads_is_no_json(wrong: bytes, pointer: str, words: str) -> None:
    body = orjson.dumps([run_event(extra=0), run_event()]).replace(b'"extra":0', b'"extra":' + wrong)

    error, after = events_of(body)

    assert isinstance(error, InvalidJson)
    assert (error.pointer, words in error.message) == (pointer, True)
    assert isinstance(after, ReceivedEvent)


def test_an_event_over_the_limit_fails_alone() -> None:
    small, large = orjson.dumps(run_event()), orjson.dumps(run_event(extra="x" * 1000))

    first, second = events_of(b"[" + small + b"," + large + b"]", Limits(max_event_bytes=500))

    assert isinstance(first, ReceivedEvent)
    assert isinstance(second, PayloadTooLarge)


def test_integers_beyond_64_bits_stay_exact() -> None:
    events = [run_event(extra=2**70), run_event(extra=2**70 + 1)]

    first, second = events_of(json.dumps(events).encode())

    assert isinstance(first, ReceivedEvent)
    assert isinstance(second, ReceivedEvent)
    assert first.digest != second.digest


def test_secrets_are_redacted_as_in_a_single_event() -> None:
    event = run_event(inputs=[dataset("t", namespace="postgres://u:secret@h")], custom={"a": 1})

    (one,) = receive_batch(orjson.dumps([event]), LIMITS, redactor=Redactor.at(["/custom/*"]))

    assert isinstance(one, ReceivedEvent)
    assert one.redactions == ("/custom/a", "/inputs/0/namespace")
    assert b"secret" not in one.body


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", InvalidInput),
        (b"{}", InvalidInput),
        (b"\xff", InvalidJson),
        (b"[", InvalidJson),
        (b"[1", InvalidJson),
        (b"[1,", InvalidJson),
        (b"[1,]", InvalidJson),
        (b"[1 2]", InvalidJson),
        (b"[1}", InvalidJson),
        (b"[1]]", InvalidJson),
        (b'[{"a":1]', InvalidJson),
        (b'["\n"]', InvalidJson),
        (b"[" * 100_000, InvalidJson),
        (b'[{"a":' + b"[" * 5000 + b'"', InvalidJson),
        (b"[" + b"1" * 5000 + b"]", InvalidJson),
        (b"[" + b"1" * 5000 + b',{"a":1}]', InvalidJson),
    ],
)
def test_a_broken_batch_is_refused_as_a_whole(body: bytes, error: type[HeadwaterError]) -> None:
    with pytest.raises(error):
        events_of(body)


def test_a_batch_has_at_most_so_many_bytes_and_events() -> None:
    body = b"[1,2,3]"

    assert all(isinstance(event, InvalidEvent) for event in events_of(body, Limits(max_batch_events=3)))
    with pytest.raises(PayloadTooLarge, match="limit of 2"):
        events_of(body, Limits(max_batch_events=2))
    with pytest.raises(PayloadTooLarge, match="the limit is 6"):
        events_of(body, Limits(max_batch_bytes=6))


@pytest.mark.parametrize("value", [1, -0.0, 1.5e300, "\x7f\\/\u2028", {"": {"ÿ": [True, None]}}])
def test_values_are_the_same_in_a_batch_and_alone(value: Any) -> None:
    event = run_event(extra=value)

    (one,) = events_of(json.dumps([event]).encode())

    assert isinstance(one, ReceivedEvent)
    assert one.digest == received(event).digest
