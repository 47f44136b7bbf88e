"""OpenLineage events as they were received, by the time that they tell."""

import datetime as dt
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import QueryTooExpensive
from catalog.queries import load_queries
from hooks.removed import READ_REMOVED, Removed
from web.graphql.pages import EARLIEST, LATEST
from web.graphql.request import QueryRequest
from web.graphql.scalars import raw_json

QUERIES = load_queries(Path(__file__).with_name("events.sql"))

#: Bytes of stored bodies, and of bodies, that one answer may hold.
MOST_STORED_BYTES = 16 * 1024 * 1024
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: of these kinds of fact, told for `after` or later and for earlier than `before`."""

    kinds: tuple[str, ...]
    after: dt.datetime = EARLIEST
    before: dt.datetime = LATEST

    @property
    def parameters(self) -> dict[str, Any]:
        """What the statements take."""
        return {"kinds": list(self.kinds), "after": self.after, "before": self.before}


def listed_events(
    request: QueryRequest, chosen: EventFilter, *, latest_first: bool, limit: int, offset: int
) -> Sequence[Any]:
    """Return the bodies that are kept of so many events by event time and position, after as many as the offset says.

    Each goes into the answer byte by byte. Raises `QueryTooExpensive` where they are more than one answer may hold.
    """
    query = QUERIES["descending" if latest_first else "ascending"]
    rows = request.rows(query, limit=limit, offset=offset, most=MOST_STORED_BYTES, **chosen.parameters)
    if rows and rows[-1][1] > MOST_STORED_BYTES:
        raise _too_much()
    bodies = []
    size = 0
    for body, _ in rows:
        text = zlib.decompress(body)
        size += len(text)
        if size > MOST_BYTES:
            raise _too_much()
        bodies.append(raw_json(text))
    return bodies


def _too_much() -> QueryTooExpensive:
    return QueryTooExpensive(
        f"expected events of at most {MOST_BYTES} bytes together, found more: ask for fewer at once"
    )


def counted_events(request: QueryRequest, chosen: EventFilter) -> int:
    """Return how many such events there are whose bodies are kept."""
    removed = request.rows(READ_REMOVED)
    until = Removed(*removed[0]).until if removed else 0
    ((count,),) = request.rows(QUERIES["count"], removed=until, **chosen.parameters)
    return int(count)
