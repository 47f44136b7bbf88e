"""Fields of the mutation that are about webhooks."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

from catalog.errors import HeadwaterError
from catalog.facts import FactKind, command
from hooks.webhooks.outbox import identity_of_test
from hooks.webhooks.queue import installation_of
from web.access import Permission
from web.graphql.loaders.webhooks import (
    WebhookDeliveryRecord,
    WebhookRecord,
    delivery_of,
    followed_to,
    webhooks_by_name,
)
from web.graphql.query import Info
from web.graphql.request import QueryRequest
from web.graphql.scalars import Long

#: How long a command waits until it is carried out, in seconds: usually it is within a few hundredths.
CARRIED_OUT_SECONDS, LOOK_SECONDS = 2.0, 0.02


@dataclass(frozen=True, slots=True)
class WebhookCommandRecord:
    """A command about a webhook that was accepted."""

    position: int
    webhook: WebhookRecord


@dataclass(frozen=True, slots=True)
class WebhookTestRecord:
    """A test that was asked for."""

    position: int
    delivery: WebhookDeliveryRecord | None


def pause_webhook(
    info: Info, webhook: str, reason: str | None = None, idempotency_key: str | None = None
) -> WebhookCommandRecord:
    """Pause the webhook: nothing is sent, and what happens meanwhile is told once it is resumed."""
    return _about(info.context, FactKind.WEBHOOK_PAUSE, webhook, {"reason": reason}, idempotency_key)


def resume_webhook(info: Info, webhook: str, idempotency_key: str | None = None) -> WebhookCommandRecord:
    """Resume the webhook: it goes on where it stopped, at once."""
    return _about(info.context, FactKind.WEBHOOK_RESUME, webhook, {}, idempotency_key)


def replay_webhook(
    info: Info, webhook: str, from_position: Long, idempotency_key: str | None = None
) -> WebhookCommandRecord:
    """Send everything again that happened from the ledger position on, with the same identities, in order.

    What is sent is what the document and its filters say now, also of what happened before the webhook was registered.
    """
    body = {"position": from_position}
    return _about(info.context, FactKind.WEBHOOK_REPLAY, webhook, body, idempotency_key)


def retry_dead_deliveries(
    info: Info, webhook: str, idempotency_key: str | None = None
) -> WebhookCommandRecord:
    """Send the dead letters of the webhook again, before anything that is younger."""
    return _about(info.context, FactKind.WEBHOOK_RETRY_DEAD, webhook, {}, idempotency_key)


def send_webhook_test(info: Info, webhook: str, idempotency_key: str | None = None) -> WebhookTestRecord:
    """Send a test message once, before everything that waits and although the webhook may be paused."""
    request = info.context
    position = _submit(request, FactKind.WEBHOOK_TEST, webhook, {}, idempotency_key)
    identity = identity_of_test(request.read(installation_of), webhook, position)
    return WebhookTestRecord(position, delivery_of(request, webhook, identity))


def _about(
    request: QueryRequest, kind: FactKind, webhook: str, body: dict[str, Any], key: str | None
) -> WebhookCommandRecord:
    position = _submit(request, kind, webhook, body, key)
    found = webhooks_by_name(request, [webhook]).get(webhook)
    if found is None:
        raise HeadwaterError(f"expected webhook {webhook!r} after the command at {position}, found none")
    return WebhookCommandRecord(position, found)


def _submit(
    request: QueryRequest, kind: FactKind, webhook: str, body: dict[str, Any], key: str | None
) -> int:
    """Return the position of the command once it was accepted, and carried out if that takes no longer than usual."""
    principal = request.authorise(Permission.OPERATE)
    fact = command(kind, {"webhook": webhook, **body}, actor=principal.name, key=key or uuid.uuid4().hex)
    position, _ = request.command(fact)
    deadline = time.monotonic() + CARRIED_OUT_SECONDS
    while followed_to(request) < position and time.monotonic() < deadline:
        # The next look takes a snapshot of its own.
        request.close()
        time.sleep(LOOK_SECONDS)
    return position
