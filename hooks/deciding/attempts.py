"""Slots and attempts: which waiting run may go on, what its attempts came to, and whether another follows."""

import datetime as dt
from typing import Any, assert_never

import psycopg

from catalog.documents.pipeline import AirflowLaunch, CommandLaunch, HttpLaunch, Pipeline
from catalog.errors import NotFound
from catalog.facts import FactKind, Outcome
from catalog.forms import understood
from catalog.ledger import Fact
from hooks.deciding.records import Occasion, PipelineRunRecord
from hooks.deciding.registry import QUERIES
from hooks.deciding.working_set import WorkingSet
from hooks.jobs import AttemptKey, engine_launch_job, launch_job
from policies.retry import attempts_left, next_attempt
from policies.transitions import WITH_HOST, RunState


class Attempts:
    """Moves the runs of one working set from slot to outcome; writes nothing but through it."""

    def __init__(self, connection: psycopg.Connection[Any], working_set: WorkingSet) -> None:
        self._connection = connection
        self._set = working_set

    def grant(self, name: str, occasion: Occasion) -> None:
        """Give free slots to waiting runs by number; a granted batch is closed and a job launches it."""
        pipeline = self._set.registry.pipelines.get(name)
        if pipeline is None or pipeline.paused:
            return
        free = pipeline.document.spec.concurrency - self._set.slots_used(name)
        for run in self._set.of_pipeline(name):
            if free <= 0:
                return
            if run.state is RunState.PENDING:
                self._queue_attempt(run, occasion)
                free -= 1

    def _queue_attempt(self, run: PipelineRunRecord, occasion: Occasion) -> None:
        self._number_attempt(run)
        run.batch_open = False
        self._set.move(run, RunState.QUEUED, occasion, f"slot granted for attempt {run.attempt}")
        self._launch(run, at=None)

    def _number_attempt(self, run: PipelineRunRecord) -> None:
        run.attempt += 1
        run.attempts_left = attempts_left(self.document(run).spec.retries, run.attempt)

    def _launch(self, run: PipelineRunRecord, *, at: dt.datetime | None) -> None:
        key = AttemptKey(run.id, run.attempt)
        launch = self.document(run).spec.launch
        match launch:
            case CommandLaunch() if at is None:
                self._set.launches.append(key)
            case CommandLaunch():
                self._set.jobs.append(launch_job([key], at=at))
            case HttpLaunch() | AirflowLaunch() if at is None:
                self._set.engine_launches.append(key)
            case HttpLaunch() | AirflowLaunch():
                self._set.jobs.append(engine_launch_job([key], at=at))
            case _:
                assert_never(launch)

    def hear(self, kind: FactKind, fact: Fact, body: dict[str, Any], occasion: Occasion) -> None:
        """Apply what a host says of an attempt; raise `NotFound` for a run that nobody knows."""
        run = self._set.runs.get(fact.run_id) if fact.run_id is not None else None
        if run is None:
            raise NotFound(f"expected the id of a pipeline run, found {fact.run_id}")
        if body["attempt"] != run.attempt:
            return  # What is said of an earlier attempt changes nothing: its outcome is known.
        if run.state in (RunState.QUEUED, RunState.RETRYING):
            # What follows a claim tells of it too, should the claim itself be parked.
            self._set.move(run, RunState.LAUNCHING, occasion, f"claimed by {fact.actor}")
            # That of the attempt before is not this one's.
            run.exit_code = None
        if kind is FactKind.ATTEMPT_STARTED and run.state is RunState.LAUNCHING:
            run.started_at = run.started_at or dt.datetime.fromisoformat(body["at"])
            self._set.move(
                run, RunState.RUNNING, occasion, f"attempt {run.attempt} started on {body['host']}"
            )
        elif kind is FactKind.ATTEMPT_ENDED and run.state in WITH_HOST:
            self._attempt_ended(run, body, occasion)

    def lose_unclaimed(self, run: PipelineRunRecord, occasion: Occasion, reason: str) -> None:
        """End the granted attempt, of which no host has told, as lost; no host can start it any more."""
        self._connection.execute(QUERIES["claim_for_cancel"], {"run": run.id, "attempt": run.attempt})
        self._set.move(run, RunState.LAUNCHING, occasion, reason)
        ended = {"outcome": Outcome.LOST, "exitCode": None, "at": occasion.at.isoformat(), "reason": reason}
        self._attempt_ended(run, ended, occasion)

    def _attempt_ended(self, run: PipelineRunRecord, body: dict[str, Any], occasion: Occasion) -> None:
        outcome = understood(Outcome, body["outcome"])
        run.exit_code = body["exitCode"]
        ended_at = dt.datetime.fromisoformat(body["at"])
        reason = str(body["reason"] or "")
        target: RunState
        match outcome:
            case Outcome.EXITED if run.exit_code == 0:
                self.end(run, RunState.SUCCEEDED, occasion, reason or "exit code 0", ended_at=ended_at)
                return
            case Outcome.SUCCEEDED:
                self.end(run, RunState.SUCCEEDED, occasion, reason, ended_at=ended_at)
                return
            case Outcome.CANCELLED:
                self.end(run, RunState.CANCELLED, occasion, reason, ended_at=ended_at)
                return
            case Outcome.EXITED:
                target, reason = RunState.FAILED, reason or f"exit code {run.exit_code}"
            case Outcome.NOT_STARTED | Outcome.FAILED:
                target = RunState.FAILED
            case Outcome.TIMED_OUT:
                target = RunState.TIMED_OUT
            case Outcome.LOST:
                target = RunState.LOST
            case _:
                assert_never(outcome)
        retries = self.document(run).spec.retries
        wait = None if run.cancel_requested else next_attempt(retries, run.attempt, target, str(run.id))
        if wait is not None:
            text = f"attempt {run.attempt} {target}: {reason}; next in {wait.total_seconds():.3f} s"
            self._set.move(run, RunState.RETRYING, occasion, text)
            self._number_attempt(run)
            self._launch(run, at=occasion.at + wait)
            return
        self.end(run, target, occasion, reason, ended_at=ended_at)

    def end(
        self,
        run: PipelineRunRecord,
        target: RunState,
        occasion: Occasion,
        reason: str,
        *,
        ended_at: dt.datetime | None = None,
    ) -> None:
        """End the run and give its slot to the next; what it consumed is released where its document says so."""
        self._set.move(run, target, occasion, reason)
        run.ended_at = ended_at or occasion.at
        run.batch_open = False
        pipeline = self._set.registry.pipelines.get(run.pipeline)
        releases = target is not RunState.SUCCEEDED and self.document(run).spec.on_failure == "release"
        if releases and pipeline is not None:
            # Released versions wait for the next arrival: a run that always fails must not start itself again.
            self._set.flush_consumption(self._connection)
            parameters = {"run": run.id, "depth": run.causal_depth - 1, "inputs": list(pipeline.inputs)}
            self._connection.execute(QUERIES["release"], parameters)
            self._set.reload_queue(self._connection, run.pipeline)
        self.grant(run.pipeline, occasion)

    def document(self, run: PipelineRunRecord) -> Pipeline:
        """Return the document by which the run was made."""
        return self._set.documents[run.pipeline, run.document_version]
