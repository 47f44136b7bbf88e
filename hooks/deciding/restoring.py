"""After a restore: what may have gone on since the archive was written is not started a second time.

The archive knows nothing of what came after it. A run that waited may have been started since, and an attempt that was
granted may have been made; an attempt that a host had claimed is left to that host, which says how it stands.
"""

import uuid
from typing import Any

import psycopg

from catalog.ledger import Fact
from hooks.deciding.attempts import Attempts
from hooks.deciding.records import Occasion
from hooks.deciding.registry import QUERIES, Registry
from hooks.deciding.working_set import WorkingSet
from hooks.jobs import enqueue_jobs
from policies.transitions import HOLDS_SLOT, WITH_HOST, RunState

#: States in which no host has told of the run: due, or granted an attempt.
UNCLAIMED = sorted({RunState.PENDING, *HOLDS_SLOT} - WITH_HOST)


def begin_anew(
    connection: psycopg.Connection[Any], registry: Registry, fact: Fact, body: dict[str, Any]
) -> dict[str, Any]:
    """Hold the runs that waited, and lose the attempts that nobody had claimed: their retry policy decides.

    New runs have other ids than those that may have been made since. Where the fact says that the installation did not
    run in between (`continued`), nothing is changed. Returns how many runs were held and attempts lost.
    """
    if body["continued"]:
        return {"held": 0, "lost": 0}
    connection.execute(QUERIES["rename_installation"], {"id": uuid.UUID(body["installation"])})
    occasion = Occasion(fact.position, fact.received_at, fact.actor)
    ids = [row[0] for row in connection.execute(QUERIES["unclaimed_runs"], {"states": UNCLAIMED})]
    working_set = WorkingSet.load(connection, registry, touches={}, run_ids=ids, producers=[])
    attempts = Attempts(connection, working_set)
    runs = sorted((working_set.runs[found] for found in ids), key=lambda run: (run.pipeline, run.number))
    since = f"since the archive of {body['takenAt']} was written"
    waiting = [run for run in runs if run.state is RunState.PENDING]
    for run in waiting:
        # First of all: a slot that becomes free below is not for them.
        reason = f"held: it may have been started {since}; `headwater runs retry` lets it go"
        working_set.move(run, RunState.HELD, occasion, reason)
        run.batch_open = False
    granted = [run for run in runs if run.state in (RunState.QUEUED, RunState.RETRYING)]
    for run in granted:
        attempts.lose_unclaimed(run, occasion, f"it may have been made {since}")
    working_set.flush(connection)
    enqueue_jobs(connection, working_set.every_job())
    return {"held": len(waiting), "lost": len(granted)}
