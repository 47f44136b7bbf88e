"""What is due: a pure function of a condition and of the versions that its inputs have queued.

Each leaf of a condition has a queue of versions that the pipeline has not consumed, in the order of the
version log. When a node of the condition is true, and since when, is defined by the queues alone:

* a dataset is true while its queue holds a version, since the head of the queue;
* `all` is true while every child is, since the youngest of them became true;
* `any` is true while one child is, since the oldest of them became true.

`each` makes one run of every time the condition holds. The run consumes the head of every child of an
`all`; of an `any` it consumes the child that has been true longest, and of two that became true by the same
version (one dataset in two leaves) the first in the document. What a run consumes depends on no version
younger than the one that made it due, so runs do not depend on how arrivals are cut into batches.

`latest` makes one run that empties every queue that holds anything, also of inputs whose branch of the
condition is not true: the run reads them as they stand, so they count as seen. While that run waits for its
slot, its batch is open and absorbs whatever arrives.

Positions are those of the version log; instants are UTC.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from policies.conditions import AllOf, AnyOf, Condition, DatasetCondition, leaves
from policies.queues import QueuedVersion, Queues

Batching = Literal["each", "latest"]


@dataclass(frozen=True, slots=True)
class Consumption:
    """One version taken from the queue of one leaf."""

    leaf: int
    version: QueuedVersion


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that is due."""

    consumed: tuple[Consumption, ...]
    """In order of leaves, and of the log within a leaf."""
    due: QueuedVersion
    """The version whose arrival made the condition true."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that some queues make due."""

    runs: tuple[PlannedRun, ...] = ()
    """New runs, in the order in which they became due."""
    absorbed: tuple[Consumption, ...] = ()
    """What goes into the batch that is already open."""


def plan_runs(condition: Condition, batching: Batching, queues: Queues, *, open_batch: bool = False) -> Plan:
    """Return all that the queues make due; afterwards nothing is due from what is left in them.

    `open_batch` says that a `latest` run of this pipeline still waits for its slot; `each` has no batches.
    """
    match batching:
        case "each":
            return Plan(runs=tuple(_every_run(condition, queues)))
        case "latest" if open_batch:
            return Plan(absorbed=_absorb(condition, queues))
        case "latest":
            ready = _ready(condition, _Heads(queues))
            if ready is None:
                return Plan()
            return Plan(runs=(PlannedRun(consumed=_absorb(condition, queues), due=ready.since),))
        case _:
            assert_never(batching)


def _absorb(condition: Condition, queues: Queues) -> tuple[Consumption, ...]:
    """Return everything that is queued for the condition, whether the condition is true or not."""
    return tuple(
        Consumption(leaf.leaf, version) for leaf in leaves(condition) for version in queues.get(leaf.leaf, ())
    )


class _Heads:
    """Cursors into the queues, so that taking from a long queue copies nothing."""

    __slots__ = ("_cursors", "_queues")

    def __init__(self, queues: Queues) -> None:
        self._queues = queues
        self._cursors: dict[int, int] = {}

    def head(self, leaf: int) -> QueuedVersion | None:
        queue = self._queues.get(leaf, ())
        cursor = self._cursors.get(leaf, 0)
        return queue[cursor] if cursor < len(queue) else None

    def take(self, taken: Sequence[int]) -> tuple[Consumption, ...]:
        consumed = []
        for leaf in taken:
            cursor = self._cursors.get(leaf, 0)
            consumed.append(Consumption(leaf, self._queues[leaf][cursor]))
            self._cursors[leaf] = cursor + 1
        return tuple(consumed)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A node that is true: by which version it became so, and the leaves whose heads a run takes."""

    since: QueuedVersion
    leaves: tuple[int, ...]


def _ready(condition: Condition, heads: _Heads) -> _Ready | None:
    """Return since when a node is true and what it would take, or None while it is false."""
    match condition:
        case DatasetCondition(leaf=leaf):
            head = heads.head(leaf)
            return None if head is None else _Ready(head, (leaf,))
        case AllOf(children=children):
            parts: list[_Ready] = []
            for child in children:
                part = _ready(child, heads)
                if part is None:
                    return None
                parts.append(part)
            since = max((part.since for part in parts), key=_sequence)
            return _Ready(since, tuple(leaf for part in parts for leaf in part.leaves))
        case AnyOf(children=children):
            choices = [choice for child in children if (choice := _ready(child, heads)) is not None]
            return min(choices, key=lambda choice: choice.since.sequence, default=None)
        case _:
            assert_never(condition)


def _every_run(condition: Condition, queues: Queues) -> Iterator[PlannedRun]:
    heads = _Heads(queues)
    while (ready := _ready(condition, heads)) is not None:
        yield PlannedRun(consumed=heads.take(ready.leaves), due=ready.since)


def _sequence(version: QueuedVersion) -> int:
    return version.sequence
