"""Delivery: a job takes a webhook's messages one after another, signs, sends, and records what came of each.

One job at a time counts for a webhook: the one whose ticket stands in its row, and of its executions the last that
took hold of it. Whatever another one did is not recorded, so after a crash a message may be sent again and none is
left out. No database transaction is open while a receiver is waited for.
"""

import asyncio
import datetime as dt
import http
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import psycopg
import structlog
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.documents.webhook import Webhook, WebhookSpec
from catalog.errors import SecretUnavailable
from catalog.facts import FactKind, command
from catalog.forms import stored
from catalog.ledger import append_facts
from catalog.redaction import redact_text
from hooks.jobs import enqueue_jobs
from hooks.launchers.secret import SecretReference
from hooks.outbound import Answered, Bounds, Exchange, NotSent, OutboundClient, OutboundRequest, Unanswered
from hooks.outbound.retry_after import retry_after
from hooks.webhooks.queue import QUERIES, NewMessages, Subscriber, delivery_job, installation_of
from hooks.webhooks.signing import key_of, signed_headers
from hooks.webhooks.stream import read_stream
from policies.webhooks import GONE, is_taken, next_try

log = structlog.get_logger(__name__)

#: After so long a job hands over to the next one, in seconds; what it has begun to send it waits for.
JOB_SECONDS = 0.8
#: Wait after a fault that is ours, such as a secret that cannot be read: it counts for no attempt.
BLOCKED_WAIT = dt.timedelta(seconds=30)
#: Places of the stream that are read at once for a webhook that is behind.
CATCH_UP = 200
#: Delivered messages that are kept to be shown; some more until they are removed together.
KEPT_DELIVERED, PRUNED_TOGETHER = 1_000, 100
#: With so many dead letters a webhook is paused: nobody looks, and each further one would only add to them.
MOST_DEAD = 10_000
#: Nothing of an answer is kept, and a receiver is not made to break off for a few words.
ANSWER_BYTES = 64 * 1024
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What the jobs of one worker need."""

    database: Engine
    client: OutboundClient
    secrets_folder: Path
    now: Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class Claim:
    """One execution of one job."""

    webhook: str
    ticket: int
    holder: uuid.UUID

    @property
    def parameters(self) -> dict[str, Any]:
        """What statements find it by."""
        return {"webhook": self.webhook, "ticket": self.ticket, "holder": self.holder}


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is to be sent now; `attempts` were made before."""

    number: int
    id: uuid.UUID
    type: str
    position: int
    payload: bytes
    attempts: int
    next_attempt_at: dt.datetime | None

    @property
    def name(self) -> str:
        """The identity as receivers see it."""
        return f"msg_{self.id.hex}"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing was sent, and it is not the receiver's fault."""

    reason: str


Outcome = Exchange | Blocked


async def deliver(context: DeliveryContext, webhook: str, ticket: int) -> None:
    """Deliver the webhook's next messages for a while; whatever is left is left to a job that is enqueued then."""
    claim = Claim(webhook, ticket, uuid.uuid4())
    began = time.monotonic()
    spec = await asyncio.to_thread(_take_hold, context, claim)
    while spec is not None:
        message = await asyncio.to_thread(_next_message, context, claim)
        if message is None:
            return
        outcome = await send(context, spec, message)
        if not await asyncio.to_thread(_record, context, claim, spec, message, outcome):
            return
        if time.monotonic() - began > JOB_SECONDS:
            await asyncio.to_thread(_hand_over, context, claim)
            return


async def probe(context: DeliveryContext, webhook: str, message_id: uuid.UUID) -> None:
    """Send the test once, whatever waits before it and whether or not the webhook is paused, and record the outcome."""
    found = await asyncio.to_thread(_read_test, context, webhook, message_id)
    if found is None:
        return
    spec, message = found
    outcome = await send(context, spec, message)
    await asyncio.to_thread(_record_test, context, message, outcome)


async def send(context: DeliveryContext, spec: WebhookSpec, message: Message) -> Outcome:
    """Sign the message as it is now, send it, and return what came of it."""
    try:
        keys = await asyncio.to_thread(_keys, context, spec)
    except SecretUnavailable as error:
        return Blocked(error.message)
    headers = signed_headers(message.name, int(context.now().timestamp()), message.payload, keys)
    request = OutboundRequest(
        "POST",
        spec.url,
        {"content-type": "application/json", **headers},
        body=message.payload,
        # Who is told is who the document names: a receiver that can be made to redirect tells nobody else.
        own_origin_only=True,
    )
    seconds = spec.timeout.total_seconds()
    return await context.client.send(request, Bounds(min(CONNECT_SECONDS, seconds), seconds, ANSWER_BYTES))


