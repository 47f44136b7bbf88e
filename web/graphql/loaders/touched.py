"""Which datasets, jobs and runs the facts after a mark may have changed, so that what is remembered of others holds."""

import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from catalog.facts import OPENLINEAGE_KINDS, FactKind
from catalog.ledger import REMOVED_BODY
from catalog.openlineage.definition import definition_job
from catalog.openlineage.envelope import DatasetEnvelope, Envelope, RunEnvelope, envelope_of
from catalog.queries import load_queries
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("touched.sql"))

#: Facts that are looked at, and bytes of their stored bodies; where there are more, everything counts as touched.
MOST_FACTS = 500
MOST_STORED_BYTES = 4 * 1024 * 1024

#: Kinds of facts that change nothing of a dataset, a job or a run as OpenLineage tells it. A version report does it by
#: a version, which is announced.
_HARMLESS = frozenset(
    {
        FactKind.VERSION_REPORT,
        FactKind.PIPELINE_PAUSE,
        FactKind.PIPELINE_RESUME,
        FactKind.PIPELINES_PAUSE,
        FactKind.PIPELINES_RESUME,
        FactKind.PIPELINE_TRIGGER,
        FactKind.RUN_CANCEL,
        FactKind.RUN_RETRY,
        FactKind.ATTEMPT_CLAIMED,
        FactKind.ATTEMPT_STARTED,
        FactKind.ATTEMPT_ENDED,
    }
)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the state had come: the ledger's position, the last announcement of a version, and what is parked.

    A parked fact that is applied later changes the state without moving the position.
    """

    position: int
    version_event: int
    parked: str


@dataclass(frozen=True, slots=True)
class Touched:
    """Identities of datasets and jobs, and the runs that told of them."""

    things: frozenset[uuid.UUID]
    runs: frozenset[uuid.UUID]


def mark(request: QueryRequest) -> Mark:
    """Return how far the state has come in the request's snapshot."""
    ((version_event, parked),) = request.rows(QUERIES["mark"])
    return Mark(request.snapshot.position, version_event, parked)


def touched_since(request: QueryRequest, before: Mark, now: Mark) -> Touched | None:
    """Return what changed between the marks, rather too much than too little; None where it may be anything.

    What an event changes it changes of what it names, of the job and the versions of its run, and of the nodes whose
    data name its run; versions that are made or taken back elsewhere are announced.
    """
    if before == now:
        return Touched(frozenset(), frozenset())
    if before.parked != now.parked or not 0 <= now.position - before.position <= MOST_FACTS:
        return None
    span = {"after": before.position, "until": now.position}
    heard = [row for row in request.rows(QUERIES["heard"], **span) if row[0] not in _HARMLESS]
    if {kind for kind, _ in heard} - OPENLINEAGE_KINDS or sum(size for _, size in heard) > MOST_STORED_BYTES:
        return None
    things = {dataset for (dataset,) in request.rows(QUERIES["versions"], after=before.version_event)}
    runs = set[uuid.UUID]()
    if heard:
        kinds = [kind for kind, _ in heard]
        for (body,) in request.rows(QUERIES["bodies"], kinds=kinds, **span):
            if body == REMOVED_BODY:
                return None
            envelope = envelope_of(orjson.loads(zlib.decompress(body)))
            if isinstance(envelope, RunEnvelope):
                runs.add(envelope.run_id)
            things.update(_named(envelope))
        things.update(thing for (thing,) in request.rows(QUERIES["of_runs"], runs=list(runs)))
    return Touched(frozenset(things), frozenset(runs))


def _named(envelope: Envelope) -> Iterator[uuid.UUID]:
    if isinstance(envelope, DatasetEnvelope):
        key, _ = envelope.dataset
        yield key.id
        # What a dataset is made of is told of a job that stands for that.
        yield definition_job(key).id
    else:
        yield envelope.job.id
        yield from (key.id for key, _ in (*envelope.inputs, *envelope.outputs))
