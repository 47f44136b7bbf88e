"""Which pipelines would start if some datasets changed: a pure function of their conditions and of what is queued.

A change of a dataset is a new version of it. A pipeline that would start writes its datasets anew, which may start
others; one whose condition stays false writes nothing, and waits for something else.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from catalog.keys import DatasetKey
from policies.conditions import Condition, explain, leaves
from policies.queues import QueuedVersion, Queues

#: Stands behind every version that there is.
_NEXT_SEQUENCE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class WaitingPipeline:
    """A pipeline that starts runs when its condition is true."""

    name: str
    condition: Condition
    queues: Queues
    """What its inputs have not consumed yet."""
    writes: AbstractSet[DatasetKey]
    """What its runs write, by its document and as they are seen to."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """What the change means for a pipeline whose condition names something of it."""

    pipeline: str
    starts: bool
    """Whether its condition is true then, with what is queued already."""
    round: int
    """1 where the change itself is named, n + 1 where it takes what a pipeline of round n writes."""
    because: tuple[DatasetKey, ...]
    """The datasets in its condition that would have a new version, as the condition names them."""
    waiting_for: str | None
    """What it would still wait for; None where it starts."""


def consequences(
    pipelines: Iterable[WaitingPipeline],
    changed: Collection[DatasetKey],
    aliases: Mapping[DatasetKey, DatasetKey],
    now: datetime,
) -> list[Consequence]:
    """Return what becomes of each pipeline that the change reaches, by round and name.

    `aliases` maps every name of a dataset that stands in a condition to the one name that stands for all of its names.
    """
    waiting = {pipeline.name: pipeline for pipeline in pipelines}
    new = {aliases.get(key, key) for key in changed}
    found: dict[str, Consequence] = {}
    round_ = 0
    while waiting and new:
        round_ += 1
        judged = [_judge(pipeline, new, aliases, round_, now) for pipeline in waiting.values()]
        started = [one for one in judged if one is not None and one.starts]
        for one in judged:
            if one is not None:
                first = found.get(one.pipeline, one).round
                found[one.pipeline] = one if one.starts else _in_round(one, first)
        if not started:
            break
        for one in started:
            pipeline = waiting.pop(one.pipeline)
            new |= {aliases.get(key, key) for key in pipeline.writes}
    return sorted(found.values(), key=lambda one: (one.round, one.pipeline))


def _in_round(consequence: Consequence, round_: int) -> Consequence:
    return Consequence(
        consequence.pipeline, consequence.starts, round_, consequence.because, consequence.waiting_for
    )


def _judge(
    pipeline: WaitingPipeline,
    changed: AbstractSet[DatasetKey],
    aliases: Mapping[DatasetKey, DatasetKey],
    round_: int,
    now: datetime,
) -> Consequence | None:
    """Return what the changed datasets mean for the pipeline, None where its condition names none of them."""
    named = [leaf for leaf in leaves(pipeline.condition) if aliases.get(leaf.key, leaf.key) in changed]
    if not named:
        return None
    version = QueuedVersion(_NEXT_SEQUENCE, uuid.UUID(int=0), now)
    queues = {leaf.leaf: (version,) for leaf in named} | {
        leaf: queue for leaf, queue in pipeline.queues.items() if queue
    }
    state = explain(pipeline.condition, queues, now)
    because = tuple(dict.fromkeys(leaf.key for leaf in named))
    return Consequence(pipeline.name, state.satisfied, round_, because, state.waiting_for)