def _keys(context: DeliveryContext, spec: WebhookSpec) -> list[bytes]:
    names = (spec.secret, *spec.previous_secrets)
    return [key_of(SecretReference.parse(name).read(context.secrets_folder), name=name) for name in names]


def _take_hold(context: DeliveryContext, claim: Claim) -> WebhookSpec | None:
    """Let this execution be the one that counts; None where its ticket does not count any more."""
    with translated_errors(), context.database.begin() as connection:
        raw = driver_connection(connection)
        if raw.execute(QUERIES["claim"], claim.parameters).fetchone() is None:
            return None
        return _spec_of(raw, claim.webhook)


def _spec_of(connection: psycopg.Connection[Any], webhook: str) -> WebhookSpec | None:
    row = connection.execute(QUERIES["current_document"], {"webhook": webhook}).fetchone()
    return None if row is None else stored(Webhook, row[0]).spec


def _next_message(context: DeliveryContext, claim: Claim) -> Message | None:
    """Return what is to be sent now; where there is nothing, the webhook rests or has a job for when there is."""
    with translated_errors(), context.database.begin() as connection:
        raw = driver_connection(connection)
        message = _head(raw, claim)
        if message is None:
            if not _catch_up(raw, claim):
                raw.execute(QUERIES["rest"], claim.parameters)
                return None
            message = _head(raw, claim)
        if message is None:
            _schedule(raw, claim, at=None)
            return None
        if message.next_attempt_at is not None and message.next_attempt_at > context.now():
            _schedule(raw, claim, at=message.next_attempt_at)
            return None
        return message


def _head(connection: psycopg.Connection[Any], claim: Claim) -> Message | None:
    row = connection.execute(QUERIES["head"], claim.parameters).fetchone()
    return None if row is None else Message(*row)


def _catch_up(connection: psycopg.Connection[Any], claim: Claim) -> bool:
    """Make messages of what was followed while the webhook was behind; return whether there was anything.

    The follower waits meanwhile, so that no place is left out between the two.
    """
    row = connection.execute(QUERIES["cursor_held"]).fetchone()
    cursor = int(row[0]) if row else 0
    found = connection.execute(QUERIES["subscriber"], claim.parameters).fetchone()
    if found is None:
        return False
    subscriber = Subscriber.from_row(found)
    if subscriber.filled_to >= cursor:
        return False
    records = read_stream(connection, after=subscriber.filled_to, until=cursor, limit=CATCH_UP)
    # What the follower could not apply it gives to this webhook too, once it can.
    parked = {place for (place,) in connection.execute(QUERIES["parked"], {"after": subscriber.filled_to})}
    messages = NewMessages(installation_of(connection))
    for record in records:
        for event in record.events if record.place not in parked else ():
            messages.add(event, [subscriber])
    messages.flush(connection)
    place = records[-1].place if len(records) == CATCH_UP else cursor
    connection.execute(QUERIES["fill"], {"webhooks": [claim.webhook], "places": [place]})
    return True


def _hand_over(context: DeliveryContext, claim: Claim) -> None:
    with translated_errors(), context.database.begin() as connection:
        _schedule(driver_connection(connection), claim, at=None)


def _schedule(connection: psycopg.Connection[Any], claim: Claim, *, at: dt.datetime | None) -> None:
    """Give the webhook another job, unless this execution does not count any more."""
    row = connection.execute(QUERIES["next_ticket"], claim.parameters).fetchone()
    if row is not None:
        enqueue_jobs(connection, [delivery_job(claim.webhook, int(row[0]), at=at)])


