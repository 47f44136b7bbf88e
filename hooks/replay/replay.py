"""Follows the ledger into a copy of the state, batch after batch, as the state follower did."""

import bisect
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from catalog.ledger import Fact, read_facts_at
from catalog.progress import Progress, ShowProgress, no_progress
from hooks.deciding.decider import Limits
from hooks.replay.circumstances import Circumstances
from hooks.replay.scratch import Analysis
from hooks.state_follower import StateLog

BATCH = 1_000
#: The bound on the causal chain where no decision has told of one: then none made a difference.
UNTOLD_CAUSAL_DEPTH = 50

#: Told of a fact that the follower applied and the replay cannot apply.
Refused = Callable[[Fact, Exception], None]


class Replay:
    """One way through the ledger; `cursor` is how far the copy has come."""

    def __init__(
        self,
        connection: "psycopg.Connection[Any]",
        circumstances: Circumstances,
        *,
        refused: Refused,
        source: "psycopg.Connection[Any] | None" = None,
        start: int = 0,
        batch: int = BATCH,
    ) -> None:
        """Begin behind the position `start`, at which the copy stands; read the ledger through `source`."""
        self.cursor = start
        self._connection = connection
        self._source = connection if source is None else source
        self._circumstances = circumstances
        self._refused = refused
        self._batch = batch
        self._analysis = Analysis(connection)
        self._applied = 0
        self._depth: int | None = None
        self._log = StateLog(Limits(UNTOLD_CAUSAL_DEPTH))

    def run(self, until: int | None = None, progress: ShowProgress = no_progress) -> None:
        """Bring the copy to the position, or to where the state follower stands."""
        end = self._circumstances.until if until is None else until
        while self.cursor < end:
            self._take_bound()
            facts = self._read(self._next_cut(end))
            if facts:
                self._apply([fact for fact in facts if fact.position not in self._circumstances.left_out])
            self._apply_late()
            progress(Progress("replay", self.cursor, end))

    def _next_cut(self, end: int) -> int:
        cuts = self._circumstances.cuts
        at = bisect.bisect_right(cuts, self.cursor)
        return min(end, cuts[at]) if at < len(cuts) else end

    def _read(self, end: int) -> Sequence[Fact]:
        """Return the next facts up to the position; the cursor is behind the last of them, or there."""
        facts = self._log.read(self._source, after=self.cursor, limit=self._batch)
        kept = [fact for fact in facts if fact.position <= end]
        self.cursor = kept[-1].position if kept and len(kept) == len(facts) else end
        return kept

    def _take_bound(self) -> None:
        depth = self._circumstances.causal_depth_after(self.cursor, UNTOLD_CAUSAL_DEPTH)
        if depth != self._depth:
            self._depth = depth
            self._log = StateLog(Limits(depth))

    def _apply_late(self) -> None:
        late = self._circumstances.late_at(self.cursor)
        for fact in sorted(read_facts_at(self._source, late), key=lambda fact: late.index(fact.position)):
            self._log.forget()
            self._apply([fact])

    def _apply(self, facts: Sequence[Fact]) -> None:
        if not facts:
            return
        try:
            with self._connection.transaction():
                self._log.write(self._connection, facts)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            self._narrow(facts, error)
        except psycopg.Error:
            # The database, or a table that a copy lacks: no fault of a fact.
            raise
        except Exception as error:  # noqa: BLE001 - a fact may fail in any way; it is told, and the others go on
            self._narrow(facts, error)
        else:
            self._applied += len(facts)
            self._analysis.applied(self._applied)

    def _narrow(self, facts: Sequence[Fact], error: Exception) -> None:
        self._log.forget()
        if len(facts) == 1:
            self._refused(facts[0], error)
            return
        half = len(facts) // 2
        self._apply(facts[:half])
        self._apply(facts[half:])
