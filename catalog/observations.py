"""The observation log: desired states of entities and edges, merged from facts; the only thing a graph follower reads.

Each observation is absolute ("this is so"), carries the event time since when it is so and the ledger position that
made it known, and replaces an earlier observation of the same identity. Applying one twice, or a prefix twice, changes
nothing.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import assert_never

import orjson

from catalog.errors import NotUnderstood
from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.shape import Shape

#: Channel on which the state follower announces each of its commits, and with it what it added to this log.
STATE_CHANNEL = "headwater_state"


@dataclass(frozen=True, slots=True)
class DatasetObserved:
    """The dataset exists."""

    key: DatasetKey


@dataclass(frozen=True, slots=True)
class JobObserved:
    """The job exists."""

    key: JobKey


@dataclass(frozen=True, slots=True)
class ShapeObserved:
    """From `at` on (until the job's next shape) the job's lineage is `shape`; None withdraws what was said at `at`.

    Identity: (job, at, tiebreak). The sequence of a job's shapes, ordered by (at, tiebreak), tiles time: each holds
    until the next begins.
    """

    job: JobKey
    at: dt.datetime
    tiebreak: uuid.UUID
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class ParentObserved:
    """Runs of `job` are started within runs of `parent`, first seen at `since`. Identity: (job, parent)."""

    job: JobKey
    parent: JobKey
    since: dt.datetime


@dataclass(frozen=True, slots=True)
class AliasObserved:
    """Both keys name one dataset (symlinks facet), first seen at `since`. Identity: (dataset, alias)."""

    dataset: DatasetKey
    alias: DatasetKey
    type: str
    since: dt.datetime


@dataclass(frozen=True, slots=True)
class RenameObserved:
    """The dataset was `previous` before (lifecycleStateChange facet), first seen at `since`.

    Nothing merges: what was said of the old name stays with it. Identity: (dataset, previous).
    """

    dataset: DatasetKey
    previous: DatasetKey
    since: dt.datetime


Observed = DatasetObserved | JobObserved | ShapeObserved | ParentObserved | AliasObserved | RenameObserved


@dataclass(frozen=True, slots=True)
class Observation:
    """One record of the log: what was observed, and the ledger position that made it known."""

    sequence: int
    position: int
    observed: Observed


def encode_observed(observed: Observed) -> tuple[str, bytes]:
    """Return the kind and the JSON body under which the observation is stored."""
    match observed:
        case DatasetObserved(key):
            return "dataset", orjson.dumps([key.namespace, key.name])
        case JobObserved(key):
            return "job", orjson.dumps([key.namespace, key.name])
        case ShapeObserved(job, at, tiebreak, shape):
            encoded = None if shape is None else orjson.Fragment(shape.encoded)
            return "shape", orjson.dumps([job.namespace, job.name, at, tiebreak, encoded])
        case ParentObserved(job, parent, since):
            return "parent", orjson.dumps([job.namespace, job.name, parent.namespace, parent.name, since])
        case AliasObserved(dataset, alias, type_, since):
            body = [dataset.namespace, dataset.name, alias.namespace, alias.name, type_, since]
            return "alias", orjson.dumps(body)
        case RenameObserved(dataset, previous, since):
            body = [dataset.namespace, dataset.name, previous.namespace, previous.name, since]
            return "rename", orjson.dumps(body)
        case _:
            assert_never(observed)


def decode_observed(kind: str, body: bytes) -> Observed:
    """Read what `encode_observed` wrote; raise `NotUnderstood` for a kind that this release does not have."""
    values = orjson.loads(body)
    match kind:
        case "dataset":
            return DatasetObserved(DatasetKey(*values))
        case "job":
            return JobObserved(JobKey(*values))
        case "shape":
            namespace, name, at, tiebreak, shape = values
            return ShapeObserved(
                JobKey(namespace, name),
                dt.datetime.fromisoformat(at),
                uuid.UUID(tiebreak),
                None if shape is None else Shape.from_json(shape),
            )
        case "parent":
            return ParentObserved(
                JobKey(values[0], values[1]),
                JobKey(values[2], values[3]),
                dt.datetime.fromisoformat(values[4]),
            )
        case "alias":
            return AliasObserved(
                DatasetKey(values[0], values[1]),
                DatasetKey(values[2], values[3]),
                values[4],
                dt.datetime.fromisoformat(values[5]),
            )
        case "rename":
            return RenameObserved(
                DatasetKey(values[0], values[1]),
                DatasetKey(values[2], values[3]),
                dt.datetime.fromisoformat(values[4]),
            )
        case _:
            raise NotUnderstood(
                f"expected an observation of kind dataset, job, shape, parent, alias or rename, found {kind!r}"
            )
