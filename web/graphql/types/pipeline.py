"""Pipelines, and how their conditions stand."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

import strawberry
from strawberry.scalars import JSON

from catalog.documents.pipeline import AirflowLaunch, CommandLaunch, HttpLaunch
from catalog.keys import DatasetKey, JobKey
from policies.conditions import ConditionState, next_version
from policies.transitions import RunState
from policies.undeclared import PipelineWarning as PipelineWarningRecord
from web.graphql.connections import Connection
from web.graphql.loaders.datasets import datasets_named
from web.graphql.loaders.decisions import decision_pages
from web.graphql.loaders.documents import (
    PIPELINE,
    document_key,
    documents_of_pipelines,
    history_pages,
    newest_documents_of_pipelines,
)
from web.graphql.loaders.jobs import jobs_reported
from web.graphql.loaders.pipeline_runs import latest_pipeline_runs, run_pages_of_pipelines
from web.graphql.loaders.pipelines import conditions, pauses_of_all
from web.graphql.loaders.warnings import pipeline_warnings
from web.graphql.pages import NESTED_FIRST, Page
from web.graphql.records import (
    DatasetRecord,
    DecisionRecord,
    DocumentRecord,
    JobRecord,
    PipelineRecord,
    PipelineRunRecord,
)
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.enums import ConditionKind, Launcher, PipelineState
from web.graphql.types.references import (
    DatasetType,
    DecisionType,
    DocumentType,
    JobType,
    PipelineRunType,
)


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """A dataset or job as a document names it, with what is stored under the name."""

    key: DatasetKey | JobKey
    stored: DatasetRecord | JobRecord | None

    @property
    def id(self) -> str:
        """The node id."""
        return self.key.node_id

    @property
    def namespace(self) -> str:
        """The namespace."""
        return self.key.namespace

    @property
    def name(self) -> str:
        """The name."""
        return self.key.name


@object_type
class NamedDataset:
    """A dataset as a document names it, whether or not it was ever heard of."""

    id: strawberry.ID = plain("Its node id.")
    namespace: str = plain("Where it is.")
    name: str = plain("Its name there.")
    stored: DatasetType | None = strawberry.field(
        name="dataset", description="The dataset; null where it was never heard of."
    )


@object_type
class NamedJob:
    """A job as a document names it, whether or not it was ever heard of."""

    id: strawberry.ID = plain("Its node id.")
    namespace: str = plain("Where it runs.")
    name: str = plain("Its name there.")
    stored: JobType | None = strawberry.field(
        name="job", description="The job; null where it was never heard of."
    )


@dataclass(frozen=True, slots=True)
class ConditionRecord:
    """A node of a condition with its depth in the tree."""

    state: ConditionState
    level: int
    halted: str | None

    @property
    def kind(self) -> str:
        """What it is."""
        return self.state.kind

    @property
    def label(self) -> str:
        """What it is called."""
        return self.state.label

    @property
    def satisfied(self) -> bool:
        """Whether it is true."""
        return self.state.satisfied

    @property
    def since(self) -> dt.datetime | None:
        """When it became what it is."""
        return self.state.since

    @property
    def duration_seconds(self) -> float | None:
        """How long it has been so."""
        return None if self.state.duration is None else self.state.duration.total_seconds()

    @property
    def waiting_for(self) -> str | None:
        """What would make it true; of the whole condition, where it is true and may fire, what makes it fire.

        What is due by a new version starts at once, so what is queued then was given back by a run.
        """
        if self.level == 0 and self.satisfied and self.halted is None:
            return next_version(self.state)
        return self.state.waiting_for

    @property
    def queued(self) -> int:
        """Versions in the queues at and below it."""
        return self.state.queued

    @property
    def leaf(self) -> int | None:
        """Number of a leaf."""
        return self.state.leaf

    @property
    def dataset(self) -> str | None:
        """Node id of a leaf's dataset."""
        return None if self.state.key is None else self.state.key.node_id

    @property
    def children(self) -> "list[ConditionRecord]":
        """The nodes right below."""
        return [ConditionRecord(child, self.level + 1, self.halted) for child in self.state.children]

    @property
    def descendants(self) -> "list[ConditionRecord]":
        """Every node below in the order of the document, each before its children."""
        return list(self._walk())

    def _walk(self) -> "Iterator[ConditionRecord]":
        for child in self.children:
            yield child
            yield from child._walk()  # noqa: SLF001 - of its own kind


@object_type
class Condition:
    """A node of what a pipeline waits for, and how it stands: the answer to "why not?"."""

    level: int = plain("How deep it stands; 0 for the whole condition.")
    halted: str | None = plain("Why nothing fires although it may be true: that of the pipeline.")
    kind: ConditionKind = plain("What it is.")
    label: str = plain('The dataset\'s node id, or such as "all of 3".')
    satisfied: bool = plain("Whether it is true.")
    since: dt.datetime | None = plain("When it became what it is; null where nothing is known of that.")
    duration_seconds: float | None = plain("For how long it has been so; null as for `since`.")
    waiting_for: str | None = plain(
        "What would make it true; null while it is. Where the whole condition of an active pipeline is true, by what a"
        " run that did not succeed gave back (`onFailure: release`), what makes it fire."
    )
    queued: Long = plain("Versions that wait in the queues at and below it.")
    leaf: int | None = plain("Number of a leaf in the order of the document; null for a group.")
    dataset: strawberry.ID | None = plain("Node id of the dataset that a leaf waits for; null for a group.")
    children: list["Condition"] = plain("The nodes right below.")
    descendants: list["Condition"] = plain(
        "Every node below in the order of the document, each before its children: the tree without recursion."
    )


