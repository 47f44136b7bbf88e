"""`/healthz`: the process lives. `/readyz`: what an acknowledgement or an answer needs is there.

A follower that lies behind or has parked a fact degrades the answers, which say so themselves; it is no reason to take
every web process out of a load balancer.
"""

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import psycopg
from fastapi import APIRouter, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from catalog.errors import DatabaseUnavailable, DiskFull
from catalog.ledger import APPEND_LOCK
from catalog.schema import Schema, read_schema
from hooks.pausing import PauseOfAll, read_pause
from hooks.tasks import TASKS
from web.access import Permission, require
from web.ingest.disk import DiskGuard
from web.vitals import (
    FollowerVitals,
    LockHolder,
    Probe,
    read_followers,
    read_lock_holder,
    read_unknown_jobs,
    told_jobs,
)
from web.webhook_vitals import WebhookVitals, read_webhooks, troubles

#: Answers are that old at most, in seconds, before the server calls itself not ready.
MAX_OLDEST_SECONDS = 60.0
#: Positions that a follower may lie behind, however young they are; minutes of work.
MAX_LAG = 500_000
#: A commit that facts have waited for so long, in seconds, is stuck: others take milliseconds.
MAX_COMMIT_SECONDS = 3.0
#: Whoever has held the append lock for so long, in seconds, is frozen: who only waited for it before waited 5 at most.
MAX_HELD_SECONDS = 6.0

VERSION = importlib.metadata.version("headwater")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `found` says what was seen, for people."""

    name: str
    ok: bool
    found: str
    #: Whether nothing can be taken in or answered without it.
    essential: bool = True


@dataclass(frozen=True, slots=True)
class Readiness:
    """What the database tells a readiness check: its schema and, where this release can use it, the followers.

    `appender` is who holds the append lock, if anybody does at that instant; `pause` that of all pipelines.
    """

    schema: Schema
    followers: list[FollowerVitals]
    appender: LockHolder | None
    pause: PauseOfAll | None
    #: Jobs that this release does not know, by the names of their tasks.
    unknown_jobs: Mapping[str, int]
    webhooks: Sequence[WebhookVitals] = ()


def read_readiness(connection: "psycopg.Connection[Any]") -> Readiness:
    """Return what a readiness check needs."""
    schema = read_schema(connection)
    appender = read_lock_holder(connection, APPEND_LOCK)
    if not schema.usable:
        return Readiness(schema, [], appender, None, {})
    return Readiness(
        schema,
        read_followers(connection),
        appender,
        read_pause(connection),
        read_unknown_jobs(connection, TASKS),
        read_webhooks(connection),
    )


def database_checks(readiness: Readiness) -> Iterator[Check]:
    """Yield what the database tells."""
    yield Check("database", True, "answers")
    yield Check("migrations", readiness.schema.usable, str(readiness.schema))
    for follower in readiness.followers:
        yield follower_check(follower)
        parked = f"{follower.parked} records are parked: headwater follower list"
        found = parked if follower.parked else "none"
        yield Check(f"parked.{follower.name}", follower.parked == 0, found, essential=False)
        # A newer release is at work, or was: one of its workers goes on.
        yield Check(
            f"left.{follower.name}", follower.left is None, follower.left or "nothing", essential=False
        )
    trouble = troubles(readiness.webhooks)
    yield Check("webhooks", trouble is None, trouble or "told in time", essential=False)
    yield Check("left.jobs", not readiness.unknown_jobs, told_jobs(readiness.unknown_jobs), essential=False)
    # Somebody wanted it so: answers are as good as ever.
    yield Check("pause", True, str(readiness.pause or "none"), essential=False)


def follower_check(follower: FollowerVitals) -> Check:
    """Return whether a follower is close enough to the end of its log."""
    age = follower.oldest_seconds
    found = f"{follower.lag} positions behind, the oldest {age:.1f} s old, held by {follower.holder or 'nobody yet'}"
    close = age <= MAX_OLDEST_SECONDS and follower.lag <= MAX_LAG
    return Check(f"follower.{follower.name}", close, found, essential=False)


def ledger_check(waiting_seconds: float, appender: LockHolder | None) -> Check:
    """Return whether what is sent gets into the ledger: nothing waits for long, and nobody keeps the rest out."""
    held = (appender.seconds or 0.0) if appender is not None else 0.0
    found = []
    if waiting_seconds > MAX_COMMIT_SECONDS:
        found.append(f"the oldest submission has waited {waiting_seconds:.1f} s for its commit")
    if appender is not None and (found or held > MAX_HELD_SECONDS):
        found.append(f"{appender} has held the append lock for {held:.1f} s")
    return Check("ledger", not found, "; ".join(found) or "nothing waits for long")


def disk_check(disk: DiskGuard) -> Check:
    """Return whether there is room to take in events."""
    try:
        disk.check()
    except DiskFull as error:
        return Check("disk", False, error.message)
    return Check("disk", True, f"{disk.free_bytes() // 2**20} MiB free")


class Alive(TypedDict):
    """The process lives."""

    status: Literal["alive"]
    service: Literal["headwater"]
    version: str


class CheckAnswer(TypedDict):
    """What a check found."""

    ok: bool
    found: str


class ReadinessAnswer(TypedDict):
    """Whether what an acknowledgement or an answer needs is there; 503 with the same form where it is not."""

    status: Literal["ready", "degraded", "not ready"]
    checks: dict[str, CheckAnswer]


def health_router(
    probe: Probe[Readiness], disk: DiskGuard, waiting_seconds: Callable[[], float]
) -> APIRouter:
    """Return the routes that supervisors and load balancers ask.

    `waiting_seconds` tells for how long the oldest submission has waited for its commit.
    """
    router = APIRouter(tags=["operation"])

    @router.head("/healthz", include_in_schema=False)
    @router.get("/healthz", response_model=Alive)
    async def get_health() -> Response:
        """Answer as long as the process lives; open to everyone."""
        return _json(200, {"status": "alive", "service": "headwater", "version": VERSION})

    @router.head("/readyz", include_in_schema=False)
    @router.get("/readyz", response_model=ReadinessAnswer, responses={503: {"model": ReadinessAnswer}})
    async def get_readiness(request: Request) -> Response:
        """200 `ready`, 200 `degraded` when answers are behind or lack a parked fact, else 503; each check by name."""
        require(request, Permission.READ)
        appender = None
        try:
            readiness = await probe()
            checks = list(database_checks(readiness))
            appender = readiness.appender
        except DatabaseUnavailable as error:
            checks = [Check("database", False, error.message)]
        checks.append(ledger_check(waiting_seconds(), appender))
        checks.append(disk_check(disk))
        serving = all(check.ok for check in checks if check.essential)
        whole = all(check.ok for check in checks)
        answer = {
            "status": ("ready" if whole else "degraded") if serving else "not ready",
            "checks": {check.name: {"ok": check.ok, "found": check.found} for check in checks},
        }
        return _json(200 if serving else 503, answer)

    return router


def _json(status: int, answer: dict[str, Any]) -> Response:
    return Response(orjson.dumps(answer), status_code=status, media_type="application/json")
