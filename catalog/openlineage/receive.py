"""Received bytes become a valid, redacted, digested event; what is stored of it is what stands here.

receive_event(body, limits, *, redactor=Redactor(), parsed=None) -> ReceivedEvent
receive_batch(body, limits, *, redactor=Redactor()) -> list[ReceivedEvent | HeadwaterError]
decode_body(body, content_encoding, limit) -> bytes
split_batch(body, limits) -> Iterator[BatchItem]
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from catalog.errors import HeadwaterError, InvalidEvent, PayloadTooLarge
from catalog.keys import JobKey
from catalog.openlineage.batch import BatchItem, split_batch
from catalog.openlineage.canonical import (
    canonical_form,
    check_depth,
    check_no_nul,
    digest_of,
    json_form,
    parse_json,
)
from catalog.openlineage.decoding import decode_body
from catalog.openlineage.envelope import DatasetEnvelope, EventKind, JobEnvelope, RunEnvelope, envelope_of
from catalog.openlineage.limits import Limits
from catalog.openlineage.redaction import Redactor

__all__ = [
    "BatchItem",
    "Limits",
    "ReceivedEvent",
    "Redactor",
    "decode_body",
    "receive_batch",
    "receive_event",
    "split_batch",
]

_PASSWORDS_ONLY = Redactor()


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """A valid event without secrets.

    `digest` (16 bytes) is equal for events that are equal as JSON values after redaction. `body` is what was
    received, byte for byte, or, where `redactions` names JSON pointers, the redacted event written anew.
    `event_time` is UTC. `run_id_derived` says that the producer's run id was no UUID, and `run_id` was made
    from it and the job's name.
    """

    digest: bytes
    body: bytes
    redactions: tuple[str, ...]
    kind: EventKind
    event_time: datetime
    run_id: uuid.UUID | None
    run_id_derived: bool
    job: JobKey | None


def receive_event(
    body: bytes, limits: Limits, *, redactor: Redactor = _PASSWORDS_ONLY, parsed: Any = None
) -> ReceivedEvent:
    """Return the event that the body holds; `parsed` is its value where `split_batch` has read it already.

    Raises only `InvalidJson`, `InvalidEvent` with a JSON pointer to the fault, and `PayloadTooLarge`.
    """
    if len(body) > limits.max_event_bytes:
        message = f"the event has {len(body)} bytes, the limit is {limits.max_event_bytes}"
        raise PayloadTooLarge(message, limit=limits.max_event_bytes)
    value = parse_json(body) if parsed is None else parsed
    # Counting brackets, those within texts too, is a thousand times cheaper and usually enough.
    if body.count(b"{") + body.count(b"[") > limits.depth:
        check_depth(value, limits.depth)
    canonical = canonical_form(value)
    check_no_nul(value, canonical)
    value, redactions = redactor.redact(value, canonical)
    if redactions:
        body, canonical = json_form(value), canonical_form(value)
    envelope = envelope_of(value)
    digest = digest_of(canonical)
    match envelope:
        case RunEnvelope(event_time=time, run_id=run_id, run_id_derived=derived, job=job):
            return ReceivedEvent(digest, body, redactions, "run", time, run_id, derived, job)
        case JobEnvelope(event_time=time, job=job):
            # Only runs have a type. Taken for a JobEvent, the end of a run would silently make nothing due.
            if value.get("eventType") is not None:
                raise InvalidEvent(
                    "expected the run that the eventType is about, found nothing", pointer="/run"
                )
            return ReceivedEvent(digest, body, redactions, "job", time, None, False, job)
        case DatasetEnvelope(event_time=time):
            return ReceivedEvent(digest, body, redactions, "dataset", time, None, False, None)
        case _:
            assert_never(envelope)


def receive_batch(
    body: bytes, limits: Limits, *, redactor: Redactor = _PASSWORDS_ONLY
) -> list[ReceivedEvent | HeadwaterError]:
    """Return for each element of the array the event, or why it is refused.

    Raises `InvalidInput`, `InvalidJson` or `PayloadTooLarge` where the batch as a whole is refused. Takes
    about 40 µs an event, so call it off the event loop.
    """
    return [_received(item, limits, redactor) for item in split_batch(body, limits)]


def _received(item: BatchItem, limits: Limits, redactor: Redactor) -> ReceivedEvent | HeadwaterError:
    try:
        return receive_event(item.body, limits, redactor=redactor, parsed=item.value)
    except HeadwaterError as error:
        return error
