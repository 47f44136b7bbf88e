"""The state follower: stage 1 and stage 2 over the ledger, in one transaction a batch."""

from collections.abc import Sequence
from typing import Any

import psycopg

from catalog.facts import RULE_CHANGING_KINDS
from catalog.forms import STATE_FORM
from catalog.ledger import FACTS_CHANNEL, Fact, read_facts
from catalog.observations import STATE_CHANNEL
from catalog.search.index import take_own_changes
from hooks.deciding.decider import Limits
from hooks.deciding.stage import DecidingStage
from hooks.observing.stage import ObservingStage

#: Held by the worker that follows; others stand by.
STATE_FOLLOWER_LOCK = 0x6865616477_02


class StateLog:
    """The ledger as the state follower reads it, and what it does with it."""

    name = "state"
    form = STATE_FORM
    channel = FACTS_CHANNEL

    def __init__(self, limits: Limits) -> None:
        self._observing = ObservingStage()
        self._deciding = DecidingStage(limits)

    def read(self, connection: psycopg.Connection[Any], *, after: int, limit: int) -> Sequence[Fact]:
        """Return facts up to the first that changes by what rules later ones are read."""
        facts = read_facts(connection, after=after, limit=limit)
        for index, fact in enumerate(facts):
            if fact.kind in RULE_CHANGING_KINDS:
                return facts[: index + 1]
        return facts

    def apply(self, connection: psycopg.Connection[Any], records: Sequence[Fact], *, resumed: bool) -> None:
        """Write observations, versions, decisions, runs, jobs and what they are found by, and announce them."""
        if resumed:
            self.forget()
        self.write(connection, records)
        take_own_changes(connection)
        connection.execute("SELECT pg_notify(%s, %s)", (STATE_CHANNEL, str(records[-1].position)))

    def write(self, connection: psycopg.Connection[Any], records: Sequence[Fact]) -> None:
        """Write what the records make and tell nobody: a replay does this to a copy of the state."""
        events = self._observing.apply(connection, records)
        self._deciding.apply(connection, records, events)
        if records[-1].kind in RULE_CHANGING_KINDS:
            self._observing.forget_rules()

    def cursor(self, record: Fact) -> int:
        """Return the position of the fact."""
        return record.position

    def forget(self) -> None:
        """Drop what both stages remember."""
        self._observing.forget()
        self._deciding.forget()
