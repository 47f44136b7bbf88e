"""How the catalog grew: what was heard of for the first time, and runs that started and ended, by intervals of time."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from catalog.queries import load_queries
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("growth.sql"))

Counted = Literal["datasets", "jobs", "sources"]


def counts_at_ends(request: QueryRequest, what: Counted, bounds: Sequence[dt.datetime]) -> list[int]:
    """Return for each interval between two bounds how many had been heard of at its end."""
    found = dict(request.rows(QUERIES[what], bounds=list(bounds)))
    # 0 counts what was before the first bound, n what lies between the n-th and the next.
    return [sum(found.get(each, 0) for each in range(last + 1)) for last in range(1, len(bounds))]


def runs_by_interval(request: QueryRequest, bounds: Sequence[dt.datetime]) -> list[Mapping[str, int]]:
    """Return for each interval between two bounds how many runs told START, COMPLETE, FAIL and ABORT in it."""
    rows = request.rows(QUERIES["runs"], bounds=list(bounds), first=bounds[0], last=bounds[-1])
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for interval, type_, count in rows:
        found[interval][type_] = count
    return [found[each] for each in range(1, len(bounds))]
