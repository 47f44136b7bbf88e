"""Webhooks, and what is on its way to them."""

import datetime as dt
from enum import Enum

import strawberry
from strawberry.scalars import JSON

from web.graphql.connections import Connection
from web.graphql.loaders.documents import documents_by_version
from web.graphql.loaders.webhooks import (
    WebhookDeliveryRecord,
    WebhookRecord,
    delivery_pages,
    oldest_waiting,
)
from web.graphql.pages import NESTED_FIRST, Page
from web.graphql.records import DocumentRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import enum_type, object_type, plain, resolved, word
from web.graphql.types.references import DocumentType


@enum_type
class WebhookState(Enum):
    """Whether messages are sent to a webhook."""

    ACTIVE = word("active", "They are sent.")
    PAUSED = word("paused", "Nothing is sent; what happens is told once it is resumed.")


@enum_type
class WebhookDeliveryState(Enum):
    """Where a message stands."""

    PENDING = word("pending", "It waits to be sent, or to be sent again.")
    DELIVERED = word("delivered", "The receiver has it.")
    DEAD = word("dead", "The last attempt failed; it is kept until somebody sends it again.")
    TEST = word("test", "A test that is on its way.")
    FAILED = word("failed", "A test that did not arrive; it is not sent again.")


@object_type
class WebhookDelivery:
    """A message to a webhook."""

    id: strawberry.ID = plain("Its `webhook-id`: every attempt, and a replay too, has the same.")
    type: str = plain("What happened, such as version.published.")
    position: Long = plain("Ledger position of the fact that made it so.")
    at: dt.datetime = plain("When that was received.")
    state: WebhookDeliveryState = plain("Where it stands.")
    attempts: int = plain("How often it was sent.")
    next_attempt_at: dt.datetime | None = plain("When it is sent again; null where it is not, or at once.")
    last_attempt_at: dt.datetime | None = plain("When it was sent last.")
    status: int | None = plain("HTTP status of the last attempt; null where there was no answer.")
    error: str | None = plain("Why the last attempt failed.")
    body: JSON = plain("What is sent, byte by byte.")


def _owner(root: WebhookRecord) -> str:
    """Who answers for it."""
    return root.document.metadata.owner


def _description(root: WebhookRecord) -> str:
    """What it is for."""
    return root.document.metadata.description


def _url(root: WebhookRecord) -> str:
    """Where messages are posted to."""
    return root.document.spec.url


def _events(root: WebhookRecord) -> list[str]:
    """What it is told, as its document says."""
    return list(root.document.spec.events)


def _oldest_waiting_at(root: WebhookRecord) -> dt.datetime | None:
    """When that was heard of which the first message that waits tells; null where none waits."""
    return root.cohort.ask(oldest_waiting).get(root.name)


def _document(root: WebhookRecord) -> DocumentRecord:
    """The version of its document that holds."""
    keys = [("Webhook", member.name, member.document_version) for member in root.cohort.members]
    return documents_by_version(root.cohort.request, keys)["Webhook", root.name, root.document_version]


def _deliveries(
    root: WebhookRecord,
    first: int = NESTED_FIRST,
    after: str | None = None,
    states: list[WebhookDeliveryState] | None = None,
) -> Page[WebhookDeliveryRecord]:
    """Its messages, newest first: all that wait and all dead letters, and the last thousand that arrived."""
    chosen = None if states is None else tuple(state.value for state in states)
    return root.cohort.ask(delivery_pages, first, after, chosen)[root.name]


@object_type
class Webhook:
    """A receiver that is told of versions and pipeline runs, in order and at least once."""

    name: str = plain("Its name, unique among webhooks.")
    state: WebhookState = plain("Whether messages are sent to it.")
    reason: str = plain("Why it is paused; empty where it is not, or nobody said.")
    since: dt.datetime = plain("Since when it is in its state.")
    actor: str = plain("By whose doing; `headwater` where an answer of the receiver led to it.")
    document_version: int = plain("The version of its document that holds.")
    position: Long = plain("Ledger position up to which its messages have been made.")
    pending: Long = plain("Messages that wait.")
    dead: Long = plain("Dead letters: messages whose last attempt failed.")
    delivered: Long = plain("Messages that arrived since it was registered.")
    failed: Long = plain("Attempts that failed since it was registered.")
    last_delivered_at: dt.datetime | None = plain("When a message last arrived.")
    last_failed_at: dt.datetime | None = plain("When an attempt last failed.")
    last_error: str | None = plain("Why it failed.")
    owner = resolved(_owner, str)
    description = resolved(_description, str)
    url = resolved(_url, str)
    events = resolved(_events, list[str])
    oldest_waiting_at = resolved(_oldest_waiting_at, dt.datetime | None)
    document = resolved(_document, DocumentType)
    deliveries = resolved(_deliveries, Connection[WebhookDelivery])


@object_type
class WebhookCommand:
    """A command about a webhook that was accepted."""

    position: Long = plain("Its ledger position.")
    webhook: Webhook = plain("The webhook after it, if it was carried out within two seconds, else before.")


@object_type
class WebhookTest:
    """A test that is on its way."""

    position: Long = plain("Ledger position of the command.")
    delivery: WebhookDelivery | None = plain(
        "The message; null where it was not made within two seconds, as without a worker."
    )
