"""Pipeline runs."""

import datetime as dt

import strawberry

from policies.transitions import RunState
from web.graphql.connections import Connection
from web.graphql.loaders.causes import causes, facts_of_causes
from web.graphql.loaders.decisions import decisions_of_runs
from web.graphql.loaders.documents import PIPELINE, documents_of_pipeline_runs
from web.graphql.loaders.logs import MAX_BYTES, LogsRecord, read_logs
from web.graphql.loaders.pipeline_runs import attempts, output_pages, transitions
from web.graphql.loaders.pipelines import pipelines_of_members
from web.graphql.loaders.runs import runs_of_members
from web.graphql.loaders.versions import consumed_pages
from web.graphql.pages import NESTED_FIRST, Page
from web.graphql.records import (
    AttemptRecord,
    CauseRecord,
    CausesRecord,
    DecisionRecord,
    DocumentRecord,
    FactRecord,
    PipelineRecord,
    PipelineRunRecord,
    RunRecord,
    TransitionRecord,
    VersionRecord,
)
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.enums import (
    AttemptOutcome,
    CauseKind,
    IncompleteReason,
    RunCause,
)
from web.graphql.types.references import (
    DatasetVersionType,
    DecisionType,
    DocumentType,
    FactType,
    PipelineRunType,
    PipelineType,
    RunType,
)


@object_type
class Transition:
    """One move of a pipeline run."""

    from_state: RunState | None = plain("The state before; null for its beginning.")
    to_state: RunState = plain("The state after.")
    attempt: int = plain("The attempt that it was at; 0 before the first.")
    at: dt.datetime = plain("When.")
    position: Long = plain("Ledger position of the fact that moved it.")
    actor: str = plain("Who sent that fact.")
    reason: str = plain("Why, for people.")


@object_type
class Attempt:
    """One try at a pipeline run."""

    number: int = plain("Counted from 1.")
    host_id: str | None = plain(
        "The host that it is bound to, `engine` where an engine has it; null before one claimed it."
    )
    host_name: str | None = plain("That host's name, or the origin of the engine.")
    claimed_at: dt.datetime | None = plain("When the host claimed it.")
    started_at: dt.datetime | None = plain("When it started; null where it did not, or not yet.")
    ended_at: dt.datetime | None = plain("When it ended; null where it did not yet.")
    outcome: AttemptOutcome | None = plain("How it ended; null where it did not yet.")
    exit_code: int | None = plain("Its exit code; null where there is none.")
    reason: str | None = plain("Why it ended so, where that is known.")


def _fact(root: CauseRecord) -> FactRecord | None:
    """The fact behind it: that which made the version known, or the pipeline run due."""
    return None if root.position is None else root.cohort.ask(facts_of_causes).get(root.position)


@object_type
class Cause:
    """A line of the chain that led to a pipeline run."""

    index: int = plain("Its place in the list.")
    parent: int | None = plain("Index of the line that it explains; null where that is the run itself.")
    level: int = plain("How deep it stands: lines printed with so many indents are a tree.")
    kind: CauseKind = plain("What it is about.")
    text: str = plain("One line for people.")
    at: dt.datetime | None = plain("When it happened; null where that is unknown.")
    position: Long | None = plain("Ledger position of the fact behind it.")
    repeated: bool = plain(
        "Whether an earlier line is about the same; what explains it stands below that one alone."
    )
    explained_at: int | None = plain(
        "Index of that line; null where this is the first about it, or is about the run that was asked about."
    )
    version: DatasetVersionType | None = plain("The version, for a line about one.")
    run: RunType | None = plain("The run, for a line about one.")
    pipeline_run: PipelineRunType | None = plain("The pipeline run, for a line about one.")
    fact = resolved(_fact, FactType | None)


@object_type
class Causes:
    """The chain that led to a pipeline run, down to the first causes: each line right after what it explains.

    A version is explained by the run that made it (or by the event or report that told of it), that run by the
    pipeline run it belongs to, that one by the versions that it consumed or by the command that triggered it.
    """

    nodes: list[Cause] = plain("The lines.")
    complete: bool = plain("Whether these are all.")
    reason: IncompleteReason | None = plain("Why not: DEPTH or NODE_LIMIT; null where these are all.")


