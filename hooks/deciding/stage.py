"""Stage 2 over one batch: version events and facts, merged by ledger position, in the caller's transaction."""

import itertools
import uuid
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import orjson
import psycopg

from catalog.facts import OPENLINEAGE_KINDS, RULE_CHANGING_KINDS, FactKind
from catalog.ledger import Fact
from hooks.deciding.decider import Decider, Limits
from hooks.deciding.records import Occasion, VersionEvent
from hooks.deciding.registering import apply_rule_change
from hooks.deciding.registry import Registry, load_registry
from hooks.deciding.working_set import WorkingSet
from hooks.jobs import enqueue_jobs

_STAGE_ONE_KINDS = OPENLINEAGE_KINDS | {FactKind.VERSION_REPORT}


class DecidingStage:
    """Turns version events and commands into decisions, runs and jobs; remembers the registry between batches."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._registry: Registry | None = None

    def forget(self) -> None:
        """Drop the registry, because a transaction did not commit or another holder may have worked."""
        self._registry = None

    def apply(
        self, connection: psycopg.Connection[Any], facts: Sequence[Fact], events: Sequence[VersionEvent]
    ) -> None:
        """Apply the batch. A rule-changing fact may only be the last of it."""
        registry = self._registry or load_registry(connection)
        self._registry = registry
        concerning = [fact for fact in facts if fact.kind not in _STAGE_ONE_KINDS]
        change = concerning.pop() if concerning and concerning[-1].kind in RULE_CHANGING_KINDS else None
        relevant = [event for event in events if any(ids in registry.by_dataset for ids in event.dataset_ids)]
        if relevant or concerning:
            self._decide(connection, registry, concerning, relevant)
        if change is not None:
            self._change_rules(connection, registry, change)

    def _decide(
        self,
        connection: psycopg.Connection[Any],
        registry: Registry,
        facts: Sequence[Fact],
        events: Sequence[VersionEvent],
    ) -> None:
        touches: Counter[str] = Counter()
        producers: set[uuid.UUID] = set()
        for event in events:
            producers.update(event.run_ids)
            # A version that enters two leaves can make two runs due, so leaves are counted, not pipelines.
            touches.update(pipeline.name for pipeline, _ in registry.waiting_for(event.dataset_ids))
        touches.update(_triggered(fact) for fact in facts if fact.kind == FactKind.PIPELINE_TRIGGER)
        run_ids = {fact.run_id for fact in facts if fact.run_id is not None}
        working_set = WorkingSet.load(
            connection, registry, touches=touches, run_ids=run_ids, producers=producers
        )
        decider = Decider(connection, working_set, self._limits)
        records: list[VersionEvent | Fact] = [*events, *facts]
        for _, group in itertools.groupby(sorted(records, key=_order), key=attrgetter("position")):
            same = list(group)
            decider.versions([record for record in same if isinstance(record, VersionEvent)])
            for record in same:
                if isinstance(record, Fact):
                    decider.fact(record)
        working_set.flush(connection)
        enqueue_jobs(connection, working_set.every_job())

    def _change_rules(self, connection: psycopg.Connection[Any], registry: Registry, fact: Fact) -> None:
        names = apply_rule_change(connection, fact, registry)
        self._registry = registry = load_registry(connection)
        evaluated = [name for name in names if name in registry.pipelines]
        if not evaluated:
            return
        # A new condition or a resumed pipeline looks at all that has queued up.
        working_set = WorkingSet.load(
            connection, registry, touches=dict.fromkeys(evaluated, 1), run_ids=[], producers=[]
        )
        decider = Decider(connection, working_set, self._limits)
        occasion = Occasion(fact.position, fact.received_at, fact.actor)
        for name in evaluated:
            working_set.reload_queue(connection, name)
            decider.evaluate(registry.pipelines[name], occasion)
        working_set.flush(connection)
        enqueue_jobs(connection, working_set.every_job())


def _triggered(fact: Fact) -> str:
    return str(orjson.loads(fact.body)["pipeline"])


def _order(record: VersionEvent | Fact) -> tuple[int, int]:
    return (record.position, record.sequence if isinstance(record, VersionEvent) else 0)
