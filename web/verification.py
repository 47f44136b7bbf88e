"""The laws checked on one installation, whoever runs it: every check of `hooks.verifying`, and the graph's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from catalog.database import translated_errors
from catalog.errors import InvalidInput
from catalog.progress import ShowProgress, no_progress
from catalog.sessions import read_snapshot
from graph.maintenance import GraphMaintenance
from hooks.verifying.attempts import verify_claims, verify_starts
from hooks.verifying.finding import Findings
from hooks.verifying.followers import verify_followers
from hooks.verifying.ledger import verify_digests, verify_positions
from hooks.verifying.runs import verify_consumption, verify_due, verify_jobs, verify_transitions
from hooks.verifying.state import verify_state


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found. `position` is that of the state follower in the snapshot that was looked at."""

    position: int
    findings: Sequence[Findings]

    @property
    def holds(self) -> bool:
        """Whether nothing was found that must not be."""
        return not any(found.wrong for found in self.findings)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What the checks look at."""

    connection: "psycopg.Connection[Any]"
    conninfo: str
    graph: GraphMaintenance
    progress: ShowProgress


#: Every check by its name, in the order in which they are made.
CHECKS: dict[str, Callable[[_Subject], Findings]] = {
    "ledger.positions": lambda subject: verify_positions(subject.connection),
    "ledger.digests": lambda subject: verify_digests(subject.connection, subject.progress),
    "followers": lambda subject: verify_followers(subject.connection),
    "runs.transitions": lambda subject: verify_transitions(subject.connection),
    "runs.consumption": lambda subject: verify_consumption(subject.connection),
    "runs.due": lambda subject: verify_due(subject.connection),
    "runs.jobs": lambda subject: verify_jobs(subject.connection),
    "attempts.claims": lambda subject: verify_claims(subject.connection),
    "attempts.starts": lambda subject: verify_starts(subject.connection),
    "state": lambda subject: verify_state(subject.connection, subject.conninfo, subject.progress),
    "graph": lambda subject: _graph(subject.graph, subject.progress),
}


def verify(
    conninfo: str,
    graph: GraphMaintenance,
    *,
    only: Sequence[str] = (),
    progress: ShowProgress = no_progress,
) -> Verified:
    """Return what the checks, or those that are named, find in one snapshot of the database; nothing is changed.

    The graph is held against its log in a snapshot of its own. Raises `InvalidInput` for a check that there is not,
    and `DatabaseUnavailable`.
    """
    unknown = [name for name in only if name not in CHECKS]
    if unknown:
        raise InvalidInput(f"expected checks among {', '.join(CHECKS)}, found {', '.join(unknown)}"[:500])
    with translated_errors(), read_snapshot(conninfo, application_name="headwater-verify") as connection:
        subject = _Subject(connection, conninfo, graph, progress)
        row = connection.execute("SELECT position FROM follower WHERE name = 'state'").fetchone()
        findings = [check(subject) for name, check in CHECKS.items() if not only or name in only]
        return Verified(int(row[0]) if row else 0, findings)


def _graph(maintenance: GraphMaintenance, progress: ShowProgress) -> Findings:
    verification = maintenance.verify(progress)
    found = Findings("graph", (3,), looked_at=verification.nodes + verification.edges)
    for difference in verification.differences:
        found.add(difference)
    found.wrong = verification.missing + verification.surplus
    return found
