import contextlib
import gzip
import json
import random
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from catalog.errors import HeadwaterError, InvalidEvent, InvalidInput, InvalidJson, PayloadTooLarge
from catalog.openlineage.canonical import EXACT_DECODER, canonical_form, parse_json
from catalog.openlineage.events import parse_event
from catalog.openlineage.receive import (
    Limits,
    ReceivedEvent,
    Redactor,
    decode_body,
    receive_batch,
    receive_event,
)
from catalog.openlineage.times import parse_time
from catalog.redaction import may_hold_secret, redact_text
from tests.support.openlineage_events import LIMITS, dataset, received, run_event

#: A loaded machine may stall any example; only what is asserted counts.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
JSON = st.recursive(
    SCALARS,
    lambda children: st.one_of(
        st.lists(children, max_size=4),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), children, max_size=4),
    ),
    max_leaves=12,
)
#: Events whose members may each be anything.
ODD_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "eventTime": st.one_of(JSON, st.just("2024-01-01T00:00:00Z")),
        "eventType": st.one_of(JSON, st.just("START")),
        "run": st.one_of(JSON, st.fixed_dictionaries({"runId": JSON | st.uuids().map(str)}, optional={"facets": JSON})),
        "job": st.one_of(JSON, st.fixed_dictionaries({"namespace": JSON, "name": st.text()}), st.just(dataset("j"))),
        "dataset": st.one_of(JSON, st.just(dataset("t"))),
        "inputs": st.one_of(JSON, st.lists(st.builds(lambda facets: dataset("a", facets=facets), JSON), max_size=2)),
        "outputs": JSON,
    },
)  # fmt: skip
KNOWN_FACETS = (
    *(
        "schema",
        "version",
        "symlinks",
        "lifecycleStateChange",
        "documentation",
        "lineage",
        "parent",
        "parentRun",
    ),
    *(
        "nominalTime",
        "errorMessage",
        "extractionError",
        "jobType",
        "outputStatistics",
        "inputStatistics",
        "subset",
    ),
)
#: What facets hold under the names that are looked at, with values that may be anything.
MEMBERS = (
    *(
        "fields",
        "inputs",
        "entries",
        "identifiers",
        "name",
        "namespace",
        "type",
        "run",
        "job",
        "root",
        "runId",
    ),
    *(
        "datasetVersion",
        "lifecycleStateChange",
        "previousIdentifier",
        "description",
        "message",
        "rowCount",
        "size",
    ),
    *(
        "nominalStartTime",
        "outputCondition",
        "inputCondition",
        "partitions",
        "dimensions",
        "failedTasks",
        "errors",
    ),
)
FACET = st.recursive(
    st.one_of(
        SCALARS, st.sampled_from(["DATASET", "JOB", "RENAME", "partition", "2024-01-01T00:00:00Z", "n"])
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.sampled_from(MEMBERS), children, max_size=4)
    ),
    max_leaves=15,
)
FACETS = st.dictionaries(st.sampled_from(KNOWN_FACETS), FACET, max_size=5)
OURS = (InvalidJson, InvalidEvent, PayloadTooLarge)


def shuffled(value: Any, seed: random.Random) -> Any:
    """Return an equal value with the keys of its objects in another order."""
    match value:
        case dict():
            items = [(key, shuffled(item, seed)) for key, item in value.items()]
            seed.shuffle(items)
            return dict(items)
        case list():
            return [shuffled(item, seed) for item in value]
        case _:
            return value


@unhurried
@given(body=st.binary(max_size=200))
@example(b"[[]]")
@example(b'{"a":"\\ud800"}')
@example(b"-")
def test_bytes_that_are_no_event_give_our_errors_only(body: bytes) -> None:
    with contextlib.suppress(*OURS):
        receive_event(body, LIMITS)
    with contextlib.suppress(*OURS, InvalidInput):
        receive_batch(body, LIMITS)
    for encoding in (None, "gzip", "br"):
        with contextlib.suppress(HeadwaterError):
            decode_body(body, encoding, 1000)


@unhurried
@given(event=st.one_of(JSON, ODD_EVENTS))
def test_json_that_is_no_event_gives_our_errors_only(event: Any) -> None:
    body = json.dumps(event).encode()
    try:
        alone: ReceivedEvent | HeadwaterError = receive_event(body, LIMITS)
    except OURS as error:
        alone = error

    (in_batch,) = receive_batch(b"[" + body + b"]", LIMITS)

    if isinstance(alone, ReceivedEvent):
        assert in_batch == alone
        assert parse_event(alone.body, alone.digest).event_time == alone.event_time
    else:
        assert isinstance(in_batch, HeadwaterError)
        assert (in_batch.code, in_batch.message) == (alone.code, alone.message)


@unhurried
@given(run=FACETS, job=FACETS, facets=FACETS, role=FACETS)
def test_no_facet_makes_an_event_invalid(run: Any, job: Any, facets: Any, role: Any) -> None:
    event = run_event(
        run={"runId": "r", "facets": run},
        job={"namespace": "s", "name": "j", "facets": job},
        inputs=[dataset("a", facets=facets, inputFacets=role)],
        outputs=[dataset("b", facets=facets, outputFacets=role)],
    )
    if "\\u0000" in json.dumps(event):
        return
    known = receive_event(json.dumps(event).encode(), LIMITS)

    read = parse_event(known.body, known.digest)

    assert len(read.schemas) <= 1


