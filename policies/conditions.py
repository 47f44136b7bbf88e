"""Conditions: a frozen tree of datasets under `all` and `any`, and how it stands.

A leaf is one place in the tree where a dataset stands. Leaves are numbered from 0 in the order of the
document. Numbers change when the document is edited, so what a pipeline consumed is stored under the leaf's
`key` and `occurrence`, which change only for datasets that stand in the condition more than once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, assert_never

from catalog.documents.pipeline import When, WhenAll, WhenAny, WhenDataset
from catalog.keys import DatasetKey
from policies.queues import Queues

#: A text names at most this many datasets of one node.
NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class DatasetCondition:
    """True while a version of the dataset is queued."""

    key: DatasetKey
    leaf: int
    occurrence: int = 0
    """How many leaves before this one name the same dataset."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """True while every child is."""

    children: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True while at least one child is."""

    children: "tuple[Condition, ...]"


Condition = DatasetCondition | AllOf | AnyOf


def from_document(when: When) -> Condition:
    """Return the condition that a document's `when` declares."""
    return _Numbering().condition(when)


class _Numbering:
    """Gives every leaf its number and its occurrence, in the order of the document."""

    def __init__(self) -> None:
        self._leaves = 0
        self._occurrences: Counter[DatasetKey] = Counter()

    def condition(self, when: When) -> Condition:
        match when:
            case WhenDataset(dataset=dataset):
                key = dataset.key
                leaf = DatasetCondition(key, self._leaves, self._occurrences[key])
                self._leaves += 1
                self._occurrences[key] += 1
                return leaf
            case WhenAll(children=children):
                return AllOf(tuple(self.condition(child) for child in children))
            case WhenAny(children=children):
                return AnyOf(tuple(self.condition(child) for child in children))
            case _:
                assert_never(when)


def leaves(condition: Condition) -> tuple[DatasetCondition, ...]:
    """Return the leaves in the order of their numbers."""
    return tuple(_leaves(condition))


def _leaves(condition: Condition) -> Iterator[DatasetCondition]:
    match condition:
        case DatasetCondition():
            yield condition
        case AllOf(children=children) | AnyOf(children=children):
            for child in children:
                yield from _leaves(child)
        case _:
            assert_never(condition)


@dataclass(frozen=True, slots=True)
class ConditionState:
    """How one node of a condition stands at an instant: an answer to "why not?"."""

    kind: Literal["dataset", "all", "any"]
    label: str
    satisfied: bool
    since: datetime | None
    """When the node became what it is, UTC; None where nothing is known of that."""
    duration: timedelta | None
    """How long it has been so; never negative."""
    waiting_for: str | None
    """What would make the node true; None while it is."""
    queued: int
    """Versions in the queues at and below the node."""
    leaf: int | None
    key: DatasetKey | None
    children: "tuple[ConditionState, ...]"


def explain(
    condition: Condition, queues: Queues, now: datetime, emptied_at: Mapping[int, datetime] | None = None
) -> ConditionState:
    """Return how every node of the condition stands at `now`.

    `emptied_at` gives for a leaf the instant (UTC) since which its queue has been empty: the last
    consumption, or the registration of the pipeline.
    """
    return _Explanation(queues, now, emptied_at or {}).node(condition).state


def next_version(state: ConditionState) -> str:
    """Return as text what makes a condition fire that is true: a new version of any of its datasets."""
    labels = dict.fromkeys(leaf.label for leaf in _leaf_states(state))
    return _waiting_for(_listed([*labels], "or"))


def _leaf_states(state: ConditionState) -> Iterator[ConditionState]:
    if state.leaf is not None:
        yield state
    for child in state.children:
        yield from _leaf_states(child)


@dataclass(frozen=True, slots=True)
class _Node:
    """A state with the position in the version log by which it became true, and what it lacks as text."""

    state: ConditionState
    sequence: int
    lacks: "_Lack | None"


