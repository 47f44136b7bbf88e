"""Observations into tables, within the caller's transaction: nodes first, then links, then the shapes of jobs.

There is one writer for each generation, held by the cursor that it moves, so rows are read, compared here and written.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import psycopg

from catalog.errors import HeadwaterError
from catalog.observations import (
    AliasObserved,
    DatasetObserved,
    JobObserved,
    Observation,
    ParentObserved,
    RenameObserved,
    ShapeObserved,
)
from catalog.queries import load_queries
from graph.mentions import mentions
from graph.model import EdgeKind, Node
from graph.postgresql.arrays import Ids, ids_cursor
from graph.postgresql.edge_kinds import EDGE_KIND_NUMBERS, EDGE_KINDS
from graph.postgresql.histories import JobHistories
from graph.postgresql.nodes import NodeRows
from graph.postgresql.rows import EdgeRow

QUERIES = load_queries(Path(__file__).with_name("write.sql"))


@dataclass(frozen=True, slots=True)
class _Link:
    """An alias, a parent or a former name as it is to stand."""

    kind: EdgeKind
    owner: int
    other: int
    since: dt.datetime
    type: str
    sequence: int


def current_generation(connection: psycopg.Connection[Any]) -> int:
    """Return the number of the generation that readers use."""
    row = connection.execute(QUERIES["current_generation"]).fetchone()
    if row is None:
        raise HeadwaterError("expected a current generation of the graph, found none: run migrate")
    return int(row[0])


def write_observations(
    connection: psycopg.Connection[Any], generation: int, observations: Sequence[Observation]
) -> None:
    """Make the observations true in the generation; an older one of an identity changes nothing.

    The caller's transaction holds the cursor of the generation and commits it together with this.
    """
    nodes = NodeRows(connection, generation)
    nodes.ensure(node for observation in observations for node in mentions(observation.observed))
    ids = nodes.ids
    links: dict[tuple[EdgeKind, int, int], _Link] = {}
    histories = JobHistories(connection, nodes)
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
    stale_links, new_links = _compare_links(connection, links.values(), nodes.known)
    stale_edges, new_edges = histories.write()
    if stale := stale_links + stale_edges:
        connection.execute(QUERIES["remove_edges"], {"ctids": stale})
    _add_edges(connection, new_links + new_edges)


def _compare_links(
    connection: psycopg.Connection[Any], links: Iterable[_Link], known: Collection[int]
) -> tuple[list[str], list[EdgeRow]]:
    """Return the rows (by ctid) that newer links replace, and the rows of these."""
    # Nothing is its own alias, parent or former name.
    wanted = {(link.kind, link.owner, link.other): link for link in links if link.owner != link.other}
    stale: list[str] = []
    if owners := sorted({link.owner for link in wanted.values()}.intersection(known)):
        for ctid, number, owner, other, sequence in connection.execute(QUERIES["links"], {"owners": owners}):
            identity = (EDGE_KINDS[number], owner, other)
            link = wanted.get(identity)
            if link is not None and link.sequence > sequence:
                stale.append(ctid)
            elif link is not None:
                del wanted[identity]
    return stale, [row for link in wanted.values() for row in _link_rows(link)]


def _link_rows(link: _Link) -> list[EdgeRow]:
    number = EDGE_KIND_NUMBERS[link.kind]
    ends = [(link.other, link.owner) if link.kind is EdgeKind.RENAMED else (link.owner, link.other)]
    if link.kind is EdgeKind.ALIAS:
        # Walks go along rows, so what is crossed both ways stands both ways.
        ends.append((link.other, link.owner))
    return [
        EdgeRow(link.owner, number, origin, destination, link.since, None, link.type, link.sequence)
        for origin, destination in ends
    ]


def _add_edges(connection: psycopg.Connection[Any], rows: Sequence[EdgeRow]) -> None:
    if rows:
        names = ("owners", "kinds", "origins", "destinations", "starts", "ends", "types", "sequences")
        columns = zip(*rows, strict=True)
        parameters: dict[str, Any] = {name: list(column) for name, column in zip(names, columns, strict=True)}
        parameters |= {
            name: Ids(parameters[name]) for name in ("owners", "origins", "destinations", "sequences")
        }
        ids_cursor(connection).execute(QUERIES["add_edges"], parameters)