@unhurried
@given(
    value=JSON,
    seed=st.randoms(use_true_random=False),
    indent=st.none() | st.integers(0, 3),
    ascii_only=st.booleans(),
)
def test_the_digest_depends_on_the_value_alone(
    value: Any, seed: random.Random, indent: int | None, ascii_only: bool
) -> None:
    one = json.dumps(value).encode()
    other = (
        json.dumps(shuffled(value, seed), indent=indent, ensure_ascii=ascii_only).replace("/", "\\/").encode()
    )

    assert canonical_form(parse_json(one)) == canonical_form(parse_json(other))


@unhurried
@given(value=JSON)
def test_both_parsers_read_the_same(value: Any) -> None:
    text = json.dumps(value)

    assert canonical_form(EXACT_DECODER.decode(text)) == canonical_form(parse_json(text.encode()))
    assert canonical_form(parse_json(canonical_form(value))) == canonical_form(value)


@unhurried
@given(one=JSON, other=JSON)
def test_values_that_differ_have_canonical_forms_that_differ(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

    assert (canonical_form(one) == canonical_form(other)) is same


@unhurried
@given(events=st.lists(JSON, max_size=5), blank=st.sampled_from(["", " ", "\n\t"]))
def test_a_batch_is_its_events(events: list[Any], blank: str) -> None:
    texts = [json.dumps(run_event(extra=event), ensure_ascii=False) for event in events]
    body = f"{blank}[{blank}{f'{blank},{blank}'.join(texts)}{blank}]{blank}".encode()

    results = receive_batch(body, LIMITS)

    assert len(results) == len(texts)
    for text, result in zip(texts, results, strict=True):
        if isinstance(result, ReceivedEvent):
            assert result.redactions or result.body == text.encode()
            assert result == receive_event(text.encode(), LIMITS)
        else:
            assert isinstance(result, InvalidEvent)


@unhurried
@given(body=st.binary(max_size=5000), pieces=st.integers(1, 4), limit=st.integers(0, 6000))
def test_gzip_gives_back_what_was_compressed(body: bytes, pieces: int, limit: int) -> None:
    size = len(body) // pieces + 1
    stream = b"".join(
        gzip.compress(body[start : start + size]) for start in range(0, len(body), size)
    ) or gzip.compress(b"")

    try:
        assert decode_body(stream, "gzip", limit) == body
    except PayloadTooLarge:
        assert len(body) > limit
    else:
        assert len(body) <= limit


PIECES = st.sampled_from(
    [
        *(
            "://",
            ":\\/\\/",
            "u",
            "s3cret",
            ":",
            "@",
            "/",
            "?",
            "&",
            ";",
            "=",
            " ",
            "password",
            "PWD",
            "token",
            "sig",
        ),
        *(
            "'",
            '"',
            "\\",
            "{",
            "}",
            "[",
            "]",
            "8080",
            ",",
            "h",
            "jdbc:oracle:thin:",
            "access_key",
            "#",
            "é",
            "[redacted]",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@unhurried
@given(text=TEXTS)
def test_redacting_again_changes_nothing(text: str) -> None:
    once = redact_text(text)

    assert redact_text(once) == once


@unhurried
@given(text=TEXTS)
def test_no_secret_passes_the_quick_look(text: str) -> None:
    if redact_text(text) != text:
        assert may_hold_secret(orjson.dumps({"a": text}))


@unhurried
@given(texts=st.lists(TEXTS, max_size=3), key=TEXTS)
def test_a_redacted_event_has_nothing_left_to_redact(texts: list[str], key: str) -> None:
    once = received(run_event(custom={key: texts}))

    again = receive_event(once.body, LIMITS, redactor=Redactor())

    assert (again.redactions, again.digest, again.body) == ((), once.digest, once.body)


@unhurried
@given(
    instant=st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001  # the zone is drawn beside
    offset=st.integers(-86_399, 86_399),
)
def test_times_are_read_as_python_writes_them(instant: datetime, offset: int) -> None:
    local = instant.replace(tzinfo=timezone(timedelta(seconds=offset)))

    assert parse_time(local.isoformat()) == local
    assert parse_time(instant.isoformat()) == instant.replace(tzinfo=UTC)


@unhurried
@given(text=st.text(alphabet="0123456789-:.TZ+ ", max_size=30))
def test_any_text_is_a_time_or_an_error_of_value(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_time(text).utcoffset() == timedelta(0)


@unhurried
@given(
    run_id=st.one_of(
        st.uuids(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
    )
)
def test_every_run_id_names_one_run(run_id: uuid.UUID | str) -> None:
    first, second = (received(run_event(run={"runId": str(run_id)}, extra=extra)) for extra in (1, 2))

    assert first.run_id == second.run_id
    assert first.run_id_derived is isinstance(run_id, str)
    if isinstance(run_id, uuid.UUID):
        assert first.run_id == run_id


@unhurried
@given(depth=st.integers(1, 300), limit=st.integers(1, 300))
def test_depth_is_bounded_exactly(depth: int, limit: int) -> None:
    body = orjson.dumps(run_event(extra=0)).replace(b'"extra":0', b'"extra":' + b"[" * depth + b"]" * depth)

    try:
        receive_event(body, Limits(max_depth=limit))
    except InvalidEvent:
        assert depth + 1 > min(limit, 250)
    else:
        assert depth + 1 <= min(limit, 250)
