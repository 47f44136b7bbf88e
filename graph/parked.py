"""Which nodes may be wrong, because an observation or a fact that names them could not be applied."""

import zlib
from pathlib import Path
from typing import Any

import psycopg

from catalog.errors import HeadwaterError
from catalog.ledger import Fact, read_facts_at, read_run_facts
from catalog.observations import decode_observed
from catalog.queries import load_queries
from graph.mentions import fact_mentions, mentions

QUERIES = load_queries(Path(__file__).with_name("log.sql"))

#: Facts that could not be applied, and facts of one of their runs, that are read for one answer.
MOST_PARKED_FACTS = 100
MOST_RUN_FACTS = 1_000


def read_parked_nodes(connection: psycopg.Connection[Any]) -> set[str] | None:
    """Return the node ids that observations and facts name which could not be applied.

    None where one of them cannot be read, or where there are too many to read them for an answer.
    """
    try:
        rows = connection.cursor(binary=True).execute(QUERIES["parked"], prepare=True).fetchall()
        observed = [decode_observed(kind, bytes(body)) for kind, body in rows]
        facts = _parked_facts(connection)
        if facts is None:
            return None
        named = [*map(mentions, observed), *map(fact_mentions, facts)]
    except (HeadwaterError, ValueError, TypeError, LookupError, zlib.error):
        return None
    return {node.id for nodes in named for node in nodes}


def _parked_facts(connection: psycopg.Connection[Any]) -> list[Fact] | None:
    """Return the facts that could not be applied, and the other facts of their runs; None where not all are read.

    What a run reads and writes stands in all of its events: without one of them the others may not count.
    """
    limit = {"limit": MOST_PARKED_FACTS + 1}
    positions = [row[0] for row in connection.execute(QUERIES["parked_facts"], limit, prepare=True)]
    if len(positions) > MOST_PARKED_FACTS:
        return None
    facts = read_facts_at(connection, positions)
    if len(facts) < len(positions):
        return None
    for run_id in sorted({fact.run_id for fact in facts if fact.run_id is not None}):
        events = read_run_facts(connection, run_id, limit=MOST_RUN_FACTS + 1)
        if len(events) > MOST_RUN_FACTS:
            return None
        facts += events
    return facts
