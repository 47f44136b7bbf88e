"""The outbox stream: what became of versions and pipeline runs, one stream in the order of the ledger.

Its places are ledger positions, up to where the state follower stands: everything at a place is there as soon as that
follower has passed it, because it commits its rows with its cursor. A fact that was parked and applied later stands
where a replay of the ledger applies it, right after the fact that came before it; so nothing is ever written at a place
that was passed. See `docs/decisions`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import psycopg

from catalog.facts import FactKind
from catalog.keys import DatasetKey, JobKey
from catalog.queries import load_queries
from hooks.webhooks.events import (
    Event,
    OutboxRecord,
    Rule,
    RunMoved,
    VersionChanged,
    WebhookCommanded,
    WebhookDeclared,
)

QUERIES = load_queries(Path(__file__).with_name("stream.sql"))


@dataclass(frozen=True, slots=True)
class _Late:
    """Facts that were applied later than their turn: from which position each moved to which place."""

    places: Mapping[int, int]

    def within(self, after: int, until: int) -> list[int]:
        """Return the places in the range to which something moved."""
        return sorted({place for place in self.places.values() if after < place <= until})

    def parameters(self, after: int, until: int) -> dict[str, Any]:
        """Return what reads the rows of the range, at their places."""
        return {
            "after": after,
            "until": until,
            "moved_away": [position for position in self.places if after < position <= until],
            "moved_here": [position for position, place in self.places.items() if after < place <= until],
        }


def read_stream(
    connection: psycopg.Connection[Any],
    *,
    after: int,
    limit: int,
    until: int | None = None,
    with_events: bool = True,
) -> list[OutboxRecord]:
    """Return at most `limit` records of places after `after`, in order; without events only those that have rules.

    `until` bounds the places where it is before the state follower's cursor.
    """
    row = connection.execute(QUERIES["until"]).fetchone()
    known = int(row[0]) if row else 0
    end = known if until is None else min(until, known)
    if end <= after:
        return []
    late = _Late(dict(connection.execute(QUERIES["late"], {"after": after}).fetchall()))
    queries = ["rule_places", "event_places"] if with_events else ["rule_places"]
    found = set(late.within(after, end))
    for name in queries:
        rows = connection.execute(QUERIES[name], {"after": after, "until": end, "limit": limit})
        found.update(place for (place,) in rows)
    places = sorted(found)[:limit]
    if not places:
        return []
    parameters = late.parameters(after, places[-1])
    rules: defaultdict[int, list[Rule]] = defaultdict(list)
    events: defaultdict[int, list[Event]] = defaultdict(list)
    for rule in _rules(connection, parameters):
        rules[late.places.get(rule.position, rule.position)].append(rule)
    for event in _events(connection, parameters) if with_events else ():
        events[late.places.get(event.position, event.position)].append(event)
    return [
        # What came late to a place was applied before the fact that stands there.
        OutboxRecord(place, tuple(rules[place]), tuple(sorted(events[place], key=attrgetter("position"))))
        for place in places
    ]


def _rules(connection: psycopg.Connection[Any], parameters: Mapping[str, Any]) -> Iterator[Rule]:
    for row in connection.execute(QUERIES["declared"], parameters):
        yield WebhookDeclared(*row)
    for position, at, actor, name, kind, arguments in connection.execute(QUERIES["commanded"], parameters):
        yield WebhookCommanded(position, at, actor, name, FactKind(kind), arguments)


def _events(connection: psycopg.Connection[Any], parameters: Mapping[str, Any]) -> Iterator[Event]:
    for row in connection.execute(QUERIES["version_events"], parameters):
        yield _version_changed(row)
    for row in connection.execute(QUERIES["run_moves"], parameters):
        yield RunMoved(*row)


def _version_changed(row: Sequence[Any]) -> VersionChanged:
    position, at, kind, version_id, namespace, name, aliases, time, partition, rows, size, run_id, *job = row
    return VersionChanged(
        position=position,
        at=at,
        kind=kind,
        version_id=version_id,
        dataset=DatasetKey(namespace, name),
        aliases=[DatasetKey(*alias) for alias in aliases or ()],
        time=time,
        partition=partition,
        row_count=rows,
        byte_count=size,
        run_id=run_id,
        job=None if job[0] is None else JobKey(*job),
    )
