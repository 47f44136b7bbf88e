"""Which nodes an observation names: each of them is there from then on; and which a fact names."""

from collections.abc import Iterable
from typing import assert_never

import orjson

from catalog.facts import OPENLINEAGE_KINDS, FactKind
from catalog.forms import understood
from catalog.keys import DatasetKey
from catalog.ledger import Fact
from catalog.observations import (
    AliasObserved,
    DatasetObserved,
    JobObserved,
    Observed,
    ParentObserved,
    RenameObserved,
    ShapeObserved,
)
from catalog.openlineage.events import DatasetEvent, DatasetReference, JobEvent, RunEvent, parse_event
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.shape import Shape, shape_of
from graph.model import Node


def mentions(observed: Observed) -> list[Node]:
    """Return every dataset, job and field that the observation names."""
    match observed:
        case DatasetObserved(key):
            return [Node.of(key)]
        case JobObserved(key):
            return [Node.of(key)]
        case ShapeObserved(job, _, _, shape):
            return [Node.of(job)] if shape is None else [Node.of(job), *_named_by(shape)]
        case ParentObserved(job, parent, _):
            return [Node.of(job), Node.of(parent)]
        case AliasObserved(dataset, alias, _, _):
            return [Node.of(dataset), Node.of(alias)]
        case RenameObserved(dataset, previous, _):
            return [Node.of(dataset), Node.of(previous)]
        case _:
            assert_never(observed)


def fact_mentions(fact: Fact) -> list[Node]:
    """Return every dataset and job whose place in the graph the fact may change; none for commands and outcomes.

    Fields are not told one by one: whatever touches their datasets may touch them.

    Raises `HeadwaterError`, `ValueError`, `TypeError` or `LookupError` for a fact that cannot be read.
    """
    kind = understood(FactKind, fact.kind)
    if kind is FactKind.VERSION_REPORT:
        body = orjson.loads(fact.body)
        return [Node.of(DatasetKey(body["namespace"], body["name"]))]
    if kind not in OPENLINEAGE_KINDS:
        return []
    event = parse_event(fact.body, fact.digest)
    match event:
        case RunEvent():
            parent = event.parent
            callers = [] if parent is None else [each.job for each in (parent.run, parent.root) if each]
            shape = shape_of(MergedRun.of(event), partial=True)
            listed = _references((*event.inputs, *event.outputs))
            jobs = [Node.of(job) for job in (event.job, *callers)]
            return [*jobs, *listed, *(_named_by(shape) if shape else ())]
        case JobEvent():
            shape = shape_of(event, partial=True)
            listed = _references((*event.inputs, *event.outputs))
            return [Node.of(event.job), *listed, *(_named_by(shape) if shape else ())]
        case DatasetEvent():
            return _references((event.dataset,))
        case _:
            assert_never(event)


def _references(references: Iterable[DatasetReference]) -> list[Node]:
    found: list[Node] = []
    for reference in references:
        previous = [] if reference.renamed_from is None else [reference.renamed_from]
        found += map(Node.of, (reference.key, *(alias.key for alias in reference.aliases), *previous))
    return found


def _named_by(shape: Shape) -> list[Node]:
    keys = (shape.inputs, shape.outputs, shape.job_inputs, shape.job_outputs)
    named = [Node.of(key) for found in keys for key in found]
    for output, lineage in shape.columns:
        sources = [*lineage.dataset, *(source for _, found in lineage.fields for source in found)]
        named += [Node.of(output), *(Node.of(dataset) for dataset in lineage.sources)]
        named += [Node.of_field(output, name) for name, _ in lineage.fields]
        named += [Node.of_field(source.dataset, source.field) for source in sources]
    return named
