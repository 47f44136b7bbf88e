import json
import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from catalog.errors import InvalidEvent, InvalidJson, PayloadTooLarge
from catalog.keys import JobKey, name_based_uuid
from catalog.openlineage.receive import Limits, receive_event
from tests.support.openlineage_events import (
    LIMITS,
    RUN_ID,
    dataset,
    dataset_event,
    job_event,
    received,
    run_event,
)


def refused(event: Any) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        received(event)
    return caught.value


def test_a_valid_event_is_kept_byte_for_byte() -> None:
    body = json.dumps(run_event(), indent=3).encode()

    event = receive_event(body, LIMITS)

    assert event.body is body
    assert event.redactions == ()
    assert event.kind == "run"
    assert event.event_time == datetime(2024, 10, 17, 9, 18, 27, 719_000, tzinfo=UTC)
    assert (event.run_id, event.run_id_derived) == (uuid.UUID(RUN_ID), False)
    assert event.job == JobKey("scheduler", "job")
    assert len(event.digest) == 16


def test_the_digest_does_not_depend_on_how_the_event_was_written() -> None:
    event = run_event(inputs=[dataset("ünï/cödé: #1")], extra={"b": [1, 2.5, None], "a": "/"})
    backwards = dict(reversed(event.items()))
    escaped = json.dumps(backwards, indent=1).replace("/", "\\/").replace("scheduler", "\\u0073cheduler")

    assert receive_event(escaped.encode(), LIMITS).digest == received(event).digest


def test_the_last_of_duplicate_keys_counts() -> None:
    text = orjson.dumps(run_event()).decode()
    doubled = text.replace('"eventType":"COMPLETE"', '"eventType":"NONSENSE","eventType":"COMPLETE"')

    assert receive_event(doubled.encode(), LIMITS).digest == receive_event(text.encode(), LIMITS).digest


@pytest.mark.parametrize("number", [2**64, 2**64 + 1, -(2**63) - 1, -(2**63) - 2, 10**30, 10**30 + 1])
def test_integers_beyond_64_bits_stay_exact(number: int) -> None:
    body = json.dumps(run_event(extra=number)).encode()
    rounded = json.dumps(run_event(extra=float(number))).encode()

    event = receive_event(body, LIMITS)

    assert event.body == body
    assert event.digest != receive_event(rounded, LIMITS).digest
    assert event.digest != receive_event(json.dumps(run_event(extra=number + 3)).encode(), LIMITS).digest
    assert (
        event.digest == receive_event(json.dumps(run_event(extra=number), indent=1).encode(), LIMITS).digest
    )


def test_a_long_fraction_is_the_number_that_it_is_rounded_to() -> None:
    short = orjson.dumps(run_event(extra=0.1))
    long = short.replace(b":0.1}", b":0.1000000000000000000000000}")

    assert long != short
    assert receive_event(long, LIMITS).digest == receive_event(short, LIMITS).digest


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (run_event(schemaURL=None), "run"),
        (job_event(schemaURL=None), "job"),
        (dataset_event(schemaURL=None), "dataset"),
        (run_event(schemaURL="https://example.com#/$defs/DatasetEvent"), "run"),
        (dataset_event(schemaURL="https://example.com#/$defs/RunEvent"), "dataset"),
        (job_event(schemaURL=12), "job"),
        (job_event() | {"run": None}, "job"),
        # The specification's own full example has a dataset beside its run.
        (run_event(dataset=dataset("t")), "run"),
        (job_event(dataset=dataset("t"), schemaURL="x#/$defs/DatasetEvent"), "dataset"),
        (job_event(dataset=dataset("t"), schemaURL="x#/$defs/JobEvent"), "job"),
    ],
)
def test_the_shape_decides_the_kind(event: dict[str, Any], kind: str) -> None:
    assert received(event).kind == kind


@pytest.mark.parametrize(
    "members",
    [
        *({"producer": None}, {"producer": 7}, {"schemaURL": None}, {"eventType": None}, {"inputs": None}),
        *({"eventType": "complete"}, {"unknown": {"a": [1]}}, {"outputs": []}),
        {"run": {"runId": RUN_ID.upper(), "facets": "none"}},
        {"run": {"runId": RUN_ID.replace("-", ""), "facets": {"parent": 3, "unknown": None}}},
        {"inputs": [dataset("t", facets=[], inputFacets="x")]},
        {"job": {"namespace": "a:b/c#d ü", "name": "n" * 4096, "facets": {"sql": "text"}}},
    ],
)
def test_sloppy_producers_are_heard(members: dict[str, Any]) -> None:
    event = run_event(**members)

    assert received(event).kind == "run"


def test_a_run_id_that_is_no_uuid_is_derived_with_the_job() -> None:
    event = received(run_event(run={"runId": "manual__2024-10-17"}))

    assert event.run_id_derived
    assert event.run_id == name_based_uuid("run", "scheduler", "job", "manual__2024-10-17")
    assert (
        event.run_id
        != received(
            run_event(run={"runId": "manual__2024-10-17"}, job={"namespace": "scheduler", "name": "other"})
        ).run_id
    )


