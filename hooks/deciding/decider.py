"""What each record of the ledger means for the pipelines: due runs and commands, and attempts by `Attempts`.

Records come in ledger order, and nothing here reads a clock: an occasion carries the instant. The same ledger
therefore gives the same runs, however it is cut into batches and whoever follows it (laws 5 and 8).
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import orjson
import psycopg

from catalog.errors import HeadwaterError, InvalidInput, InvalidTransition, NotFound, NotUnderstood
from catalog.facts import FactKind
from catalog.forms import understood
from catalog.keys import name_based_uuid
from catalog.ledger import Fact
from hooks.deciding.attempts import Attempts
from hooks.deciding.records import (
    CommandResult,
    DecisionRecord,
    Occasion,
    PipelineRunRecord,
    VersionEvent,
)
from hooks.deciding.registry import QUERIES, RegisteredPipeline
from hooks.deciding.working_set import WorkingSet
from hooks.jobs import ENGINE_HOST, Job, host_queue
from hooks.removed import remember_removed
from hooks.skipping import leave_out
from policies.due import Batching, Consumption, Plan, plan_runs
from policies.queues import QueuedVersion
from policies.retry import attempts_left
from policies.transitions import RETRYABLE, RunState


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that the operator sets."""

    causal_depth: int


class Decider:
    """Applies records to one working set; writes nothing but through it."""

    def __init__(self, connection: psycopg.Connection[Any], working_set: WorkingSet, limits: Limits) -> None:
        self._connection = connection
        self._set = working_set
        self._limits = limits
        self._attempts = Attempts(connection, working_set)

    # Versions --------------------------------------------------------------------------------------------

    def versions(self, events: Sequence[VersionEvent]) -> None:
        """Queue what one fact published for every pipeline that waits for it, then start what is due.

        All versions of a fact arrive together: a `latest` run that the first of them makes due reads the others too.
        """
        waiting: dict[str, RegisteredPipeline] = {}
        for event in events:
            match event.kind:
                case "published":
                    depth = max((self._set.depth_of(run) for run in event.run_ids), default=0)
                    for pipeline, leaf in self._set.registry.waiting_for(event.dataset_ids):
                        version = QueuedVersion(event.sequence, event.version_id, event.at)
                        self._set.enqueue(pipeline, leaf, version, depth)
                        waiting[pipeline.name] = pipeline
                case "disputed" | "partial":
                    pass  # Shown, and in later policies a reason to hold; triggers are never undone.
                case "withdrawn":
                    self._set.forget_version(self._connection, event.version_id)
                case _:
                    raise NotUnderstood(
                        f"expected published, disputed, partial or withdrawn, found {event.kind!r}"
                    )
        for pipeline in waiting.values():
            self.evaluate(pipeline, Occasion(events[0].position, events[0].at, "headwater"))

    def evaluate(self, pipeline: RegisteredPipeline, occasion: Occasion) -> None:
        """Create every run that the queues make due, or let the open batch absorb; grant free slots."""
        if pipeline.paused:
            return
        batching = pipeline.document.spec.batching
        open_run = self._open_batch(pipeline.name) if batching == "latest" else None
        plan = plan_runs(
            pipeline.condition, batching, self._set.leaf_queues(pipeline), open_batch=open_run is not None
        )
        if pipeline.name in self._set.partial and self._needs_all(pipeline, batching, plan):
            # Only heads were read, which say whether it is due; a batch takes everything.
            self._set.complete_queue(self._connection, pipeline.name)
            plan = plan_runs(
                pipeline.condition, batching, self._set.leaf_queues(pipeline), open_batch=open_run is not None
            )
        for planned in plan.runs:
            reason = f"due: version {planned.due.version} made the condition true"
            self._create(pipeline, planned.consumed, occasion, cause="versions", reason=reason)
        if plan.absorbed and open_run is not None:
            depth = self._consume(pipeline, plan.absorbed, open_run.id)
            open_run.causal_depth = max(open_run.causal_depth, depth + 1)
            self._set.touch(open_run)
            self._decide(
                pipeline, open_run.id, "absorb", "the open batch absorbs it", plan.absorbed, occasion
            )
        self._attempts.grant(pipeline.name, occasion)

    def _needs_all(self, pipeline: RegisteredPipeline, batching: Batching, plan: Plan) -> bool:
        """Say whether a plan over the heads of queues may differ from one over whole queues."""
        if batching == "latest":
            return bool(plan.runs or plan.absorbed)
        taken = Counter(consumed.leaf for run in plan.runs for consumed in run.consumed)
        return any(taken[leaf] == len(queue) > 0 for leaf, queue in self._set.leaf_queues(pipeline).items())

    def _open_batch(self, name: str) -> PipelineRunRecord | None:
        return next((run for run in self._set.of_pipeline(name) if run.batch_open), None)

    def _consume(
        self, pipeline: RegisteredPipeline, consumed: tuple[Consumption, ...], run_id: uuid.UUID
    ) -> int:
        return max((self._set.consume(pipeline, c.leaf, c.version, run_id) for c in consumed), default=0)

    def _create(
        self,
        pipeline: RegisteredPipeline,
        consumed: tuple[Consumption, ...],
        occasion: Occasion,
        *,
        cause: str,
        reason: str,
    ) -> PipelineRunRecord:
        number = self._set.next_number(pipeline.name)
        run_id = name_based_uuid(
            "pipeline-run", str(self._set.registry.installation), pipeline.name, str(number)
        )
        depth = self._consume(pipeline, consumed, run_id) + 1
        too_deep = depth > self._limits.causal_depth
        if too_deep:
            reason = (
                f"held: the chain of runs that cause each other is longer than {self._limits.causal_depth}"
            )
        run = PipelineRunRecord(
            id=run_id,
            pipeline=pipeline.name,
            number=number,
            document_version=pipeline.version,
            state=RunState.HELD if too_deep else RunState.PENDING,
            cause=cause,
            actor=occasion.actor,
            causal_depth=depth,
            batch_open=pipeline.document.spec.batching == "latest" and not too_deep,
            attempt=0,
            attempts_left=attempts_left(pipeline.document.spec.retries, 0),
            due_position=occasion.position,
            due_at=occasion.at,
            started_at=None,
            ended_at=None,
            exit_code=None,
            reason=reason,
            cancel_requested=False,
        )
        self._set.add_run(run, occasion)
        self._decide(
            pipeline, run_id, "hold" if too_deep else "start", reason, consumed, occasion, depth=depth
        )
        return run

    def _decide(
        self,
        pipeline: RegisteredPipeline,
        run_id: uuid.UUID,
        verdict: str,
        reason: str,
        consumed: tuple[Consumption, ...],
        occasion: Occasion,
        *,
        depth: int | None = None,
    ) -> None:
        rules: list[dict[str, Any]] = [
            {
                "rule": "condition",
                "document": f"Pipeline/{pipeline.name}",
                "version": pipeline.version,
                "batching": pipeline.document.spec.batching,
            }
        ]
        if depth is not None:
            passed = depth <= self._limits.causal_depth
            rules.append(
                {"rule": "causal-depth", "limit": self._limits.causal_depth, "found": depth, "passed": passed}
            )
        inputs = [
            {
                "leaf": c.leaf,
                "dataset": str(pipeline.datasets[c.leaf]),
                "version": str(c.version.version),
                "sequence": c.version.sequence,
            }
            for c in consumed
        ]
        last = str(consumed[-1].version.version) if consumed else ""
        decision_id = name_based_uuid("decision", str(run_id), verdict, str(occasion.position), last)
        self._set.decisions.append(
            DecisionRecord(decision_id, pipeline.name, run_id, verdict, reason, rules, inputs, occasion)
        )

    # Facts -----------------------------------------------------------------------------------------------

    def fact(self, fact: Fact) -> None:
        """Apply a command or an outcome; a command that cannot be done is refused, not raised."""
        occasion = Occasion(fact.position, fact.received_at, fact.actor)
        body = orjson.loads(fact.body)
        kind = understood(FactKind, fact.kind)
        match kind:
            case FactKind.ATTEMPT_CLAIMED | FactKind.ATTEMPT_STARTED | FactKind.ATTEMPT_ENDED:
                self._attempts.hear(kind, fact, body, occasion)
            case FactKind.PARKED_SKIP:
                result = leave_out(self._connection, body, occasion)
                self._set.results.append(CommandResult(fact.position, True, None, None, result))
            case FactKind.EVENTS_REMOVE:
                result = remember_removed(self._connection, body, occasion)
                self._set.results.append(CommandResult(fact.position, True, None, None, result))
            case FactKind.PIPELINE_TRIGGER | FactKind.RUN_CANCEL | FactKind.RUN_RETRY:
                try:
                    result = self._command(kind, fact, body, occasion)
                except NotUnderstood:
                    raise
                except HeadwaterError as error:
                    self._set.results.append(
                        CommandResult(fact.position, False, error.code, error.message, {})
                    )
                else:
                    self._set.results.append(CommandResult(fact.position, True, None, None, result))
            case (
                FactKind.OPENLINEAGE_RUN
                | FactKind.OPENLINEAGE_DATASET
                | FactKind.OPENLINEAGE_JOB
                | FactKind.VERSION_REPORT
                | FactKind.DOCUMENTS_APPLY
                | FactKind.DOCUMENT_DELETE
                | FactKind.PIPELINE_PAUSE
                | FactKind.PIPELINE_RESUME
                | FactKind.INSTALLATION_RESTORED
                | FactKind.WEBHOOK_PAUSE
                | FactKind.WEBHOOK_RESUME
                | FactKind.WEBHOOK_REPLAY
                | FactKind.WEBHOOK_RETRY_DEAD
                | FactKind.WEBHOOK_TEST
                | FactKind.PIPELINES_PAUSE
                | FactKind.PIPELINES_RESUME
            ):
                raise ValueError(f"expected a command or an outcome, found {kind}")
            case _:
                assert_never(kind)

    def _command(
        self, kind: FactKind, fact: Fact, body: dict[str, Any], occasion: Occasion
    ) -> dict[str, Any]:
        if kind is FactKind.PIPELINE_TRIGGER:
            return self._trigger(str(body["pipeline"]), str(body.get("reason") or ""), occasion)
        run = self._set.runs.get(fact.run_id) if fact.run_id is not None else None
        if run is None:
            raise NotFound(f"expected the id of a pipeline run, found {fact.run_id}")
        if kind is FactKind.RUN_CANCEL:
            self._cancel(run, str(body.get("reason") or f"cancelled by {occasion.actor}"), occasion)
        else:
            self._retry(run, occasion)
        return {"run": str(run.id), "state": run.state}

    def _trigger(self, name: str, reason: str, occasion: Occasion) -> dict[str, Any]:
        pipeline = self._set.registry.pipelines.get(name)
        if pipeline is None:
            raise NotFound(f"expected the name of a registered pipeline, found {name!r}")
        if pipeline.paused:
            pause = self._set.registry.pause
            halted = f"the pipeline {name!r} is paused" if pause is None else str(pause)
            raise InvalidTransition(f"{halted}; resume first")
        consumed: tuple[Consumption, ...] = ()
        if pipeline.document.spec.batching == "latest" and self._open_batch(name) is None:
            # A run of a `latest` pipeline reads its inputs as they stand, so everything queued counts as seen.
            self._set.complete_queue(self._connection, name)
            queues = self._set.leaf_queues(pipeline)
            consumed = tuple(
                Consumption(leaf, version) for leaf in sorted(queues) for version in queues[leaf]
            )
        text = f"triggered by {occasion.actor}" + (f": {reason}" if reason else "")
        run = self._create(pipeline, consumed, occasion, cause="manual", reason=text)
        run.batch_open = run.batch_open and run.state is RunState.PENDING and self._only_open(run)
        self._attempts.grant(name, occasion)
        return {"run": str(run.id), "number": run.number, "state": run.state}

    def _only_open(self, run: PipelineRunRecord) -> bool:
        return all(other is run or not other.batch_open for other in self._set.of_pipeline(run.pipeline))

    def _cancel(self, run: PipelineRunRecord, reason: str, occasion: Occasion) -> None:
        match run.state:
            case RunState.PENDING | RunState.HELD:
                self._attempts.end(run, RunState.CANCELLED, occasion, reason)
            case RunState.QUEUED | RunState.RETRYING:
                claimed = self._connection.execute(
                    QUERIES["claim_for_cancel"], {"run": run.id, "attempt": run.attempt}
                ).fetchone()
                if claimed is not None:
                    # The attempt is now nobody's: no host can start it any more.
                    self._attempts.end(run, RunState.CANCELLED, occasion, reason)
                else:
                    self._ask_to_stop(run, reason)
            case RunState.LAUNCHING | RunState.RUNNING:
                self._ask_to_stop(run, reason)
            case (
                RunState.SUCCEEDED
                | RunState.FAILED
                | RunState.CANCELLED
                | RunState.TIMED_OUT
                | RunState.LOST
                | RunState.ARCHIVED
            ):
                raise InvalidTransition(f"the pipeline run has ended: it is {run.state}")
            case _:
                assert_never(run.state)

    def _ask_to_stop(self, run: PipelineRunRecord, reason: str) -> None:
        run.cancel_requested = True
        run.reason = reason
        self._set.touch(run)
        row = self._connection.execute(
            QUERIES["claim_host"], {"run": run.id, "attempt": run.attempt}
        ).fetchone()
        if row is None:
            raise ValueError(f"expected a host to hold attempt {run.attempt} of run {run.id}, found none")
        arguments = {"run_id": str(run.id), "attempt": run.attempt, "reason": reason}
        task = "headwater.engine.stop" if row[0] == ENGINE_HOST else "headwater.stop"
        self._set.jobs.append(Job(task, host_queue(row[0]), arguments))

    def _retry(self, run: PipelineRunRecord, occasion: Occasion) -> None:
        if run.state is not RunState.HELD and run.state not in RETRYABLE:
            raise InvalidTransition(
                f"only a held or ended run that did not succeed can be retried: it is {run.state}"
            )
        if run.state in RETRYABLE and self._attempts.document(run).spec.on_failure == "release":
            raise InvalidInput(
                "what the run consumed was released (onFailure: release): later versions start it"
            )
        if run.pipeline not in self._set.registry.pipelines:
            raise InvalidTransition(f"the pipeline {run.pipeline!r} was deleted; register it again first")
        run.started_at = None
        run.cancel_requested = False
        run.ended_at = None
        run.exit_code = None
        self._set.move(run, RunState.PENDING, occasion, f"another attempt was asked for by {occasion.actor}")
        self._attempts.grant(run.pipeline, occasion)