@object_type
class PipelineWarning:
    """Something that is allowed and probably not meant."""

    code: str = plain("Stable: reads-undeclared, writes-undeclared or, at apply, credential-written-out.")
    message: str = plain("For people.")
    dataset: strawberry.ID | None = plain(
        "Node id of the dataset that it is about; null where it is about none."
    )


def _owner(root: PipelineRecord) -> str:
    """Who answers for it."""
    return root.document.metadata.owner


def _description(root: PipelineRecord) -> str:
    """What it is for, in Markdown."""
    return root.document.metadata.description


def _labels(root: PipelineRecord) -> dict[str, str]:
    """Free names and values."""
    return dict(root.document.metadata.labels)


def _batching(root: PipelineRecord) -> str:
    """`each` (a run each time the condition holds) or `latest` (one for all that has come)."""
    return root.document.spec.batching


def _launcher(root: PipelineRecord) -> Launcher:
    """What starts its runs."""
    launch = root.document.spec.launch
    match launch:
        case CommandLaunch():
            return Launcher.COMMAND
        case HttpLaunch():
            return Launcher.HTTP
        case AirflowLaunch():
            return Launcher.AIRFLOW
        case _:
            assert_never(launch)


def _concurrency(root: PipelineRecord) -> int:
    """Runs that may go on at once."""
    return root.document.spec.concurrency


def _document(root: PipelineRecord) -> DocumentRecord | None:
    """The current version of its document."""
    key = (PIPELINE, root.name, root.document_version)
    return root.cohort.ask(documents_of_pipelines).get(key)


def _history(
    root: PipelineRecord, first: int = NESTED_FIRST, after: str | None = None
) -> Page[DocumentRecord]:
    """All versions of its document, newest first."""
    return root.cohort.ask(history_pages, first, after)[document_key(root)]


def _halted(root: PipelineRecord) -> str | None:
    """Why nothing fires whatever the condition says, and until when: paused, by itself or with all others, or deleted.

    Null while it is active.
    """
    if (pause := root.cohort.ask(pauses_of_all).get(root.name)) is not None:
        return f"{pause}: versions queue up, and nothing fires until they are resumed"
    if root.state == "paused":
        return "paused: versions queue up, and nothing fires until it is resumed"
    if root.state == "deleted":
        document = root.cohort.ask(newest_documents_of_pipelines)[document_key(root)]
        return (
            f"deleted on {document.at:%Y-%m-%d at %H:%M:%SZ} by {document.actor}:"
            " nothing fires until it is applied again"
        )
    return None


def _condition(root: PipelineRecord) -> ConditionRecord | None:
    """How what it waits for stands now; null once it is deleted: see `halted`."""
    found = root.cohort.ask(conditions).get(root.name)
    return None if found is None else ConditionRecord(found, 0, _halted(root))


def _inputs(root: PipelineRecord) -> list[NamedRecord]:
    """The datasets in its `when`, each once."""
    known = root.cohort.ask(datasets_named)
    return [NamedRecord(key, known.get(key.id)) for key in root.reads]


def _produces(root: PipelineRecord) -> list[NamedRecord]:
    """The datasets that it says its runs write."""
    known = root.cohort.ask(datasets_named)
    return [NamedRecord(key, known.get(key.id)) for key in root.writes]


def _job(root: PipelineRecord) -> NamedRecord | None:
    """The job that it says its runs report as; null where it does not say."""
    key = root.reported_job
    return None if key is None else NamedRecord(key, root.cohort.ask(jobs_reported).get(key.id))


def _latest_run(root: PipelineRecord) -> PipelineRunRecord | None:
    """The run with the greatest number; null where there is none."""
    return root.cohort.ask(latest_pipeline_runs).get(root.name)


def _runs(
    root: PipelineRecord,
    first: int = NESTED_FIRST,
    after: str | None = None,
    states: list[RunState] | None = None,
) -> Page[PipelineRunRecord]:
    """The runs, the greatest number first."""
    chosen = None if states is None else tuple(state.value for state in states)
    return root.cohort.ask(run_pages_of_pipelines, first, after, chosen)[root.name]


def _decisions(
    root: PipelineRecord, first: int = NESTED_FIRST, after: str | None = None
) -> Page[DecisionRecord]:
    """The decisions about it, latest first."""
    return root.cohort.ask(decision_pages, first, after)[root.name]


def _warnings(root: PipelineRecord) -> list[PipelineWarningRecord]:
    """What its runs are seen to read or write beyond what its document says; aliases count as one dataset."""
    return root.cohort.ask(pipeline_warnings)[root.name]


@object_type
class Pipeline:
    """Something that Headwater starts when what it reads has changed."""

    name: str = plain("Its name, unique among pipelines.")
    state: PipelineState = plain("Whether it starts runs.")
    paused: bool = plain("Whether it is paused.")
    document_version: int = plain("The version of its document that is current.")
    position: Long = plain("Ledger position of the command that registered it.")
    owner = resolved(_owner, str)
    description = resolved(_description, str)
    labels = resolved(_labels, JSON)
    batching = resolved(_batching, str)
    concurrency = resolved(_concurrency, int)
    launcher = resolved(_launcher, Launcher)
    document = resolved(_document, DocumentType | None)
    history = resolved(_history, Connection[DocumentType])
    halted = resolved(_halted, str | None)
    condition = resolved(_condition, Condition | None)
    inputs = resolved(_inputs, list[NamedDataset])
    produces = resolved(_produces, list[NamedDataset])
    job = resolved(_job, NamedJob | None)
    latest_run = resolved(_latest_run, PipelineRunType | None)
    runs = resolved(_runs, Connection[PipelineRunType])
    decisions = resolved(_decisions, Connection[DecisionType])
    warnings = resolved(_warnings, list[PipelineWarning])
