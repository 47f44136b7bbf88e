"""Connections to the database: how many each process needs, and whether the server has them.

docs/operations.md tells operators the same; a test holds it against this, and this against what processes open.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import psycopg
import structlog

from catalog.errors import ConfigurationError, DatabaseUnavailable
from catalog.pooling import refuse_shared_sessions
from catalog.schema import read_schema, refuse_too_new
from catalog.settings import Settings
from hooks.job_app import JOB_POOL
from web.bootstrap import conninfo, direct_url, through_pooler
from web.vitals import connect_briefly

log = structlog.get_logger(__name__)

#: A web process listens for the state follower, and probes for readiness, metrics and start page one at a time.
WEB_DIRECT = 2
#: A worker holds or stands by for each follower on a connection of its own.
FOLLOWERS = 3
#: It listens for jobs of its host, for questions to engines, and for launches.
JOB_LISTENERS = 3
#: To remove old events it follows the ledger into a copy on one connection, and reads and tells on another.
RETENTION = 2


@dataclass(frozen=True, slots=True)
class Budget:
    """The most connections of one process: those of its pool, and those that must be its own."""

    kind: str
    pooled: int
    direct: int

    def on_server(self, settings: Settings) -> int:
        """Return how many of them are sessions of the server: a pooler of transactions answers for the others."""
        return self.direct if through_pooler(settings) else self.pooled + self.direct


def web_budget(settings: Settings) -> Budget:
    """Return what a web process needs."""
    return Budget("web process", settings.web_pool, WEB_DIRECT)


def worker_budget(settings: Settings) -> Budget:
    """Return what a worker needs."""
    retention = 0 if settings.event_days is None else RETENTION
    return Budget("worker", settings.worker_pool, FOLLOWERS + JOB_POOL + JOB_LISTENERS + retention)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many sessions the server lets this role have in this database, and how many are there now."""

    limit: int
    used: int

    @property
    def free(self) -> int:
        """How many more there may be."""
        return max(0, self.limit - self.used)

    @classmethod
    def read(cls, connection: "psycopg.Connection[Any]") -> Self:
        """Read it. Where several bounds hold, the one that leaves the least counts."""
        rows = connection.execute(_CAPACITY).fetchall()
        limit, used = min(rows, key=lambda row: (row[0] - row[1], row[0]))
        return cls(int(limit), int(used))


# The server's own bound with what it keeps back for administrators (since PostgreSQL 16 two such numbers), the role's
# and the database's; -1 is no bound. Superusers are held by the first alone, and may use what is kept back.
_CAPACITY = """
WITH me AS (SELECT oid, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = current_user)
SELECT current_setting('max_connections')::int - CASE WHEN me.rolsuper THEN 0 ELSE
           current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true)::int, 0) END,
       (SELECT sum(numbackends) FROM pg_stat_database)
FROM me
UNION ALL
SELECT me.rolconnlimit, (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = me.oid)
FROM me WHERE me.rolconnlimit >= 0 AND NOT me.rolsuper
UNION ALL
SELECT d.datconnlimit, (SELECT numbackends FROM pg_stat_database s WHERE s.datid = d.oid)
FROM pg_database d, me WHERE d.datname = current_database() AND d.datconnlimit >= 0 AND NOT me.rolsuper
"""


def check_at_start(settings: Settings, database_url: str, budgets: Iterable[Budget]) -> None:
    """Return if processes of these budgets may start on the database; warn where only some connections are free now.

    Raises `ConfigurationError` where a pooler shares sessions, the server never lets so many connect, or a newer
    release has changed the schema too far. A database that does not answer is waited for later, unchecked.
    """
    direct = conninfo(direct_url(settings, database_url))
    setting = "HEADWATER_DATABASE_DIRECT_URL" if through_pooler(settings) else "HEADWATER_DATABASE_URL"
    try:
        refuse_shared_sessions(direct, setting=setting)
        with connect_briefly(direct) as connection:
            refuse_too_new(read_schema(connection))
            capacity = Capacity.read(connection)
    except DatabaseUnavailable as error:
        log.warning("connections.not_checked", error=error.message)
        return
    needed = sum(budget.on_server(settings) for budget in budgets)
    kinds = " and a ".join(budget.kind for budget in budgets)
    if needed > capacity.limit:
        message = (
            f"a {kinds} may need {needed} connections, but the database allows {capacity.limit} to this role: raise"
            " max_connections or the limit of role or database, or lower HEADWATER_WEB_POOL and HEADWATER_WORKER_POOL"
        )
        raise ConfigurationError(message)
    if needed > capacity.free:
        log.warning("connections.scarce", needed=needed, free=capacity.free, allowed=capacity.limit)
