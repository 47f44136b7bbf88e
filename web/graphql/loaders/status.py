"""How Headwater itself stands: followers, lag, parked records, counts."""

import datetime as dt
import uuid
from dataclasses import dataclass
from pathlib import Path

from catalog.queries import load_queries
from web.graphql.request import QueryRequest
from web.vitals import LAUNCHES_SECONDS

QUERIES = load_queries(Path(__file__).with_name("status.sql"))


@dataclass(frozen=True, slots=True)
class FollowerRecord:
    """A row of `follower`."""

    name: str
    cursor: int
    at: dt.datetime | None
    processed: int
    holder: str | None
    updated_at: dt.datetime


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


@dataclass(frozen=True, slots=True)
class LagRecord:
    """Facts that the state follower has not taken, and since when the oldest of them waits."""

    facts: int
    oldest_at: dt.datetime | None
    seconds: float


class CountsRecord:
    """Counts, each read when it is asked for."""

    def __init__(self, request: QueryRequest) -> None:
        self._request = request

    def _count(self, name: str) -> int:
        return int(self._request.rows(QUERIES[name])[0][0])

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
        return [StateCountRecord(*row) for row in self._request.rows(QUERIES["pipeline_runs"])]


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
        return int(self._request.rows(QUERIES["ledger"])[0][0])

    @property
    def now(self) -> dt.datetime:
        """The database's clock."""
        return self._request.snapshot.now

    @property
    def lag(self) -> LagRecord:
        """What the state follower has before it."""
        ((facts, oldest),) = self._request.rows(QUERIES["lag"])
        seconds = 0.0 if oldest is None else max(0.0, (self.now - oldest).total_seconds())
        return LagRecord(facts, oldest, seconds)

    @property
    def followers(self) -> list[FollowerRecord]:
        """The followers with their cursors."""
        return [FollowerRecord(*row) for row in self._request.rows(QUERIES["followers"])]

    @property
    def parked_count(self) -> int:
        """How many records are parked."""
        return int(self._request.rows(QUERIES["parked_count"])[0][0])

    @property
    def launch_hosts(self) -> list[str]:
        """Names of the hosts on which a worker takes launches now."""
        return [name for (name,) in self._request.rows(QUERIES["launch_hosts"], seconds=LAUNCHES_SECONDS)]

    @property
    def counts(self) -> CountsRecord:
        """How much there is."""
        return CountsRecord(self._request)

    def parked(self, limit: int) -> list[ParkedRecord]:
        """Return the first parked records."""
        return [ParkedRecord(*row) for row in self._request.rows(QUERIES["parked"], limit=limit)]
