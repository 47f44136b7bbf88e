"""Law 4 on what is stored: legal moves, versions consumed once, nothing due left lying, a job for each granted run."""

import itertools
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg

from catalog.fact_digests import attempt_digest
from catalog.facts import FactKind
from hooks.deciding.registry import load_registry
from hooks.deciding.working_set import EVERY_ROW, WorkingSet
from hooks.verifying.finding import Findings
from hooks.verifying.queries import QUERIES, stream
from policies.due import plan_runs
from policies.transitions import ALLOWED, HOLDS_SLOT, WAITS_FOR_SLOT, RunState


def verify_transitions(connection: "psycopg.Connection[Any]") -> Findings:
    """Return whether every run came to its state by moves that the state machine has."""
    found = Findings("runs.transitions", (4,))
    rows = stream(connection, "transitions", QUERIES["transitions"])
    for run, moves in itertools.groupby(rows, key=lambda row: row[0]):
        found.look()
        fault = _fault(list(moves))
        if fault is not None:
            found.add(f"run {run} {fault}")
    for (run,) in connection.execute(QUERIES["runs_without_transitions"]):
        found.add(f"run {run} came to its state by no move")
    return found


def _fault(moves: Sequence[tuple[Any, ...]]) -> str | None:
    """Return what is wrong with the moves of one run; each is (run, from, to, attempt, state now, attempt now)."""
    before: str | None = None
    last_attempt = 0
    for _, source, target, attempt, _, _ in moves:
        fault = _fault_of_move(before, source, target)
        if fault is None and attempt < last_attempt:
            fault = f"went back from attempt {last_attempt} to {attempt}"
        if fault is not None:
            return fault
        before, last_attempt = target, attempt
    *_, state, attempt = moves[-1]
    if state != before:
        return f"is {state or 'not there'} although it last moved to {before}"
    return f"is at attempt {attempt}, before its last move" if attempt < last_attempt else None


def _fault_of_move(before: str | None, source: str | None, target: str) -> str | None:
    if source != before:
        return f"moved from {source} although it was {before or 'not there'}"
    if target not in set(RunState):
        return f"moved to {target}, which is no state"
    if source is None:
        return None if RunState(target) in WAITS_FOR_SLOT else f"began as {target}"
    return None if RunState(target) in ALLOWED[RunState(source)] else f"moved from {source} to {target}"


def verify_consumption(connection: "psycopg.Connection[Any]") -> Findings:
    """Return whether what runs consumed was published, stands, and waits nowhere any more."""
    found = Findings("runs.consumption", (4,))
    consumed, _, _ = connection.execute(QUERIES["counts"]).fetchone() or (0, 0, 0)
    found.look(consumed)
    for pipeline, version, run, fault in connection.execute(QUERIES["consumption_faults"]):
        found.add(f"version {version} {fault} (pipeline {pipeline}, run {run})")
    return found


def verify_due(connection: "psycopg.Connection[Any]") -> Findings:
    """Return whether everything that is due has its run, and no run waits while a slot is free.

    What a run gave back is due with the next version, so it counts for nothing here.
    """
    found = Findings("runs.due", (4, 5))
    registry = load_registry(connection)
    for name, pipeline in sorted(registry.pipelines.items()):
        found.look()
        if pipeline.paused:
            continue
        rows = WorkingSet.load(connection, registry, touches={name: EVERY_ROW}, run_ids=[], producers=[])
        runs = rows.of_pipeline(name)
        given_back = {row[0] for row in connection.execute(QUERIES["given_back"], {"pipeline": name})}
        plan = plan_runs(
            pipeline.condition,
            pipeline.document.spec.batching,
            {
                leaf: [version for version in queue if version.sequence not in given_back]
                for leaf, queue in rows.leaf_queues(pipeline).items()
            },
            open_batch=any(run.batch_open for run in runs),
        )
        for planned in plan.runs:
            found.add(f"pipeline {name} is due by version {planned.due.version} and has no run for it")
        for consumed in plan.absorbed:
            found.add(f"pipeline {name} has an open batch that lacks version {consumed.version.version}")
        waiting = [run for run in runs if run.state is RunState.PENDING]
        free = pipeline.document.spec.concurrency - rows.slots_used(name)
        if waiting and free > 0:
            found.add(f"pipeline {name}: run {waiting[0].number} waits although {free} slots are free")
    return found


def verify_jobs(connection: "psycopg.Connection[Any]") -> Findings:
    """Return whether every run that holds a slot has a job that goes on with it, and every job a run."""
    found = Findings("runs.jobs", (4,))
    named = {(run, attempt) for run, attempt in connection.execute(QUERIES["attempts_of_jobs"])}
    states = [state.value for state in HOLDS_SLOT]
    holding = connection.execute(QUERIES["open_runs"], {"states": states}).fetchall()
    found.look(len(holding))
    idle = {(run, attempt): state for run, attempt, state in holding if (run, attempt) not in named}
    for run, attempt in _not_ended(connection, list(idle)):
        found.add(f"run {run} is {idle[run, attempt]} and no job goes on with its attempt {attempt}")
    wanted = {run for run, _ in named}
    rows = connection.execute(QUERIES["existing_runs"], {"ids": list(wanted)})
    for run in sorted(wanted - {known for (known,) in rows}):
        found.add(f"a job is there for run {run}, which does not exist")
    return found


def _not_ended(
    connection: "psycopg.Connection[Any]", attempts: list[tuple[uuid.UUID, int]]
) -> list[tuple[uuid.UUID, int]]:
    """Return those of the attempts whose end no fact tells: the state follower may be about to take it."""
    digests = {
        attempt_digest(FactKind.ATTEMPT_ENDED, run, attempt): (run, attempt) for run, attempt in attempts
    }
    rows = connection.execute(QUERIES["known_digests"], {"digests": list(digests)}).fetchall()
    ended = {bytes(digest) for (digest,) in rows}
    return sorted(attempt for digest, attempt in digests.items() if digest not in ended)
