"""Webhooks and what is on its way to them."""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from catalog.documents.webhook import Webhook
from catalog.forms import stored
from catalog.queries import load_queries
from web.graphql.cohort import Record, in_cohort
from web.graphql.pages import LAST_LONG, Order, Page, check_first, counted_once, page_of, pages_by_parent
from web.graphql.request import QueryRequest
from web.graphql.scalars import raw_json

QUERIES = load_queries(Path(__file__).with_name("webhooks.sql"))

BY_NAME = Order("webhooks", (str,), ("",))
NEWEST_FIRST = Order("webhookDeliveries", (int,), (LAST_LONG,))


@dataclass(eq=False)
class WebhookRecord(Record):
    """A row of `webhook` with its document."""

    name: str
    document_version: int
    state: str
    reason: str
    since: dt.datetime
    actor: str
    position: int
    pending: int
    dead: int
    delivered: int
    failed: int
    last_delivered_at: dt.datetime | None
    last_failed_at: dt.datetime | None
    last_error: str | None
    body: Mapping[str, Any]

    @cached_property
    def document(self) -> Webhook:
        """The document as its model, defaults filled in."""
        return stored(Webhook, self.body)


@dataclass(slots=True, eq=False)
class WebhookDeliveryRecord(Record):
    """A row of `webhook_message`."""

    webhook: str
    number: int
    row_id: uuid.UUID
    type: str
    position: int
    at: dt.datetime
    payload: bytes
    state: str
    attempts: int
    next_attempt_at: dt.datetime | None
    last_attempt_at: dt.datetime | None
    status: int | None
    error: str | None

    @property
    def id(self) -> str:
        """The identity as receivers see it."""
        return f"msg_{self.row_id.hex}"

    @property
    def body(self) -> Any:
        """What is sent, byte by byte."""
        return raw_json(self.payload)


def webhooks_by_name(request: QueryRequest, names: Iterable[str]) -> dict[str, WebhookRecord]:
    """Return the webhooks that are registered under the names, one cohort."""
    rows = request.rows(QUERIES["by_name"], names=list(set(names)))
    return {record.name: record for record in in_cohort(request, [WebhookRecord(*row) for row in rows])}


def webhook_page(request: QueryRequest, *, first: int, after: str | None) -> Page[WebhookRecord]:
    """Return webhooks by name."""
    check_first(first)
    (name,) = BY_NAME.decode(after)
    rows = request.rows(QUERIES["page"], after=name, limit=first + 1)
    return page_of(
        request,
        [WebhookRecord(*row) for row in rows],
        first=first,
        after=after,
        order=BY_NAME,
        place_of=lambda record: (record.name,),
        count=lambda: int(request.rows(QUERIES["count"])[0][0]),
    )


def oldest_waiting(request: QueryRequest, members: Sequence[WebhookRecord]) -> Mapping[str, dt.datetime]:
    """Return since when the first message of each webhook waits, where one does."""
    return dict(request.rows(QUERIES["oldest"], names=[member.name for member in members]))


def delivery_pages(
    request: QueryRequest,
    members: Sequence[WebhookRecord],
    first: int,
    after: str | None,
    states: tuple[str, ...] | None,
) -> Mapping[str, Page[WebhookDeliveryRecord]]:
    """Return a page of each webhook's messages, newest first."""
    check_first(first)
    (number,) = NEWEST_FIRST.decode(after)
    names = [member.name for member in members]
    chosen = {"names": names, "states": None if states is None else list(states)}
    rows = request.rows(QUERIES["deliveries"], after=number, limit=first + 1, **chosen)
    return pages_by_parent(
        request,
        names,
        [(record.webhook, record) for record in (WebhookDeliveryRecord(*row) for row in rows)],
        first=first,
        after=after,
        order=NEWEST_FIRST,
        place_of=lambda record: (record.number,),
        count=counted_once(lambda: request.rows(QUERIES["delivery_counts"], **chosen)),
    )


def delivery_of(request: QueryRequest, webhook: str, message: uuid.UUID) -> WebhookDeliveryRecord | None:
    """Return the webhook's message of the identity, None where there is none, or none any more."""
    rows = request.rows(QUERIES["delivery"], webhook=webhook, id=message)
    records = in_cohort(request, [WebhookDeliveryRecord(*row) for row in rows])
    return records[0] if records else None


def followed_to(request: QueryRequest) -> int:
    """Return how far the stream of messages is followed, as a ledger position."""
    return int(request.rows(QUERIES["followed"])[0][0])
