"""Stage 1 over one batch: facts become runs, versions and observations, in the caller's transaction."""

from collections.abc import Sequence
from typing import Any

import psycopg

from catalog.documents.version_scope import VersionScope
from catalog.ledger import Fact
from hooks.deciding.records import VersionEvent
from hooks.observing.heard import Names, heard_in
from hooks.observing.memory import Memory
from hooks.observing.observer import Observer
from hooks.observing.scopes import load_scopes
from hooks.observing.versions import named_versions
from hooks.observing.working_set import WorkingSet


class ObservingStage:
    """Merges what is heard; remembers known entities between batches."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._scopes: Sequence[VersionScope] | None = None

    def forget(self) -> None:
        """Drop everything remembered, because a transaction did not commit or another holder may have worked."""
        self._memory = Memory()
        self._scopes = None

    def forget_rules(self) -> None:
        """Read the documents again: one of them changed."""
        self._scopes = None

    def apply(self, connection: psycopg.Connection[Any], facts: Sequence[Fact]) -> list[VersionEvent]:
        """Apply the batch; return the records it added to the version log, in order."""
        batch = heard_in(facts)
        if not batch:
            return []
        if self._scopes is None:
            self._scopes = load_scopes(connection)
        self._memory = self._memory.bounded()
        working_set = WorkingSet(connection, self._memory)
        working_set.load(Names.of(batch))
        working_set.versions.load(named_versions(batch))
        observer = Observer(working_set, self._scopes)
        for heard in batch:
            observer.observe(heard)
        return working_set.flush()
