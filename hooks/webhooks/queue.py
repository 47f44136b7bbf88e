"""The messages of each webhook in their order: made from the stream, by the follower or by whoever catches up."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from catalog.documents.webhook import Webhook
from catalog.forms import stored
from catalog.queries import load_queries
from hooks.jobs import Job, enqueue_jobs
from hooks.webhooks.events import Event, message_identity, message_of, subject_of
from hooks.webhooks.payload import encode_message
from policies.webhooks import wants

QUERIES = load_queries(Path(__file__).with_name("webhooks.sql"))

#: Queue of the jobs that deliver; any worker takes them.
WEBHOOK_QUEUE = "webhooks"
ACTIVE, PAUSED = "active", "paused"
#: Messages that are made ahead for one webhook; more of them are made when these are delivered.
MOST_PENDING = 10_000


@dataclass(slots=True)
class Subscriber:
    """A webhook while messages are made for it; `filled_to` is the place up to which that is done."""

    name: str
    version: int
    state: str
    filled_to: int
    pending: int
    document: Webhook

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "Subscriber":
        """Return what a row of `subscribers` holds."""
        name, version, state, filled_to, pending, body = row
        return cls(name, version, state, filled_to, pending, stored(Webhook, body))

    @property
    def takes_more(self) -> bool:
        """Whether messages are made for it as things happen."""
        return self.state == ACTIVE and self.pending < MOST_PENDING


@dataclass(slots=True)
class NewMessages:
    """Messages that wait to be written, in their order."""

    installation: uuid.UUID
    _rows: list[tuple[str, uuid.UUID, str, int, dt.datetime, bytes]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, event: Event, subscribers: Sequence[Subscriber]) -> None:
        """Make the message about the event for those of the subscribers who want it."""
        subject = subject_of(event)
        told = [found for found in subscribers if wants(found.document.spec, subject)]
        if not told:
            return
        body = encode_message(message_of(event))
        for subscriber in told:
            identity = message_identity(self.installation, subscriber.name, event)
            self._rows.append((subscriber.name, identity, subject.type, event.position, event.at, body))
            subscriber.pending += 1

    def flush(self, connection: psycopg.Connection[Any]) -> None:
        """Write them behind what is there; one that is there already stays where it is."""
        if not self._rows:
            return
        names = ("webhooks", "ids", "types", "positions", "ats", "payloads")
        columns = dict(zip(names, map(list, zip(*self._rows, strict=True)), strict=True))
        connection.execute(QUERIES["add_messages"], columns)
        self._rows.clear()


def installation_of(connection: psycopg.Connection[Any]) -> uuid.UUID:
    """Return the installation's identity."""
    row = connection.execute(QUERIES["installation"]).fetchone()
    return row[0] if row else uuid.UUID(int=0)


def delivery_job(webhook: str, ticket: int, *, at: dt.datetime | None = None) -> Job:
    """Return the job that delivers the webhook's next messages, as long as its ticket is the one that counts."""
    arguments: Mapping[str, Any] = {"webhook": webhook, "ticket": ticket}
    return Job("headwater.webhook.deliver", WEBHOOK_QUEUE, arguments, at)


def probe_job(webhook: str, message: uuid.UUID) -> Job:
    """Return the job that sends a test once."""
    return Job("headwater.webhook.test", WEBHOOK_QUEUE, {"webhook": webhook, "message": str(message)})


def wake(connection: psycopg.Connection[Any], webhooks: Sequence[str], *, place: int) -> None:
    """Enqueue a delivery job for those of the webhooks that have something to do and no job.

    `place` is how far the stream is followed.
    """
    if webhooks:
        rows = connection.execute(QUERIES["wake"], {"webhooks": list(webhooks), "place": place})
        enqueue_jobs(connection, [delivery_job(name, ticket) for name, ticket in rows.fetchall()])


def revive(connection: psycopg.Connection[Any]) -> list[str]:
    """Give a job to every webhook whose job is gone, as after a restore; return their names.

    Within the caller's transaction.
    """
    row = connection.execute(QUERIES["cursor_held"]).fetchone()
    orphans = [name for (name,) in connection.execute(QUERIES["orphans"])]
    wake(connection, orphans, place=int(row[0]) if row else 0)
    return orphans
