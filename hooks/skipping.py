"""Parked records that somebody decided to leave out: a fact says which, why and what was wrong with them.

The fact carries what was known of the parked record, so that the same ledger makes the same rows wherever it is
followed, although parking itself is no part of the ledger.
"""

from collections.abc import Sequence
from typing import Any

import psycopg

from catalog.errors import InvalidInput, NotFound
from catalog.facts import FactKind, command
from catalog.ledger import NewFact
from hooks.deciding.records import Occasion

LONGEST_REASON = 2_000

#: One that was left out already is found too: the same command again is the same command.
READ_PARKED = b"""
SELECT follower, position, run_id::text, error_code, error, attempts, parked_at::text
FROM parked WHERE follower = %(follower)s AND position = %(position)s
UNION ALL
SELECT follower, position, run_id::text, error_code, error, attempts, parked_at::text
FROM skipped WHERE follower = %(follower)s AND position = %(position)s
"""
_MEMBERS = ("follower", "position", "runId", "code", "message", "attempts", "parkedAt")

_LEAVE_OUT = """
INSERT INTO skipped (follower, position, run_id, error_code, error, attempts, parked_at, skipped_by, skipped_at, actor,
                     reason)
VALUES (%(follower)s, %(position)s, %(runId)s, %(code)s, %(message)s, %(attempts)s, %(parkedAt)s, %(by)s, %(at)s,
        %(actor)s, %(reason)s)
ON CONFLICT (follower, position) DO NOTHING
"""


def skip_command(
    rows: Sequence[tuple[Any, ...]], *, reason: str, actor: str, key: str | None = None
) -> NewFact:
    """Return the command that leaves out the parked record that `READ_PARKED` found; raise `NotFound` for none."""
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise InvalidInput(f"expected a reason of at most {LONGEST_REASON} characters", pointer="/reason")
    if not rows:
        raise NotFound("nothing is parked there: `headwater follower list` shows what is")
    known = dict(zip(_MEMBERS, rows[0], strict=True))
    return command(FactKind.PARKED_SKIP, {**known, "reason": reason}, actor=actor, key=key)


def leave_out(
    connection: "psycopg.Connection[Any]", body: dict[str, Any], occasion: Occasion
) -> dict[str, Any]:
    """Write that the record is left out: it is not parked any more, and answers do not say so any more."""
    known = {"by": occasion.position, "at": occasion.at, "actor": occasion.actor}
    connection.execute(_LEAVE_OUT, {**body, **known})
    place = {"follower": body["follower"], "position": body["position"]}
    connection.execute("DELETE FROM parked WHERE follower = %(follower)s AND position = %(position)s", place)
    return place
