"""Hosts: the heartbeat of this one, and the attempts of hosts that fell silent."""

import time
import uuid
from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.facts import Outcome, attempt_ended
from catalog.ledger import append_facts
from policies.transitions import WITH_HOST

log = structlog.get_logger(__name__)


class HostWatch:
    """Beats for this host and declares the attempts of silent hosts lost.

    Silence is counted by this process's own clock from when it first saw the last heartbeat: after an hour without the
    database, the first host that is back must not bury the others.
    """

    def __init__(
        self, engine: Engine, *, host: str, name: str, takes_launches: bool, lost_seconds: float
    ) -> None:
        self._engine = engine
        self._host = host
        self._name = name
        self._takes_launches = takes_launches
        self._lost_seconds = lost_seconds
        self._seen: dict[str, tuple[datetime, float]] = {}

    def beat(self) -> None:
        """Say that this host lives and, where this worker takes launches, that somebody there does."""
        with translated_errors(), self._engine.begin() as connection:
            driver_connection(connection).execute(
                "INSERT INTO host (id, name, heartbeat_at, launches_at)"
                " SELECT %s, %s, t.at, CASE WHEN %s THEN t.at END FROM (SELECT clock_timestamp() AS at) t"
                " ON CONFLICT (id) DO UPDATE SET name = excluded.name, heartbeat_at = excluded.heartbeat_at,"
                " launches_at = coalesce(excluded.launches_at, host.launches_at)",
                (self._host, self._name, self._takes_launches),
            )

    def declare_lost(self, now: Callable[[], datetime]) -> int:
        """Append the loss of every open attempt of a host that has been silent too long; return how many."""
        with translated_errors(), self._engine.begin() as connection:
            raw = driver_connection(connection)
            rows = raw.execute("SELECT id, heartbeat_at FROM host WHERE id <> %s", (self._host,)).fetchall()
            silent = [host for host, beat in rows if self._silent_seconds(host, beat) > self._lost_seconds]
            if not silent:
                return 0
            lost: list[tuple[uuid.UUID, int, str]] = raw.execute(
                "SELECT c.run_id, c.attempt, c.host FROM attempt_claim c JOIN pipeline_run r ON r.id = c.run_id"
                " WHERE c.host = ANY(%s) AND r.attempt = c.attempt AND r.state = ANY(%s)",
                (silent, sorted(WITH_HOST)),
            ).fetchall()
            facts = [
                attempt_ended(
                    run_id,
                    attempt,
                    Outcome.LOST,
                    actor=f"host:{self._host}",
                    at=now(),
                    reason=f"host {host} has been silent for more than {self._lost_seconds:.0f} s",
                )
                for run_id, attempt, host in lost
            ]
            if facts:
                log.warning("host.lost", hosts=silent, attempts=len(facts))
                append_facts(raw, facts)
            return len(facts)

    def _silent_seconds(self, host: str, beat: datetime) -> float:
        known = self._seen.get(host)
        if known is None or known[0] != beat:
            self._seen[host] = (beat, time.monotonic())
            return 0.0
        return time.monotonic() - known[1]
