"""The webhooks follower: the outbox stream turned into webhooks and into messages for them.

Rules stand in the stream where they were given, so what a webhook is told begins right after the document that
registered it, and goes by the document that held at that place.
"""

import uuid
from collections.abc import Sequence
from typing import Any, assert_never

import psycopg

from catalog.documents.webhook import Webhook
from catalog.facts import FactKind
from catalog.forms import WEBHOOK_FORM, stored
from catalog.keys import name_based_uuid
from catalog.observations import STATE_CHANNEL
from hooks.jobs import enqueue_jobs
from hooks.webhooks.events import OutboxRecord, Rule, WebhookCommanded, WebhookDeclared
from hooks.webhooks.payload import TEST_EVENT, ProbeData, ProbeMessage, encode_message
from hooks.webhooks.queue import (
    ACTIVE,
    PAUSED,
    QUERIES,
    NewMessages,
    Subscriber,
    installation_of,
    probe_job,
    wake,
)
from hooks.webhooks.stream import read_stream

#: Held by the worker that follows; others stand by.
WEBHOOK_FOLLOWER_LOCK = 0x6865616477_05


class WebhookLog:
    """The outbox stream as its follower reads it, and what it does with it."""

    name = "webhooks"
    form = WEBHOOK_FORM
    channel = STATE_CHANNEL

    def read(self, connection: psycopg.Connection[Any], *, after: int, limit: int) -> Sequence[OutboxRecord]:
        """Return the next records; while there is no webhook, only the one that may register the first."""
        row = connection.execute(QUERIES["any_webhook"]).fetchone()
        if row is None or not row[0]:
            return read_stream(connection, after=after, limit=1, with_events=False)
        return read_stream(connection, after=after, limit=limit)

    def apply(
        self,
        connection: psycopg.Connection[Any],
        records: Sequence[OutboxRecord],
        *,
        resumed: bool,  # noqa: ARG002 - nothing is remembered between batches
    ) -> None:
        """Write webhooks, messages and jobs."""
        row = connection.execute(QUERIES["cursor"]).fetchone()
        outbox = _Outbox(connection, cursor=int(row[0]) if row else 0)
        for record in records:
            outbox.take(record)
        outbox.finish()

    def cursor(self, record: OutboxRecord) -> int:
        """Return the record's place."""
        return record.place

    def forget(self) -> None:
        """Forget nothing, because nothing is remembered."""


class _Outbox:
    """One batch. A webhook that is behind the cursor is left to the job that brings it up."""

    def __init__(self, connection: psycopg.Connection[Any], *, cursor: int) -> None:
        self._connection = connection
        self._place = cursor
        self._messages = NewMessages(installation_of(connection))
        self._load()

    def _load(self) -> None:
        rows = self._connection.execute(QUERIES["subscribers"])
        self._subscribers = [Subscriber.from_row(row) for row in rows]

    def take(self, record: OutboxRecord) -> None:
        """Follow the rules of the place, then make messages of its events."""
        again = record.place <= self._place
        if record.rules:
            self._flush()
            for rule in record.rules:
                self._follow(rule, record.place)
            self._load()
        if again:
            # Parked before: whoever is behind this place comes by it yet.
            takers = [found for found in self._subscribers if found.filled_to >= record.place]
        else:
            takers = [
                found
                for found in self._subscribers
                if found.takes_more and self._place <= found.filled_to < record.place
            ]
        for event in record.events:
            self._messages.add(event, takers)
        if not again:
            for subscriber in self._subscribers:
                if subscriber in takers:
                    subscriber.filled_to = record.place
            self._place = record.place

    def finish(self) -> None:
        """Write what was made, and see that somebody delivers it."""
        self._flush()
        wake(self._connection, [found.name for found in self._subscribers], place=self._place)

    def _flush(self) -> None:
        self._messages.flush(self._connection)
        if self._subscribers:
            names = [found.name for found in self._subscribers]
            places = [found.filled_to for found in self._subscribers]
            self._connection.execute(QUERIES["fill"], {"webhooks": names, "places": places})

    def _follow(self, rule: Rule, place: int) -> None:
        self._connection.execute(QUERIES["lock"], {"webhook": rule.name})
        match rule:
            case WebhookDeclared(name=name, deleted=True):
                self._connection.execute(QUERIES["remove"], {"webhook": name})
            case WebhookDeclared():
                self._declare(rule, place)
            case WebhookCommanded():
                self._command(rule, place)
            case _:
                assert_never(rule)

    def _declare(self, rule: WebhookDeclared, place: int) -> None:
        """Register the webhook, or let the new document hold; what it says of `paused` holds too."""
        paused = stored(Webhook, rule.body).spec.paused
        parameters = {
            "webhook": rule.name,
            "version": rule.version,
            "state": PAUSED if paused else ACTIVE,
            "reason": "its document says so" if paused else "",
            "at": rule.at,
            "actor": rule.actor,
            "place": place,
        }
        self._connection.execute(QUERIES["register"], parameters)
        self._connection.execute(QUERIES["hurry"], {"webhook": rule.name})

    def _command(self, rule: WebhookCommanded, place: int) -> None:
        webhook = {"webhook": rule.name}
        match rule.command:
            case FactKind.WEBHOOK_PAUSE | FactKind.WEBHOOK_RESUME:
                paused = rule.command is FactKind.WEBHOOK_PAUSE
                state = {
                    "state": PAUSED if paused else ACTIVE,
                    "reason": (rule.arguments.get("reason") or "") if paused else "",
                    "at": rule.at,
                    "actor": rule.actor,
                }
                self._connection.execute(QUERIES["set_state"], webhook | state)
                self._connection.execute(QUERIES["hurry"], webhook)
            case FactKind.WEBHOOK_REPLAY:
                position = int(rule.arguments["position"])
                self._connection.execute(QUERIES["replay"], webhook | {"position": position})
            case FactKind.WEBHOOK_RETRY_DEAD:
                self._connection.execute(QUERIES["retry_dead"], webhook)
            case FactKind.WEBHOOK_TEST:
                self._test(rule, place)
            case _:
                raise ValueError(f"expected a command about a webhook, found {rule.command}")

    def _test(self, rule: WebhookCommanded, place: int) -> None:
        identity = identity_of_test(self._messages.installation, rule.name, rule.position)
        data = ProbeData(position=rule.position, webhook=rule.name, actor=rule.actor)
        parameters = {
            "webhook": rule.name,
            "id": identity,
            "type": TEST_EVENT,
            "position": place,
            "at": rule.at,
            "payload": encode_message(ProbeMessage(type="webhook.test", timestamp=rule.at, data=data)),
        }
        self._connection.execute(QUERIES["add_test"], parameters)
        enqueue_jobs(self._connection, [probe_job(rule.name, identity)])


def identity_of_test(installation: uuid.UUID, webhook: str, position: int) -> uuid.UUID:
    """Return the identity of the test that the command at the position asked for."""
    return name_based_uuid("webhook-test", str(installation), webhook, str(position))
