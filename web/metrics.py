"""`/metrics` for Prometheus: what this process counts, and how the catalog stands at the time of the scrape."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any

import psycopg
from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Engine, QueuePool
from starlette.responses import PlainTextResponse, Response

from catalog.errors import DatabaseUnavailable, HeadwaterError
from catalog.ledger import Appended, NewFact
from hooks.pausing import read_pause
from hooks.retention import standing as retention
from web.access import Permission, require
from web.vitals import FollowerVitals, Probe, read_followers, read_jobs, read_runs
from web.webhook_vitals import WebhookVitals, read_webhooks, webhook_metrics

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_FACTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 16384)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the catalog stands, as the database tells at one scrape."""

    followers: list[FollowerVitals]
    jobs: Mapping[str, int]
    runs: Mapping[str, int]
    paused: bool
    webhooks: Sequence[WebhookVitals]
    retention: retention.Standing


def read_standing(connection: "psycopg.Connection[Any]") -> Standing:
    """Return how the catalog stands."""
    return Standing(
        read_followers(connection),
        read_jobs(connection),
        read_runs(connection),
        paused=read_pause(connection) is not None,
        webhooks=read_webhooks(connection),
        retention=retention.read_standing(connection),
    )


class _Timer:
    """Times one request that takes something in, and counts it if it is refused."""

    __slots__ = ("_metrics", "_route", "_started")

    def __init__(self, metrics: "WebMetrics", route: Histogram) -> None:
        self._metrics = metrics
        self._route = route

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._route.observe(perf_counter() - self._started)
        elif isinstance(error, HeadwaterError):
            self._metrics.refused(error.code)


class WebMetrics:
    """What one web process counts; in a registry of its own, so that two of them never meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._facts = Counter(
            "headwater_ingest_facts",
            "Facts that were acknowledged, by kind; a duplicate was in the ledger before.",
            ["kind", "result"],
            registry=self.registry,
        )
        self._refused = Counter(
            "headwater_ingest_refused",
            "Events and requests that were refused, by the code of the problem.",
            ["code"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "headwater_ingest_seconds",
            "Time from the first byte of an accepted request to its acknowledgement.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._group = Histogram(
            "headwater_ingest_group_facts",
            "Facts that shared one transaction.",
            buckets=_FACTS,
            registry=self.registry,
        )
        # Finding a labelled child costs more than counting on it.
        self._counters: dict[tuple[str, bool], Counter] = {}
        self._routes: dict[str, Histogram] = {}

    def timed(self, route: str) -> _Timer:
        """Return a context that times a request on the route, or counts its refusal."""
        histogram = self._routes.get(route)
        if histogram is None:
            histogram = self._routes[route] = self._seconds.labels(route)
        return _Timer(self, histogram)

    def acknowledged(self, fact: NewFact, appended: Appended) -> None:
        """Count a fact that is in the ledger."""
        key = (fact.kind, appended.duplicate)
        counter = self._counters.get(key)
        if counter is None:
            result = "duplicate" if appended.duplicate else "stored"
            counter = self._counters[key] = self._facts.labels(fact.kind, result)
        counter.inc()

    def refused(self, code: str) -> None:
        """Count an event or a request that was refused."""
        self._refused.labels(code).inc()

    def group_committed(self, facts: int) -> None:
        """Count a transaction."""
        self._group.observe(facts)

    def watch(self, waiting_bytes: Callable[[], float], engine: Engine, probe: "StandingCollector") -> None:
        """Show, at each scrape, the queue of the group commit, the pool of the engine and the standing."""
        queue = Gauge(
            "headwater_ingest_queue_bytes", "Bytes of facts that wait for a commit.", registry=self.registry
        )
        queue.set_function(waiting_bytes)
        if isinstance(engine.pool, QueuePool):
            pool = engine.pool
            used = Gauge(
                "headwater_database_connections_used", "Pooled connections in use.", registry=self.registry
            )
            used.set_function(pool.checkedout)
            limit = Gauge("headwater_database_connections_limit", "Size of the pool.", registry=self.registry)
            limit.set_function(pool.size)
        self.registry.register(probe)


class StandingCollector(Collector):
    """The metrics that are true of the catalog, not of a process; several web processes show the same."""

    def __init__(self) -> None:
        self.standing: Standing | None = None

    def describe(self) -> Iterable[Metric]:
        """Name nothing ahead: what there is depends on the database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Give what was read last; where nothing could be read, only that."""
        standing = self.standing
        yield GaugeMetricFamily(
            "headwater_database_up",
            "Whether the database answered this scrape.",
            value=float(standing is not None),
        )
        if standing is None:
            return
        lag = GaugeMetricFamily(
            "headwater_follower_lag_positions",
            "Positions of its log before a follower's end.",
            labels=["follower"],
        )
        age = GaugeMetricFamily(
            "headwater_follower_oldest_unprocessed_seconds",
            "Age of the oldest fact that a follower has not processed; 0 when there is none.",
            labels=["follower"],
        )
        parked = GaugeMetricFamily(
            "headwater_parked_facts",
            "Facts that could not be applied and wait for a retry.",
            labels=["follower"],
        )
        processed = CounterMetricFamily(
            "headwater_follower_processed", "Records that a follower has processed.", labels=["follower"]
        )
        for follower in standing.followers:
            lag.add_metric([follower.name], follower.lag)
            age.add_metric([follower.name], follower.oldest_seconds)
            parked.add_metric([follower.name], follower.parked)
            processed.add_metric([follower.name], follower.processed)
        yield from (lag, age, parked, processed)
        jobs = GaugeMetricFamily("headwater_jobs", "Jobs in the queue, by status.", labels=["status"])
        for status, count in standing.jobs.items():
            jobs.add_metric([status], count)
        runs = GaugeMetricFamily("headwater_pipeline_runs", "Pipeline runs, by state.", labels=["state"])
        for state, count in standing.runs.items():
            runs.add_metric([state], count)
        yield from (jobs, runs)
        yield GaugeMetricFamily(
            "headwater_paused", "Whether all pipelines are paused at once.", value=float(standing.paused)
        )
        yield from webhook_metrics(standing.webhooks)
        yield from _retention_metrics(standing.retention)


def _retention_metrics(standing: retention.Standing) -> Iterable[Metric]:
    yield CounterMetricFamily(
        "headwater_retention_removed_events",
        "Events whose bodies retention has removed.",
        value=standing.events,
    )
    yield CounterMetricFamily(
        "headwater_retention_removed_bytes",
        "Stored bytes of the bodies that it has removed.",
        value=standing.bytes,
    )
    yield GaugeMetricFamily(
        "headwater_retention_position",
        "Ledger position up to which the bodies of events are given up; 0 while all are kept.",
        value=0 if standing.removed is None else standing.removed.until,
    )
    yield GaugeMetricFamily(
        "headwater_retention_checkpoint_bytes", "Size of the checkpoint.", value=standing.checkpoint_bytes
    )


def metrics_router(metrics: WebMetrics, collector: StandingCollector, probe: Probe[Standing]) -> APIRouter:
    """Return the route that Prometheus scrapes."""
    router = APIRouter(tags=["operation"])

    @router.get("/metrics", response_class=PlainTextResponse)
    async def get_metrics(request: Request) -> Response:
        """Metrics in the Prometheus text format."""
        require(request, Permission.READ)
        try:
            collector.standing = await probe()
        except DatabaseUnavailable:
            collector.standing = None
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
