"""What one transaction of stage 2 works on: runs and queues of the pipelines it touches, read once, written once."""

import dataclasses
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import orjson
import psycopg

from catalog.documents.pipeline import Pipeline
from catalog.forms import understood
from hooks.deciding.records import (
    CommandResult,
    DecisionRecord,
    Occasion,
    PipelineRunRecord,
    TransitionRecord,
)
from hooks.deciding.registry import QUERIES, RegisteredPipeline, Registry, load_documents
from hooks.jobs import AttemptKey, Job, engine_launch_job, launch_job, launch_jobs
from policies.queues import QueuedVersion
from policies.transitions import HOLDS_SLOT, RunState, check

RUN_FIELDS = tuple(f.name for f in dataclasses.fields(PipelineRunRecord))
#: The greatest limit that a query takes (an integer of four bytes): more rows than any pipeline has.
EVERY_ROW = 2**31 - 1
InputQueue = dict[uuid.UUID, list[QueuedVersion]]


@dataclass(slots=True)
class WorkingSet:
    """Rows in memory; `flush` writes what changed."""

    registry: Registry
    runs: dict[uuid.UUID, PipelineRunRecord]
    documents: dict[tuple[str, int], Pipeline]
    queues: dict[str, InputQueue]
    depths: dict[uuid.UUID, int]
    numbers: dict[str, int]
    partial: set[str]
    _fresh_entries: dict[tuple[str, uuid.UUID, int], tuple[QueuedVersion, int]] = field(default_factory=dict)
    _entry_depths: dict[tuple[str, uuid.UUID, int], int] = field(default_factory=dict)
    _dequeued: list[tuple[str, uuid.UUID, int]] = field(default_factory=list)
    _consumed: list[tuple[str, uuid.UUID, QueuedVersion, uuid.UUID]] = field(default_factory=list)
    _dirty_runs: dict[uuid.UUID, PipelineRunRecord] = field(default_factory=dict)
    _dirty_numbers: set[str] = field(default_factory=set)
    transitions: list[TransitionRecord] = field(default_factory=list)
    decisions: list[DecisionRecord] = field(default_factory=list)
    results: list[CommandResult] = field(default_factory=list)
    launches: list[AttemptKey] = field(default_factory=list)
    engine_launches: list[AttemptKey] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    @classmethod
    def load(
        cls,
        connection: psycopg.Connection[Any],
        registry: Registry,
        *,
        touches: Mapping[str, int],
        run_ids: Iterable[uuid.UUID],
        producers: Iterable[uuid.UUID],
    ) -> "WorkingSet":
        """Read what is needed for so many records about each pipeline, about these runs, and these producing runs.

        `EVERY_ROW` records about a pipeline read all of it.
        """
        named = _runs(connection.execute(QUERIES["runs_by_id"], {"ids": list(run_ids)})) if run_ids else []
        touched = dict(touches)
        for run in named:
            touched[run.pipeline] = touched.get(run.pipeline, 0) + 1
        known = {name: count for name, count in touched.items() if name in registry.pipelines}
        limits = [
            min(count + registry.pipelines[name].document.spec.concurrency, EVERY_ROW)
            for name, count in known.items()
        ]
        numbers: dict[str, int] = {}
        runs = {run.id: run for run in named}
        # Runs of pipelines that were deleted meanwhile still end.
        for run in _runs(
            connection.execute(
                QUERIES["runs_by_pipeline"],
                {
                    "pipelines": [*known, *(name for name in touched if name not in known)],
                    "limits": limits + [1] * (len(touched) - len(known)),
                },
            )
        ):
            runs.setdefault(run.id, run)
        if touched:
            numbers = dict(connection.execute(QUERIES["numbers"], {"names": list(touched)}).fetchall())
        producing = list(producers)
        depths = (
            dict(connection.execute(QUERIES["depths"], {"ids": producing}).fetchall()) if producing else {}
        )
        current = {(p.name, p.version): p.document for p in registry.pipelines.values()}
        older = {(r.pipeline, r.document_version) for r in runs.values()} - current.keys()
        documents = current | load_documents(connection, older)
        working_set = cls(registry, runs, documents, {}, depths, numbers, set())
        working_set._load_queues(connection, known)
        return working_set

    def _load_queues(self, connection: psycopg.Connection[Any], touches: Mapping[str, int]) -> None:
        """Read the head of every queue: a batch of n records makes at most n runs due, each taking one head."""
        pipelines, inputs, limits = [], [], []
        for name, count in touches.items():
            registered = self.registry.pipelines[name]
            self.queues[name] = {key: [] for key in registered.inputs}
            releases = registered.document.spec.on_failure == "release"
            most = EVERY_ROW if releases else min(count + 1, EVERY_ROW)
            for key in registered.inputs:
                pipelines.append(name)
                inputs.append(key)
                limits.append(most)
        if not pipelines:
            return
        parameters = {"pipelines": pipelines, "inputs": inputs, "limits": limits}
        most_of = dict(zip(zip(pipelines, inputs, strict=True), limits, strict=True))
        for name, key, sequence, version, at, depth in connection.execute(QUERIES["queue_heads"], parameters):
            queue = self.queues[name][key]
            queue.append(QueuedVersion(sequence, version, at))
            self._entry_depths[name, key, sequence] = depth
            if len(queue) == most_of[name, key]:
                self.partial.add(name)

    def complete_queue(self, connection: psycopg.Connection[Any], name: str) -> None:
        """Read the rest of the pipeline's queues where only heads were read."""
        if name in self.partial:
            self.reload_queue(connection, name)

    def reload_queue(self, connection: psycopg.Connection[Any], name: str) -> None:
        """Read the pipeline's queues whole; what this transaction put in or took out counts."""
        self.partial.discard(name)
        if name not in self.registry.pipelines:
            return
        taken = set(self._dequeued)
        queues: InputQueue = {key: [] for key in self.registry.pipelines[name].inputs}
        for _, key, sequence, version, at, depth in connection.execute(
            QUERIES["queue_all"], {"pipeline": name}
        ):
            if key in queues and (name, key, sequence) not in taken:
                queues[key].append(QueuedVersion(sequence, version, at))
                self._entry_depths[name, key, sequence] = depth
        for (pipeline, key, _), (version, _) in self._fresh_entries.items():
            if pipeline == name:
                queues[key].append(version)
        for queue in queues.values():
            queue.sort(key=attrgetter("sequence"))
        self.queues[name] = queues

    def depth_of(self, run_id: uuid.UUID) -> int:
        """Return the causal depth of a pipeline run, 0 for any other run."""
        run = self.runs.get(run_id)
        return run.causal_depth if run is not None else self.depths.get(run_id, 0)

    def forget_version(self, connection: psycopg.Connection[Any], version_id: uuid.UUID) -> None:
        """Take a version that does not stand any more out of every queue in which it still waits."""
        self.flush_consumption(connection)
        connection.execute(QUERIES["forget_version"], {"version": version_id})
        for name in list(self.queues):
            self.reload_queue(connection, name)

    def leaf_queues(self, pipeline: RegisteredPipeline) -> dict[int, list[QueuedVersion]]:
        """Return the queues by leaf, as the pure functions take them."""
        queues = self.queues[pipeline.name]
        return {leaf: queues[key] for leaf, key in enumerate(pipeline.inputs)}

    def enqueue(self, pipeline: RegisteredPipeline, leaf: int, version: QueuedVersion, depth: int) -> None:
        """Put a version at the end of a leaf's queue."""
        key = pipeline.inputs[leaf]
        self.queues[pipeline.name][key].append(version)
        self._fresh_entries[pipeline.name, key, version.sequence] = (version, depth)
        self._entry_depths[pipeline.name, key, version.sequence] = depth

    def consume(
        self, pipeline: RegisteredPipeline, leaf: int, version: QueuedVersion, run_id: uuid.UUID
    ) -> int:
        """Take the version out of its queue for the run; return the causal depth it came with."""
        key = pipeline.inputs[leaf]
        queue = self.queues[pipeline.name][key]
        if queue[0] is version:
            queue.pop(0)
        else:
            queue.remove(version)
        entry = (pipeline.name, key, version.sequence)
        if self._fresh_entries.pop(entry, None) is None:
            self._dequeued.append(entry)
        self._consumed.append((pipeline.name, key, version, run_id))
        return self._entry_depths[entry]

    def next_number(self, name: str) -> int:
        """Return the number of the pipeline's next run, and count on."""
        number = self.numbers[name]
        self.numbers[name] = number + 1
        self._dirty_numbers.add(name)
        return number

    def add_run(self, run: PipelineRunRecord, occasion: Occasion) -> None:
        """Add a new run in the state that it has."""
        self.runs[run.id] = run
        self._dirty_runs[run.id] = run
        self.transitions.append(TransitionRecord(run.id, None, run.state, run.attempt, occasion, run.reason))

    def move(self, run: PipelineRunRecord, target: RunState, occasion: Occasion, reason: str) -> None:
        """Move the run to another state; raise `InvalidTransition` where the state machine has no such move."""
        check(run.state, target)
        self.transitions.append(TransitionRecord(run.id, run.state, target, run.attempt, occasion, reason))
        run.state = target
        run.reason = reason
        self.touch(run)

    def touch(self, run: PipelineRunRecord) -> None:
        """Mark the run's row as changed."""
        self._dirty_runs[run.id] = run

    def of_pipeline(self, name: str) -> list[PipelineRunRecord]:
        """Return the loaded runs of the pipeline by number."""
        return sorted((run for run in self.runs.values() if run.pipeline == name), key=attrgetter("number"))

    def slots_used(self, name: str) -> int:
        """Return how many runs of the pipeline hold a slot."""
        return sum(1 for run in self.runs.values() if run.pipeline == name and run.state in HOLDS_SLOT)

    def flush(self, connection: psycopg.Connection[Any]) -> None:
        """Write every change; the jobs are left to the caller, who knows the queue."""
        self._flush_queues(connection)
        if self._dirty_runs:
            rows = list(self._dirty_runs.values())
            connection.execute(
                QUERIES["save_runs"], {name: [getattr(run, name) for run in rows] for name in RUN_FIELDS}
            )
        if self._dirty_numbers:
            names = sorted(self._dirty_numbers)
            connection.execute(
                QUERIES["save_numbers"], {"names": names, "numbers": [self.numbers[name] for name in names]}
            )
        self._flush_history(connection)

    def every_job(self) -> list[Job]:
        """Return the jobs that the changes make necessary."""
        return [
            *launch_jobs(self.launches, launch_job),
            *launch_jobs(self.engine_launches, engine_launch_job),
            *self.jobs,
        ]

    def flush_consumption(self, connection: psycopg.Connection[Any]) -> None:
        """Write what was queued and consumed so far, so that statements about it see it."""
        self._flush_queues(connection)
        self._fresh_entries.clear()
        self._dequeued.clear()
        self._consumed.clear()

    def _flush_queues(self, connection: psycopg.Connection[Any]) -> None:
        if self._fresh_entries:
            entries = list(self._fresh_entries.items())
            connection.execute(
                QUERIES["enqueue"],
                {
                    "pipelines": [key[0] for key, _ in entries],
                    "inputs": [key[1] for key, _ in entries],
                    "sequences": [key[2] for key, _ in entries],
                    "versions": [value[0].version for _, value in entries],
                    "ats": [value[0].at for _, value in entries],
                    "depths": [value[1] for _, value in entries],
                },
            )
        if self._dequeued:
            columns: dict[str, list[Any]] = defaultdict(list)
            for pipeline, key, sequence in self._dequeued:
                columns["pipelines"].append(pipeline)
                columns["inputs"].append(key)
                columns["sequences"].append(sequence)
            connection.execute(QUERIES["dequeue"], columns)
        if self._consumed:
            connection.execute(
                QUERIES["consume"],
                {
                    "pipelines": [row[0] for row in self._consumed],
                    "inputs": [row[1] for row in self._consumed],
                    "versions": [row[2].version for row in self._consumed],
                    "runs": [row[3] for row in self._consumed],
                    "sequences": [row[2].sequence for row in self._consumed],
                },
            )

    def _flush_history(self, connection: psycopg.Connection[Any]) -> None:
        if self.transitions:
            connection.execute(
                QUERIES["save_transitions"],
                {
                    "runs": [t.run_id for t in self.transitions],
                    "sources": [t.source for t in self.transitions],
                    "targets": [t.target for t in self.transitions],
                    "attempts": [t.attempt for t in self.transitions],
                    "ats": [t.occasion.at for t in self.transitions],
                    "positions": [t.occasion.position for t in self.transitions],
                    "actors": [t.occasion.actor for t in self.transitions],
                    "reasons": [t.reason for t in self.transitions],
                },
            )
        if self.decisions:
            connection.execute(
                QUERIES["save_decisions"],
                {
                    "ids": [d.id for d in self.decisions],
                    "pipelines": [d.pipeline for d in self.decisions],
                    "runs": [d.run_id for d in self.decisions],
                    "verdicts": [d.verdict for d in self.decisions],
                    "reasons": [d.reason for d in self.decisions],
                    "rules": [orjson.dumps(d.rules).decode() for d in self.decisions],
                    "inputs": [orjson.dumps(d.inputs).decode() for d in self.decisions],
                    "positions": [d.occasion.position for d in self.decisions],
                    "ats": [d.occasion.at for d in self.decisions],
                },
            )
        save_results(connection, self.results)


def save_results(connection: psycopg.Connection[Any], results: list[CommandResult]) -> None:
    """Write the verdicts on commands, for whoever waits for them."""
    if results:
        connection.execute(
            QUERIES["save_results"],
            {
                "positions": [r.position for r in results],
                "accepted": [r.accepted for r in results],
                "codes": [r.code for r in results],
                "messages": [r.message for r in results],
                "results": [orjson.dumps(r.result).decode() for r in results],
            },
        )


def _runs(rows: Iterable[tuple[Any, ...]]) -> list[PipelineRunRecord]:
    runs = [PipelineRunRecord(*row) for row in rows]
    for run in runs:
        run.state = understood(RunState, run.state)
    return runs
