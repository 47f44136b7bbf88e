"""Observations into the rows of a store, within its transaction: nodes first, then links, then the shapes of jobs.

There is one writer for each generation, held by the cursor that it moves, so rows are read, compared here and written.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from catalog.observations import (
    AliasObserved,
    DatasetObserved,
    JobObserved,
    Observation,
    ParentObserved,
    RenameObserved,
    ShapeObserved,
)
from graph.edge_kinds import EDGE_KIND_NUMBERS, EDGE_KINDS
from graph.histories import JobHistories
from graph.mentions import mentions
from graph.model import EdgeKind, Node
from graph.node_rows import NodeRows
from graph.rows import EdgeRow, GraphRows


@dataclass(frozen=True, slots=True)
class _Link:
    """An alias, a parent or a former name as it is to stand."""

    kind: EdgeKind
    owner: int
    other: int
    since: dt.datetime
    type: str
    sequence: int


def write_observations(rows: GraphRows, observations: Sequence[Observation]) -> None:
    """Make the observations true; an older one of an identity changes nothing.

    The caller's transaction holds the cursor of the generation and commits it together with this.
    """
    nodes = NodeRows(rows)
    nodes.ensure(node for observation in observations for node in mentions(observation.observed))
    ids = nodes.ids
    links: dict[tuple[EdgeKind, int, int], _Link] = {}
    histories = JobHistories(rows, nodes)
    for observation in sorted(observations, key=lambda observation: observation.sequence):
        sequence, observed = observation.sequence, observation.observed
        match observed:
            case DatasetObserved() | JobObserved():
                pass
            case ShapeObserved():
                histories.add(observed, sequence)
            case ParentObserved(job, parent, since):
                link = _Link(EdgeKind.PARENT, ids[Node.of(job)], ids[Node.of(parent)], since, "", sequence)
                links[link.kind, link.owner, link.other] = link
            case AliasObserved(dataset, alias, type_, since):
                link = _Link(
                    EdgeKind.ALIAS, ids[Node.of(dataset)], ids[Node.of(alias)], since, type_, sequence
                )
                links[link.kind, link.owner, link.other] = link
            case RenameObserved(dataset, previous, since):
                link = _Link(
                    EdgeKind.RENAMED, ids[Node.of(dataset)], ids[Node.of(previous)], since, "", sequence
                )
                links[link.kind, link.owner, link.other] = link
            case _:
                assert_never(observed)
    stale_links, new_links = _compare_links(rows, links.values(), nodes.known)
    stale_edges, new_edges = histories.write()
    if stale := stale_links + stale_edges:
        rows.remove_edges(stale)
    if new := new_links + new_edges:
        rows.add_edges(new)


def _compare_links(
    rows: GraphRows, links: Iterable[_Link], known: Collection[int]
) -> tuple[list[str], list[EdgeRow]]:
    """Return the handles of edges that newer links replace, and the rows of these."""
    # Nothing is its own alias, parent or former name.
    wanted = {(link.kind, link.owner, link.other): link for link in links if link.owner != link.other}
    stale: list[str] = []
    if owners := sorted({link.owner for link in wanted.values()}.intersection(known)):
        for handle, number, owner, other, sequence in rows.links(owners):
            identity = (EDGE_KINDS[number], owner, other)
            link = wanted.get(identity)
            if link is not None and link.sequence > sequence:
                stale.append(handle)
            elif link is not None:
                del wanted[identity]
    return stale, [_link_row(link) for link in wanted.values()]


def _link_row(link: _Link) -> EdgeRow:
    number = EDGE_KIND_NUMBERS[link.kind]
    ends = (link.other, link.owner) if link.kind is EdgeKind.RENAMED else (link.owner, link.other)
    return EdgeRow(link.owner, number, *ends, link.since, None, link.type, link.sequence)
