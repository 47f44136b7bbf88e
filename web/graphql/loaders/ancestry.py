"""Which pipeline run a run belongs to, and which runs belong to a pipeline run."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from catalog.queries import load_queries
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("ancestry.sql"))

#: A chain of parents longer than this is cut: it names itself, or nobody can read it.
MAX_ANCESTORS = 32


def pipeline_runs_above(request: QueryRequest, runs: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, uuid.UUID]:
    """Return for each run that belongs to a pipeline run the nearest one: itself, a parent of it, or its root."""
    wanted = list(set(runs))
    if not wanted:
        return {}
    return dict(request.rows(QUERIES["pipeline_runs_above"], ids=wanted, distance=MAX_ANCESTORS))


def runs_below(request: QueryRequest, runs: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, list[uuid.UUID]]:
    """Return for each run itself and every run that was started within it."""
    found: defaultdict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for asked, run in request.rows(QUERIES["runs_below"], ids=list(set(runs))):
        found[asked].append(run)
    return found