@pytest.mark.parametrize(
    ("members", "pointer", "words"),
    [
        ({"eventTime": None}, "/eventTime", "found nothing"),
        ({"eventTime": 1729156674719}, "/eventTime", "found a number"),
        ({"eventTime": "1729156674719"}, "/eventTime", "found '1729156674719'"),
        ({"eventTime": "12024-01-01T00:00:00Z"}, "/eventTime", "year"),
        ({"eventType": "DONE"}, "/eventType", "START, RUNNING, COMPLETE, ABORT, FAIL, OTHER"),
        ({"eventType": 1}, "/eventType", "expected one of"),
        # It has the shape of a JobEvent, but only runs have a type.
        ({"run": None}, "/run", "that the eventType is about"),
        ({"run": []}, "/run", "found an array"),
        ({"run": {}}, "/run/runId", "found nothing"),
        ({"run": {"runId": ""}}, "/run/runId", "empty"),
        ({"run": {"runId": 7}}, "/run/runId", "a number"),
        ({"job": None}, "/job", "the job of the run"),
        ({"job": "job"}, "/job", "found text"),
        ({"job": {"name": "job"}}, "/job/namespace", "found nothing"),
        ({"job": {"namespace": "", "name": "job"}}, "/job/namespace", "empty"),
        ({"job": {"namespace": "x", "name": ["job"]}}, "/job/name", "an array"),
        ({"inputs": {}}, "/inputs", "found an object"),
        ({"inputs": [dataset("a"), None]}, "/inputs/1", "found null"),
        ({"outputs": [dataset("")]}, "/outputs/0/name", "empty"),
        ({"outputs": [dataset("ü" * 4097)]}, "/outputs/0/name", "at most 8192 bytes, found 8194"),
    ],
)
def test_a_fault_is_refused_with_a_pointer_to_it(members: dict[str, Any], pointer: str, words: str) -> None:
    error = refused(run_event(**members))

    assert error.pointer == pointer
    assert words in error.message


@pytest.mark.parametrize(
    "value", [[], [run_event()], "text", 3, None, {}, {"eventTime": "2024-10-17T09:18:27Z"}]
)
def test_what_is_no_event_is_refused(value: Any) -> None:
    assert "expected" in refused(value).message


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        (run_event(job={"namespace": "a", "name": "b\0"}), "/job/name"),
        (run_event(run={"runId": RUN_ID, "facets": {"x": {"a/b": ["", "\0"]}}}), "/run/facets/x/a~1b/1"),
        (run_event(extra={"key\0": 1}), "/extra"),
    ],
)
def test_nul_is_refused_wherever_it_stands(event: dict[str, Any], pointer: str) -> None:
    assert refused(event).pointer == pointer


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert received(run_event(extra="\\u0000")).kind == "run"


def nested(levels: int) -> bytes:
    inner = b'{"a":' * levels + b"0" + b"}" * levels
    return orjson.dumps(run_event(extra=0)).replace(b'"extra":0', b'"extra":' + inner)


def test_nesting_is_bounded() -> None:
    limits = Limits(max_depth=10)

    assert receive_event(nested(9), limits).kind == "run"
    with pytest.raises(InvalidEvent) as caught:
        receive_event(nested(10), limits)
    assert caught.value.pointer == "/extra" + "/a" * 9
    assert "at most 10 levels" in caught.value.message


@pytest.mark.parametrize("levels", [64, 300, 1020, 1100, 100_000])
def test_absurd_nesting_is_refused_without_harm(levels: int) -> None:
    with pytest.raises(InvalidEvent, match=r"levels of nesting|far too deep"):
        receive_event(nested(levels), LIMITS)


def test_a_generous_depth_setting_stays_safe() -> None:
    limits = Limits(max_depth=5000)

    assert receive_event(nested(249), limits).kind == "run"
    with pytest.raises(InvalidEvent, match="at most 250 levels"):
        receive_event(nested(250), limits)


def test_brackets_within_text_are_no_nesting() -> None:
    assert received(run_event(extra="[{" * 500)).kind == "run"


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"{",
            b"\xff\xfe{}",
            b'{"a":"\xff"}',
            b'{"a":"\\ud800"}',
            b'{"a":NaN}',
            b'{"a":1e999}',
            b"{'a':1}",
        ),
        *(b'{"a":1}x', b'\xef\xbb\xbf{"a":1}', b'{"a":"\x00"}', b'{"a":' + b"1" * 5000 + b"}"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        receive_event(body, LIMITS)


def test_an_event_over_the_limit_is_refused_before_it_is_read() -> None:
    body = orjson.dumps(run_event())

    assert receive_event(body, Limits(max_event_bytes=len(body))).kind == "run"
    with pytest.raises(PayloadTooLarge, match=f"the limit is {len(body) - 1}"):
        receive_event(body, Limits(max_event_bytes=len(body) - 1))
