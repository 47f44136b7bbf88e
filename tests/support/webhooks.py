"""Webhooks without processes: the followers stepped by hand, delivery jobs done one by one, a receiver on loopback."""

import asyncio
import base64
import datetime as dt
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine

from catalog.facts import FactKind, command
from catalog.follower import Follower
from hooks.outbound import OutboundClient, OutboundPolicy
from hooks.webhooks.delivering import DeliveryContext, deliver, probe
from hooks.webhooks.outbox import WebhookLog
from tests.support.http_double import Heard
from tests.support.spine import append, apply_fact, follow, parked

SECRET = "whsec_" + base64.b64encode(b"a key for tests, 32 bytes long..").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"another key, which is older.....").decode()


def webhook_body(name: str, url: str, events: list[str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a Webhook document."""
    return {
        "apiVersion": "headwater/v1",
        "kind": "Webhook",
        "metadata": {"name": name, "owner": "team"},
        "spec": {
            "url": url,
            "events": events or ["version.*", "pipeline_run.*"],
            "secret": "file:hook",
            **spec,
        },
    }


def webhook_follower(batch: int = 1000) -> Follower[Any]:
    """Return the follower as the worker has it."""
    return Follower(WebhookLog(), batch=batch, holder="test")


class Clock:
    """The time, which goes on only when it is told to."""

    def __init__(self) -> None:
        self.offset = dt.timedelta()

    def __call__(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.offset

    def forward(self, **time: float) -> None:
        """Let so much time pass."""
        self.offset += dt.timedelta(**time)


class Post:
    """A database, its followers, and a hand that does the delivery jobs that are due."""

    def __init__(
        self, connection: psycopg.Connection[Any], engine: Engine, secrets: Path, loop: asyncio.Runner
    ) -> None:
        self.connection = connection
        self.now = Clock()
        self._loop = loop
        self._client = OutboundClient(OutboundPolicy(allow_loopback=True))
        self.context = DeliveryContext(engine, self._client, secrets, self.now)
        self.follower = webhook_follower()

    def close(self) -> None:
        """Close what is open."""
        self._loop.run(self._client.aclose())

    def apply(self, *bodies: dict[str, Any]) -> int:
        """Apply the documents and follow them."""
        return self.tell(apply_fact(*bodies))

    def tell(self, *facts: Any) -> int:
        """Append the facts, follow them to messages, and return the last position."""
        position = append(self.connection, facts)[-1].position
        follow(self.connection)
        self.follow()
        assert parked(self.connection) == []
        return position

    def follow(self) -> None:
        """Turn what happened into messages."""
        follow(self.connection, self.follower)

    def command(self, kind: FactKind, webhook: str, **body: Any) -> tuple[Any, ...]:
        """Give a command; return its verdict."""
        position = self.tell(command(kind, {"webhook": webhook, **body}, actor="alice"))
        row = self.connection.execute(
            "SELECT accepted, code, result FROM command_result WHERE position = %s", (position,)
        ).fetchone()
        assert row is not None
        return row

    def jobs(self) -> list[tuple[int, str, dict[str, Any], dt.datetime | None]]:
        """Return the delivery jobs that wait."""
        return self.connection.execute(
            "SELECT id, task_name, args, scheduled_at FROM procrastinate_jobs WHERE queue_name = 'webhooks'"
            " AND status = 'todo' ORDER BY id"
        ).fetchall()

    def work(self, most: int = 1000) -> int:
        """Do the jobs that are due until none is, or so many; return how many were done."""
        for done in range(most):
            due = [job for job in self.jobs() if job[3] is None or job[3] <= self.now()]
            if not due:
                return done
            self.do(*due[0][:3])
        return most

    def do(self, job: int, task: str, arguments: dict[str, Any]) -> None:
        """Do one job as a worker does, and take it from the queue."""
        match task:
            case "headwater.webhook.deliver":
                self._loop.run(deliver(self.context, arguments["webhook"], arguments["ticket"]))
            case "headwater.webhook.test":
                message = uuid.UUID(arguments["message"])
                self._loop.run(probe(self.context, arguments["webhook"], message))
            case _:
                raise AssertionError(task)
        self.connection.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (job,))

    def webhook(self, name: str) -> dict[str, Any]:
        """Return the webhook's row."""
        cursor = self.connection.cursor(row_factory=psycopg.rows.dict_row)
        row = cursor.execute("SELECT * FROM webhook WHERE name = %s", (name,)).fetchone()
        assert row is not None
        return row

    def messages(self, name: str) -> list[tuple[str, str, int]]:
        """Return type, state and attempts of the webhook's messages, in their order."""
        return self.connection.execute(
            "SELECT type, state, attempts FROM webhook_message WHERE webhook = %s ORDER BY number", (name,)
        ).fetchall()


@contextmanager
def post_office(connection: psycopg.Connection[Any], engine: Engine, folder: Path) -> Iterator[Post]:
    """Yield a hand on the database; the secrets `hook` and `old` lie in the folder."""
    (folder / "hook").write_text(SECRET)
    (folder / "old").write_text(OLD_SECRET)
    with asyncio.Runner() as loop:
        post = Post(connection, engine, folder, loop)
        try:
            yield post
        finally:
            post.close()


def types(heard: list[Heard]) -> list[str]:
    """Return the types of the messages that were heard."""
    return [json.loads(request.body)["type"] for request in heard]


def identities(heard: list[Heard]) -> list[str]:
    """Return the identities of the messages that were heard."""
    return [header(request, "webhook-id") for request in heard]


def header(request: Heard, name: str) -> str:
    """Return the header, whatever its case."""
    return next(value for key, value in request.headers.items() if key.lower() == name)
