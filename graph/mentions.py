"""Which datasets and jobs an observation names: each of them is a node from then on; and which a fact names."""

from collections.abc import Iterable
from typing import assert_never

import orjson

from catalog.facts import OPENLINEAGE_KINDS, FactKind
from catalog.keys import DatasetKey, JobKey
from catalog.ledger import Fact
from catalog.observations import (
    AliasObserved,
    DatasetObserved,
    JobObserved,
    Observed,
    ParentObserved,
    ShapeObserved,
)
from catalog.openlineage.events import DatasetEvent, DatasetReference, JobEvent, RunEvent, parse_event
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.shape import Shape, shape_of


def mentions(observed: Observed) -> list[DatasetKey | JobKey]:
    """Return every dataset and job that the observation names."""
    match observed:
        case DatasetObserved(key):
            return [key]
        case JobObserved(key):
            return [key]
        case ShapeObserved(job, _, _, shape):
            return [job] if shape is None else [job, *_named_by(shape)]
        case ParentObserved(job, parent, _):
            return [job, parent]
        case AliasObserved(dataset, alias, _, _):
            return [dataset, alias]
        case _:
            assert_never(observed)


def fact_mentions(fact: Fact) -> list[DatasetKey | JobKey]:
    """Return every dataset and job whose place in the graph the fact may change; none for commands and outcomes.

    Raises `HeadwaterError`, `ValueError`, `TypeError` or `LookupError` for a fact that cannot be read.
    """
    kind = FactKind(fact.kind)
    if kind is FactKind.VERSION_REPORT:
        body = orjson.loads(fact.body)
        return [DatasetKey(body["namespace"], body["name"])]
    if kind not in OPENLINEAGE_KINDS:
        return []
    event = parse_event(fact.body, fact.digest)
    match event:
        case RunEvent():
            parent = event.parent
            callers = [] if parent is None else [each.job for each in (parent.run, parent.root) if each]
            shape = shape_of(MergedRun.of(event), partial=True)
            listed = _references((*event.inputs, *event.outputs))
            return [event.job, *callers, *listed, *(_named_by(shape) if shape else ())]
        case JobEvent():
            shape = shape_of(event, partial=True)
            listed = _references((*event.inputs, *event.outputs))
            return [event.job, *listed, *(_named_by(shape) if shape else ())]
        case DatasetEvent():
            return _references((event.dataset,))
        case _:
            assert_never(event)


def _references(references: Iterable[DatasetReference]) -> list[DatasetKey | JobKey]:
    found: list[DatasetKey | JobKey] = []
    for reference in references:
        found += [reference.key, *(alias.key for alias in reference.aliases)]
    return found


def _named_by(shape: Shape) -> list[DatasetKey | JobKey]:
    return [*shape.inputs, *shape.outputs, *shape.job_inputs, *shape.job_outputs]