def _record(
    context: DeliveryContext, claim: Claim, spec: WebhookSpec, message: Message, outcome: Outcome
) -> bool:
    """Write what came of the message; return whether this execution goes on."""
    with translated_errors(), context.database.begin() as connection:
        raw = driver_connection(connection)
        match outcome:
            case Answered(status) if is_taken(status):
                return _record_delivered(raw, claim, message, status, context.now())
            case Answered(status) if status == GONE:
                _record_failed(
                    raw, claim, message, _Failure("answered 410 Gone", status), context.now(), context.now()
                )
                _pause(raw, claim, "the receiver answered 410 Gone", message, context.now())
                return False
            case Answered(status, headers):
                failure = _Failure(f"answered {status} {_phrase(status)}".rstrip(), status)
                not_before = retry_after(headers.get("retry-after"), context.now())
            case NotSent(reason) | Unanswered(reason):
                failure, not_before = _Failure(redact_text(reason)), None
            case Blocked(reason):
                blocked = _Failure(redact_text(reason), counts=False)
                now = context.now()
                return _record_failed(raw, claim, message, blocked, now, now + BLOCKED_WAIT) is not None
            case _:
                assert_never(outcome)
        now = context.now()
        attempt = message.attempts + 1
        at = next_try(spec.retries, attempt, seed=str(message.id), now=now, not_before=not_before)
        dead = _record_failed(raw, claim, message, failure, now, at)
        if dead is not None and dead >= MOST_DEAD:
            _pause(raw, claim, f"there are {dead} dead letters", message, now)
            return False
        return dead is not None


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why an attempt failed; `counts` unless it was none."""

    reason: str
    status: int | None = None
    counts: bool = True


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def _record_delivered(
    connection: psycopg.Connection[Any], claim: Claim, message: Message, status: int, at: dt.datetime
) -> bool:
    row = connection.execute(
        QUERIES["delivered"], claim.parameters | {"number": message.number, "status": status, "at": at}
    ).fetchone()
    if row is None:
        return False
    if row[0] % PRUNED_TOGETHER == 0:
        connection.execute(QUERIES["prune"], {"webhook": claim.webhook, "kept": KEPT_DELIVERED})
    return True


def _record_failed(
    connection: psycopg.Connection[Any],
    claim: Claim,
    message: Message,
    failure: _Failure,
    at: dt.datetime,
    next_attempt_at: dt.datetime | None,
) -> int | None:
    """Write that the attempt failed; return how many dead letters there are, None where the claim does not count."""
    row = connection.execute(
        QUERIES["failed"],
        claim.parameters
        | {
            "number": message.number,
            "status": failure.status,
            "error": failure.reason,
            "counts": int(failure.counts),
            "at": at,
            "next": next_attempt_at,
        },
    ).fetchone()
    if row is None:
        return None
    log.warning(
        "webhook.not_delivered",
        webhook=claim.webhook,
        message=message.name,
        position=message.position,
        attempt=message.attempts + 1,
        reason=failure.reason,
        next=None if next_attempt_at is None else next_attempt_at.isoformat(),
    )
    return int(row[0])


def _pause(
    connection: psycopg.Connection[Any], claim: Claim, reason: str, message: Message, at: dt.datetime
) -> None:
    """Stop at once, and say so in the ledger, where pausing and resuming have their order."""
    if (
        connection.execute(QUERIES["pause"], claim.parameters | {"reason": reason, "at": at}).fetchone()
        is None
    ):
        return
    log.warning("webhook.paused", webhook=claim.webhook, reason=reason)
    body = {"webhook": claim.webhook, "reason": reason}
    key = f"{claim.webhook}:{message.name}:{claim.ticket}"
    append_facts(connection, [command(FactKind.WEBHOOK_PAUSE, body, actor="headwater", key=key)])


def _read_test(
    context: DeliveryContext, webhook: str, message_id: uuid.UUID
) -> tuple[WebhookSpec, Message] | None:
    with translated_errors(), context.database.begin() as connection:
        raw = driver_connection(connection)
        spec = _spec_of(raw, webhook)
        row = raw.execute(QUERIES["test_message"], {"webhook": webhook, "id": message_id}).fetchone()
        return None if spec is None or row is None else (spec, Message(*row))


def _record_test(context: DeliveryContext, message: Message, outcome: Outcome) -> None:
    status: int | None = None
    error: str | None = None
    match outcome:
        case Answered(answered):
            status = answered
            error = None if is_taken(answered) else f"answered {answered} {_phrase(answered)}".rstrip()
        case NotSent(reason) | Unanswered(reason) | Blocked(reason):
            error = redact_text(reason)
        case _:
            assert_never(outcome)
    parameters = {
        "number": message.number,
        "state": "delivered" if error is None else "failed",
        "at": context.now(),
        "status": status,
        "error": error,
    }
    with translated_errors(), context.database.begin() as connection:
        driver_connection(connection).execute(QUERIES["test_ended"], parameters)