@dataclass(frozen=True, slots=True)
class _Lack:
    """The versions that a node lacks, as text."""

    text: str
    joined: bool


class _Explanation:
    def __init__(self, queues: Queues, now: datetime, emptied_at: Mapping[int, datetime]) -> None:
        self._queues = queues
        self._now = now
        self._emptied_at = emptied_at

    def node(self, condition: Condition) -> _Node:
        match condition:
            case DatasetCondition():
                return self._dataset(condition)
            case AllOf(children=children):
                return self._all([self.node(child) for child in children])
            case AnyOf(children=children):
                return self._any([self.node(child) for child in children])
            case _:
                assert_never(condition)

    def _dataset(self, condition: DatasetCondition) -> _Node:
        queue = self._queues.get(condition.leaf, ())
        label = condition.key.node_id
        since = queue[0].at if queue else self._emptied_at.get(condition.leaf)
        state = ConditionState(
            kind="dataset",
            label=label,
            satisfied=bool(queue),
            since=since,
            duration=self._duration(since),
            waiting_for=None if queue else _waiting_for(label),
            queued=len(queue),
            leaf=condition.leaf,
            key=condition.key,
            children=(),
        )
        return _Node(state, queue[0].sequence if queue else -1, None if queue else _Lack(label, joined=False))

    def _all(self, children: list[_Node]) -> _Node:
        lacking = [child for child in children if not child.state.satisfied]
        if not lacking:
            decisive = max(children, key=_sequence)
            return self._group("all", children, decisive.state.since, decisive.sequence, None)
        # An `all` became false with the first of its children that did.
        known = [child.state.since for child in lacking if child.state.since is not None]
        since = min(known) if len(known) == len(lacking) else None
        return self._group("all", children, since, -1, _join(lacking, "and"))

    def _any(self, children: list[_Node]) -> _Node:
        holding = [child for child in children if child.state.satisfied]
        if holding:
            decisive = min(holding, key=_sequence)
            return self._group("any", children, decisive.state.since, decisive.sequence, None)
        # An `any` became false with the last of its children that did.
        known = [child.state.since for child in children if child.state.since is not None]
        since = max(known) if len(known) == len(children) else None
        return self._group("any", children, since, -1, _join(children, "or"))

    def _group(
        self,
        kind: Literal["all", "any"],
        children: list[_Node],
        since: datetime | None,
        sequence: int,
        lacks: _Lack | None,
    ) -> _Node:
        state = ConditionState(
            kind=kind,
            label=f"{kind} of {len(children)}",
            satisfied=lacks is None,
            since=since,
            duration=self._duration(since),
            waiting_for=_waiting_for(lacks.text) if lacks else None,
            queued=sum(child.state.queued for child in children),
            leaf=None,
            key=None,
            children=tuple(child.state for child in children),
        )
        return _Node(state, sequence, lacks)

    def _duration(self, since: datetime | None) -> timedelta | None:
        return None if since is None else max(self._now - since, timedelta())


def _waiting_for(lacks: str) -> str:
    return f"a new version of {lacks}"


def _join(lacking: list[_Node], word: str) -> _Lack:
    """Return `a, b and c`; what is itself joined stands in brackets, and a long list is cut."""
    lacks = [node.lacks for node in lacking if node.lacks is not None]
    if len(lacks) == 1:
        return lacks[0]
    return _Lack(
        _listed([f"({lack.text})" if lack.joined else lack.text for lack in lacks], word), joined=True
    )


def _listed(texts: list[str], word: str) -> str:
    """Return `a, b and c`; a long list is cut."""
    if len(texts) == 1:
        return texts[0]
    named = texts[:NAMED_AT_MOST]
    if len(texts) > NAMED_AT_MOST:
        named.append(f"{len(texts) - NAMED_AT_MOST} more")
    return f"{', '.join(named[:-1])} {word} {named[-1]}"


def _sequence(node: _Node) -> int:
    return node.sequence
