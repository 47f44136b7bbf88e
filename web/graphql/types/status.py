"""How Headwater itself stands."""

import datetime as dt

import strawberry

from policies.transitions import RunState
from web.graphql.loaders.status import ParkedRecord, StatusRecord
from web.graphql.pages import DEFAULT_FIRST, check_first
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved


@object_type
class Lag:
    """What a follower has before it."""

    positions: Long = plain(
        "Positions of its log between its cursor and the end: 0 where nothing waits, else as many as records wait, or"
        " more, since not every position bears a record."
    )
    oldest_at: dt.datetime | None = plain("Receipt of the oldest fact that waits; null where there is none.")
    seconds: float = plain("How long that one has waited; 0 where there is none.")


@object_type
class Follower:
    """What turns a log into state."""

    name: str = plain("state, graph or webhooks.")
    cursor: Long = plain("What it has come to in its log: a ledger position, but an observation for graph.")
    lag: Lag = plain("What it has before it.")
    processed: Long = plain("Records that it took in all.")
    parked: Long = plain("Records that it could not apply.")
    holder: str | None = plain("Who follows.")
    updated_at: dt.datetime = plain("When its cursor last moved.")


@object_type
class Parked:
    """A record that could not be applied and waits for `headwater follower retry`."""

    follower: str = plain("Which follower parked it.")
    position: Long = plain("Its place in the follower's log.")
    run_id: strawberry.ID | None = plain("The run that it names.")
    code: str = plain("Stable code of the error.")
    message: str = plain("What went wrong.")
    attempts: int = plain("How often it was tried.")
    parked_at: dt.datetime = plain("When it was parked.")


@object_type
class PauseOfAll:
    """All pipelines are paused at once: versions queue up, waiting runs get no slot, and no attempt is begun."""

    position: Long = plain("Ledger position of the command that paused them.")
    at: dt.datetime = plain("Since when.")
    actor: str = plain("Who paused them.")
    reason: str = plain("Why; empty where nobody said.")


@object_type
class EventsRemoved:
    """Retention has given up the bodies of old events; a checkpoint of the state stands for them."""

    until: Long = plain("Ledger position up to which it has.")
    received_before: dt.datetime = plain("Every event up to there was received before this.")
    position: Long = plain("Ledger position of the fact that says so.")
    at: dt.datetime = plain("When it was said.")
    actor: str = plain("Who said it.")


@object_type
class StateCount:
    """How many pipeline runs are in a state."""

    state: RunState = plain("The state.")
    count: Long = plain("How many.")


@object_type
class Counts:
    """How much there is; each is counted when it is asked for."""

    datasets: Long = plain("Datasets ever heard of.")
    jobs: Long = plain("Jobs ever heard of.")
    runs: Long = plain("OpenLineage runs ever heard of.")
    versions: Long = plain("Dataset versions of every state.")
    pipelines: Long = plain("Registered pipelines.")
    queued_versions: Long = plain("Versions that wait in the queues of inputs.")
    pipeline_runs: list[StateCount] = plain("Pipeline runs by state.")


def _parked(root: StatusRecord, first: int = DEFAULT_FIRST) -> list[ParkedRecord]:
    """The first of the parked records."""
    return root.parked(check_first(first))


@object_type
class Status:
    """How Headwater itself stands."""

    now: dt.datetime = plain("The database's clock.")
    position: Long = plain("Ledger position up to which the state is known.")
    graph_position: Long = plain("Ledger position up to which the graph is known.")
    ledger_position: Long = plain("Position of the last fact.")
    lag: Lag = plain("What the state follower has before it.")
    followers: list[Follower] = plain("The followers, that of the state first.")
    parked_count: Long = plain("How many records are parked.")
    launch_hosts: list[str] = plain(
        "Hosts on which a worker took launches within the last 30 seconds; where there is none, runs stay queued."
    )
    pause: PauseOfAll | None = plain("The pause of all pipelines; null where there is none.")
    events_removed: EventsRemoved | None = plain(
        "What retention has removed; null where every event is kept as it was received."
    )
    counts: Counts = plain("How much there is.")
    parked = resolved(_parked, list[Parked])
