"""The ledger: append-only facts in PostgreSQL, in an order that equals the order of their commits.

An append holds one advisory lock until its transaction ends and does nothing else, so positions become visible in
order and a follower can never miss one (DESIGN, section 2).
"""

import datetime as dt
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from catalog.queries import load_queries

QUERIES = load_queries(Path(__file__).with_name("ledger.sql"))

#: Channel on which every commit of new facts is announced.
FACTS_CHANNEL = "headwater_facts"

APPEND_LOCK = 0x6865616477_01
COMPRESSION_LEVEL = 1
#: What is stored in place of a body that retention has taken; no compressed body is empty.
REMOVED_BODY = b""


@dataclass(frozen=True, slots=True)
class NewFact:
    """A fact that is not in the ledger yet; `body` as received, `digest` 16 bytes that say when two are one."""

    kind: str
    digest: bytes
    actor: str
    body: bytes
    event_time: dt.datetime | None = None
    run_id: uuid.UUID | None = None
    redactions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a fact stands; `duplicate` when the ledger had it before."""

    position: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """One immutable record. `received_at` is the database's clock, in ledger order."""

    position: int
    kind: str
    received_at: dt.datetime
    actor: str
    run_id: uuid.UUID | None
    digest: bytes
    body: bytes


def compress(body: bytes) -> bytes:
    """Return the form in which a body is stored."""
    return zlib.compress(body, COMPRESSION_LEVEL)


def append_facts(
    connection: psycopg.Connection[Any],
    facts: Sequence[NewFact],
    *,
    compressed: Sequence[bytes] | None = None,
) -> list[Appended]:
    """Write the facts that the ledger does not have, in their order, within the caller's transaction.

    Returns one `Appended` for each fact. The caller commits soon after: others wait on the append lock until then.
    """
    bodies = compressed if compressed is not None else [compress(fact.body) for fact in facts]
    unique = {fact.digest: index for index, fact in reversed(list(enumerate(facts)))}
    chosen = sorted(unique.values())
    parameters = {
        "key": APPEND_LOCK,
        "kinds": [facts[i].kind for i in chosen],
        "event_times": [facts[i].event_time for i in chosen],
        "actors": [facts[i].actor for i in chosen],
        "run_ids": [facts[i].run_id for i in chosen],
        "digests": [facts[i].digest for i in chosen],
        "redactions": ["\n".join(facts[i].redactions) for i in chosen],
        "bodies": [bodies[i] for i in chosen],
    }
    fresh: dict[bytes, int] = {}
    known: dict[bytes, int] = {}
    for digest, position, is_fresh in connection.execute(QUERIES["append"], parameters):
        # What this call added is also found as known, if anything of it was known.
        (fresh if is_fresh else known)[digest] = position
    result = []
    for index, fact in enumerate(facts):
        first = fact.digest in fresh and unique[fact.digest] == index
        result.append(Appended(fresh.get(fact.digest) or known[fact.digest], duplicate=not first))
    return result


def _facts(rows: Sequence[tuple[Any, ...]]) -> list[Fact]:
    facts = []
    for position, kind, received_at, actor, run_id, digest, body in rows:
        facts.append(Fact(position, kind, received_at, actor, run_id, digest, zlib.decompress(body)))
    return facts


def read_facts(connection: psycopg.Connection[Any], *, after: int, limit: int) -> list[Fact]:
    """Return at most `limit` facts with a position greater than `after`, in ledger order."""
    cursor = connection.cursor(binary=True)
    return _facts(cursor.execute(QUERIES["read_after"], {"after": after, "limit": limit}).fetchall())


def read_facts_at(connection: psycopg.Connection[Any], positions: Sequence[int]) -> list[Fact]:
    """Return the facts at these positions, in ledger order."""
    cursor = connection.cursor(binary=True)
    return _facts(cursor.execute(QUERIES["read_positions"], {"positions": list(positions)}).fetchall())


def read_run_facts(connection: psycopg.Connection[Any], run_id: uuid.UUID, *, limit: int) -> list[Fact]:
    """Return at most `limit` facts that name the run, in ledger order."""
    cursor = connection.cursor(binary=True)
    return _facts(cursor.execute(QUERIES["read_run"], {"run_id": run_id, "limit": limit}).fetchall())
