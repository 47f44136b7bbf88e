"""How webhooks stand, for readiness, metrics and diagnosis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from catalog.queries import load_queries
from hooks.webhooks.queue import ACTIVE

QUERIES = load_queries(Path(__file__).with_name("webhook_vitals.sql"))

#: A receiver that has let its first message wait for so long, in seconds, is behind: that is several attempts.
MAX_WAITING_SECONDS = 300.0
#: Webhooks with metrics of their own; those of all others, by name, are added up.
MOST_LABELS = 100
OTHERS = "(others)"
#: Webhooks that are named where several are in trouble.
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class WebhookVitals:
    """How a webhook stands; `waiting_seconds` is the age of what it is to be told next, 0 where that is nothing."""

    name: str
    state: str
    reason: str
    actor: str
    pending: int
    dead: int
    delivered: int
    failed: int
    last_error: str | None
    waiting_seconds: float

    @property
    def trouble(self) -> str | None:
        """What somebody should look at, None where there is nothing; a pause that somebody wanted is no trouble."""
        found = []
        if self.dead:
            found.append(f"has {self.dead} dead letters")
        if self.state != ACTIVE and self.actor == "headwater":
            found.append(f"is paused: {self.reason}")
        if self.state == ACTIVE and self.waiting_seconds > MAX_WAITING_SECONDS:
            because = f" ({self.last_error})" if self.last_error else ""
            found.append(f"is {self.waiting_seconds:.0f} s behind{because}")
        return f"{self.name} {' and '.join(found)}" if found else None


def read_webhooks(connection: "psycopg.Connection[Any]") -> list[WebhookVitals]:
    """Return how the webhooks stand, by name."""
    return [WebhookVitals(*row) for row in connection.execute(QUERIES["webhooks"]).fetchall()]


def troubles(webhooks: Sequence[WebhookVitals]) -> str | None:
    """Return in one line what somebody should look at, None where there is nothing."""
    found = [webhook.trouble for webhook in webhooks if webhook.trouble is not None]
    if not found:
        return None
    more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return "; ".join(found[:MOST_NAMED]) + more


def webhook_metrics(webhooks: Sequence[WebhookVitals]) -> Iterable[Metric]:
    """Yield the metrics of the webhooks, with a bounded number of labels."""
    delivered = CounterMetricFamily(
        "headwater_webhook_delivered", "Messages that a receiver has taken.", labels=["webhook"]
    )
    failed = CounterMetricFamily(
        "headwater_webhook_failed_attempts", "Attempts to deliver that failed.", labels=["webhook"]
    )
    pending = GaugeMetricFamily("headwater_webhook_pending", "Messages that wait.", labels=["webhook"])
    dead = GaugeMetricFamily("headwater_webhook_dead_letters", "Dead letters.", labels=["webhook"])
    waiting = GaugeMetricFamily(
        "headwater_webhook_lag_seconds",
        "Age of what a webhook is to be told next; 0 when there is nothing.",
        labels=["webhook"],
    )
    named, others = webhooks[:MOST_LABELS], webhooks[MOST_LABELS:]
    groups = [(webhook.name, [webhook]) for webhook in named]
    groups += [(OTHERS, list(others))] if others else []
    for label, members in groups:
        delivered.add_metric([label], sum(member.delivered for member in members))
        failed.add_metric([label], sum(member.failed for member in members))
        pending.add_metric([label], sum(member.pending for member in members))
        dead.add_metric([label], sum(member.dead for member in members))
        waiting.add_metric([label], max(member.waiting_seconds for member in members))
    yield from (delivered, failed, pending, dead, waiting)
