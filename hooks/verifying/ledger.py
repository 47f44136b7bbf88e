"""Laws 1 and 2 on the ledger: each position has one fact, each fact one digest, and that is the digest of its body."""

import zlib
from dataclasses import replace
from typing import Any

import psycopg

from catalog.errors import HeadwaterError
from catalog.fact_digests import expected_digest
from catalog.facts import OPENLINEAGE_KINDS
from catalog.ledger import REMOVED_BODY, Fact
from catalog.progress import Progress, ShowProgress, no_progress
from hooks.removed import read_removed
from hooks.verifying.finding import Findings
from hooks.verifying.queries import QUERIES, stream

#: Facts between two reports of progress.
REPORTED = 5_000


def verify_positions(connection: "psycopg.Connection[Any]") -> Findings:
    """Return whether facts and digests stand for each other, one for one.

    Positions may have gaps: one that a transaction drew and did not use. A digest whose fact is not there is a loss.
    """
    found = Findings("ledger.positions", (1, 2))
    size, _, last, drawn = connection.execute(QUERIES["ledger_size"]).fetchone() or (0, 0, 0, 0)
    found.look(size)
    if last > drawn:
        found.add(f"fact {last} lies beyond {drawn}, the last position that was drawn")
    for position, other in connection.execute(QUERIES["facts_without_digest"]):
        stands = "has no digest" if other is None else f"has the digest of fact {other}"
        found.add(f"fact {position} {stands}")
    for (position,) in connection.execute(QUERIES["digests_without_fact"]):
        found.add(f"fact {position} was acknowledged, for its digest is known, and is not there")
    return found


def verify_digests(
    connection: "psycopg.Connection[Any]", progress: ShowProgress = no_progress, *, after: int = 0
) -> Findings:
    """Return whether the digest of each fact is the one that its body makes, as far as its body is kept.

    The body of an event may have been taken by retention, up to where a fact says so; no other may be without.
    """
    found = Findings("ledger.digests", (1, 2))
    _, _, last, _ = connection.execute(QUERIES["ledger_size"]).fetchone() or (0, 0, 0, 0)
    removed = read_removed(connection)
    until = 0 if removed is None else removed.until
    for row in stream(connection, "facts", QUERIES["facts"], {"after": after}):
        found.look()
        stored = Fact(*row)
        fault = _fault_without_body(stored, until) if stored.body == REMOVED_BODY else _fault(stored)
        if fault is not None:
            found.add(f"fact {stored.position} ({stored.kind}) {fault}")
        if found.looked_at % REPORTED == 0:
            progress(Progress("ledger", stored.position, last))
    return found


def _fault_without_body(stored: Fact, until: int) -> str | None:
    """Return what is wrong with a fact that has no body, where those of events up to a position are given up."""
    if stored.kind not in OPENLINEAGE_KINDS:
        return "has no body, and is no event"
    return None if stored.position <= until else "has no body, and no fact says that it was removed"


def _fault(stored: Fact) -> str | None:
    """Return what is wrong with a fact whose body is still compressed."""
    try:
        fact = replace(stored, body=zlib.decompress(stored.body))
        expected = expected_digest(fact)
    except (HeadwaterError, ValueError, TypeError, LookupError, zlib.error) as error:
        return f"cannot be read: {type(error).__name__}: {error}"
    return None if expected in (None, fact.digest) else "is not what its digest stands for"
