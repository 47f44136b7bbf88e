"""Law 4 on attempts: each is bound to one host, and told of once."""

import itertools
import uuid
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import psycopg

from catalog.fact_digests import attempt_digest
from catalog.facts import FactKind
from hooks.jobs import ENGINE_HOST
from hooks.verifying.finding import Findings
from hooks.verifying.queries import QUERIES, stream

#: Claims that are looked up at once.
CHUNK = 2_000
#: Nobody's: a cancel came before every host.
NOBODY = ""


def verify_claims(connection: "psycopg.Connection[Any]") -> Findings:
    """Return whether the ledger knows of every claim, and every claim is of an attempt that was granted."""
    found = Findings("attempts.claims", (4,))
    claims = stream(connection, "claims", QUERIES["claims"])
    while chunk := list(itertools.islice(claims, CHUNK)):
        found.look(len(chunk))
        digests = {
            attempt_digest(FactKind.ATTEMPT_CLAIMED, run, attempt): f"attempt {attempt} of run {run}"
            for run, attempt, host, _ in chunk
            if host != NOBODY
        }
        rows = connection.execute(QUERIES["known_digests"], {"digests": list(digests)}).fetchall()
        known = {bytes(digest) for (digest,) in rows}
        for digest, attempt_text in digests.items():
            if digest not in known:
                found.add(f"{attempt_text} is claimed and the ledger does not know of it")
        for run, attempt, _, made in chunk:
            if made is None or attempt > made:
                found.add(f"attempt {attempt} of run {run} is claimed and was never granted")
    return found


def verify_starts(connection: "psycopg.Connection[Any]") -> Findings:
    """Return whether each attempt started at most once, on the host that had claimed it."""
    found = Findings("attempts.starts", (4,))
    facts = stream(connection, "attempts", QUERIES["attempt_facts"])
    by_run = itertools.groupby(facts, key=lambda row: row[0])
    while chunk := [(run, list(told)) for run, told in itertools.islice(by_run, CHUNK)]:
        rows = connection.execute(QUERIES["claims_of_runs"], {"ids": [run for run, _ in chunk]}).fetchall()
        hosts = {(run, attempt): host for run, attempt, host in rows}
        for run, told in chunk:
            _look_at_run(run, told, hosts, found)
    return found


def _look_at_run(
    run: uuid.UUID,
    told: Iterable[tuple[Any, ...]],
    hosts: Mapping[tuple[uuid.UUID, int], str],
    found: Findings,
) -> None:
    seen: set[tuple[str, int]] = set()
    for _, position, kind, body in told:
        found.look()
        try:
            said = orjson.loads(zlib.decompress(body))
            attempt, host = int(said["attempt"]), said.get("host")
        except (ValueError, TypeError, LookupError, zlib.error) as error:
            found.add(f"fact {position} ({kind}) cannot be read: {error}")
            continue
        name = f"attempt {attempt} of run {run}"
        if (kind, attempt) in seen:
            found.add(f"{name}: fact {position} tells of {kind} a second time")
        seen.add((kind, attempt))
        claimed = hosts.get((run, attempt))
        # Of an attempt at an engine the claim tells who asked it, and the start where it runs.
        if kind != FactKind.ATTEMPT_ENDED and claimed not in {host, ENGINE_HOST}:
            by = "nobody" if claimed in (None, NOBODY) else f"host {claimed}"
            found.add(f"{name}: fact {position} tells of {kind} on host {host}, and {by} had claimed it")