@object_type
class RunLogs:
    """What an attempt wrote to stdout and stderr, as far as this host has it."""

    attempt: int = plain("Which attempt; 0 where there was none yet.")
    available: bool = plain("Whether this host has it.")
    reason: str | None = plain("Why not, and where it is; null where it is here.")
    text: str = plain("The beginning and the end; a line between says how many bytes are missing.")
    dropped_bytes: Long = plain("Bytes missing between the beginning and the end.")


def _pipeline(root: PipelineRunRecord) -> PipelineRecord | None:
    """The pipeline."""
    return root.cohort.ask(pipelines_of_members).get(root.pipeline_name)


def _document(root: PipelineRunRecord) -> DocumentRecord | None:
    """The document version that it goes by: the one that was current when it became due."""
    key = (PIPELINE, root.pipeline_name, root.document_version)
    return root.cohort.ask(documents_of_pipeline_runs).get(key)


def _transitions(root: PipelineRunRecord) -> list[TransitionRecord]:
    """Its moves in their order."""
    return root.cohort.ask(transitions).get(root.row_id, [])


def _attempts(root: PipelineRunRecord) -> list[AttemptRecord]:
    """Its attempts in their order."""
    return root.cohort.ask(attempts).get(root.row_id, [])


def _consumed_versions(
    root: PipelineRunRecord, first: int = NESTED_FIRST, after: str | None = None
) -> Page[VersionRecord]:
    """The versions that it took from its queues, in the order in which they came."""
    return root.cohort.ask(consumed_pages, first, after)[root.row_id]


def _outputs(
    root: PipelineRunRecord, first: int = NESTED_FIRST, after: str | None = None
) -> Page[VersionRecord]:
    """The versions made by it or by a run that was started within it, oldest first."""
    return root.cohort.ask(output_pages, first, after)[root.row_id]


def _decisions(root: PipelineRunRecord) -> list[DecisionRecord]:
    """The decisions about it in their order."""
    return root.cohort.ask(decisions_of_runs).get(root.row_id, [])


def _causes(root: PipelineRunRecord, depth: int = 50, max_nodes: int = 1000) -> CausesRecord:
    """Why it exists: back at most `depth` generations of pipeline runs and at most `maxNodes` lines."""
    return root.cohort.ask(causes, depth, max_nodes)[root.row_id]


def _logs(root: PipelineRunRecord, attempt: int | None = None, max_bytes: int = MAX_BYTES) -> LogsRecord:
    """What an attempt wrote, the last one's where no other is asked for; at most so many bytes of it."""
    return read_logs(root, attempt, max_bytes)


def _run(root: PipelineRunRecord) -> RunRecord:
    """The same run as OpenLineage tells it: its children are what its attempts reported."""
    return root.cohort.ask(runs_of_members)[root.row_id]


@object_type
class PipelineRun:
    """One execution of a pipeline."""

    id: strawberry.ID = plain("Its UUID, which is also that of its OpenLineage run.")
    pipeline_name: str = plain("The pipeline's name.")
    number: Long = plain("Counted from 1 for each pipeline.")
    document_version: int = plain("The version of the pipeline's document that it goes by.")
    state: RunState = plain("Where it stands.")
    reason: str = plain("Why it is there, for people.")
    cause: RunCause = plain("What made it due.")
    actor: str = plain("Who made it due: headwater, or who triggered it.")
    causal_depth: int = plain("How many pipeline runs, itself included, caused each other.")
    batch_open: bool = plain("Whether it still absorbs versions.")
    attempt: int = plain("The current attempt; 0 before the first.")
    attempts_left: int = plain("Attempts that may still follow a bad end.")
    due_position: Long = plain("Ledger position of the fact that made it due.")
    due_at: dt.datetime = plain("When it became due.")
    started_at: dt.datetime | None = plain("When its first attempt started; null before.")
    ended_at: dt.datetime | None = plain("When it ended; null before.")
    exit_code: int | None = plain("Exit code of its last attempt; null where there is none.")
    cancel_requested: bool = plain("Whether somebody asked to stop it.")
    pipeline = resolved(_pipeline, PipelineType | None)
    document = resolved(_document, DocumentType | None)
    transitions = resolved(_transitions, list[Transition])
    attempts = resolved(_attempts, list[Attempt])
    consumed_versions = resolved(_consumed_versions, Connection[DatasetVersionType])
    outputs = resolved(_outputs, Connection[DatasetVersionType])
    decisions = resolved(_decisions, list[DecisionType])
    causes = resolved(_causes, Causes)
    logs = resolved(_logs, RunLogs)
    run = resolved(_run, RunType)
