"""How Headwater itself stands: followers, lag, parked records, counts."""

import datetime as dt
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from catalog import ledger
from catalog.queries import load_queries
from hooks.pausing import PauseOfAll
from hooks.removed import READ_REMOVED, Removed
from web import vitals
from web.graphql.loaders.pipelines import pause_of_all
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("status.sql"))


@dataclass(frozen=True, slots=True)
class LagRecord:
    """What a follower has before it."""

    positions: int
    oldest_at: dt.datetime | None
    seconds: float


@dataclass(frozen=True, slots=True)
class FollowerRecord:
    """How a follower stands."""

    name: str
    cursor: int
    processed: int
    parked: int
    holder: str | None
    updated_at: dt.datetime
    lag: LagRecord

    @classmethod
    def of(cls, found: vitals.FollowerVitals) -> "FollowerRecord":
        """Return what the vitals tell."""
        return cls(
            name=found.name,
            cursor=found.cursor,
            processed=found.processed,
            parked=found.parked,
            holder=found.holder,
            updated_at=found.updated_at,
            lag=LagRecord(found.lag, found.oldest_at, found.oldest_seconds),
        )


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """A row of `parked`."""

    follower: str
    position: int
    run_id: uuid.UUID | None
    code: str
    message: str
    attempts: int
    parked_at: dt.datetime


@dataclass(frozen=True, slots=True)
class StateCountRecord:
    """How many pipeline runs are in a state."""

    state: str
    count: int


class CountsRecord:
    """Counts, each read when it is asked for."""

    def __init__(self, request: QueryRequest) -> None:
        self._request = request

    def _count(self, name: str) -> int:
        return int(self._request.rows(vitals.QUERIES[name])[0][0])

    @property
    def datasets(self) -> int:
        """Datasets that were ever heard of."""
        return self._count("datasets")

    @property
    def jobs(self) -> int:
        """Jobs that were ever heard of."""
        return self._count("jobs")

    @property
    def runs(self) -> int:
        """Runs that were ever heard of."""
        return self._count("runs")

    @property
    def versions(self) -> int:
        """Dataset versions of every state."""
        return self._count("versions")

    @property
    def pipelines(self) -> int:
        """Registered pipelines."""
        return self._count("pipelines")

    @property
    def queued_versions(self) -> int:
        """Versions that wait in the queues of inputs."""
        return self._count("queued_versions")

    @property
    def pipeline_runs(self) -> list[StateCountRecord]:
        """Pipeline runs by state."""
        return [StateCountRecord(*row) for row in self._request.rows(vitals.QUERIES["pipeline_runs"])]


class StatusRecord:
    """The standing of the installation, each part read when it is asked for."""

    def __init__(self, request: QueryRequest) -> None:
        self._request = request

    @property
    def position(self) -> int:
        """Ledger position up to which the state is known."""
        return self._request.snapshot.position

    @property
    def graph_position(self) -> int:
        """Ledger position up to which the graph is known."""
        return self._request.snapshot.graph_position

    @property
    def ledger_position(self) -> int:
        """Position of the last fact."""
        return int(self._request.rows(ledger.QUERIES["last_position"])[0][0])

    @property
    def now(self) -> dt.datetime:
        """The database's clock."""
        return self._request.snapshot.now

    @property
    def lag(self) -> LagRecord:
        """What the state follower has before it."""
        return next(follower.lag for follower in self.followers if follower.name == "state")

    @cached_property
    def followers(self) -> list[FollowerRecord]:
        """The followers, that of the state first."""
        rows = self._request.rows(vitals.QUERIES["followers"])
        return [FollowerRecord.of(vitals.FollowerVitals(*row)) for row in rows]

    @property
    def parked_count(self) -> int:
        """How many records are parked."""
        return sum(follower.parked for follower in self.followers)

    @property
    def launch_hosts(self) -> list[str]:
        """Names of the hosts on which a worker takes launches now."""
        rows = self._request.rows(vitals.QUERIES["launch_hosts"], seconds=vitals.LAUNCHES_SECONDS)
        return [name for (name,) in rows]

    @property
    def counts(self) -> CountsRecord:
        """How much there is."""
        return CountsRecord(self._request)

    @property
    def pause(self) -> PauseOfAll | None:
        """The pause of all pipelines, None where there is none."""
        return pause_of_all(self._request)

    @property
    def events_removed(self) -> Removed | None:
        """Up to where retention has given up the bodies of events, None where all are kept."""
        rows = self._request.rows(READ_REMOVED)
        return Removed(*rows[0]) if rows else None

    def parked(self, limit: int) -> list[ParkedRecord]:
        """Return the first parked records."""
        return [ParkedRecord(*row) for row in self._request.rows(QUERIES["parked"], limit=limit)]
