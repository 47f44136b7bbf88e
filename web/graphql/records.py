"""What answers are made of: a class for each noun, filled from rows; attributes are named as the schema's fields.

Records hold values only. What has to be read is read by `loaders`, for a whole cohort at once.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from catalog.documents.pipeline import Pipeline as PipelineDocument
from catalog.forms import stored
from catalog.keys import DatasetKey, JobKey
from policies.conditions import Condition, from_document, leaves
from web.graphql.cohort import Record
from web.graphql.facet_records import TagRecord


@dataclass(slots=True, eq=False)
class NamespaceRecord(Record):
    """A namespace, with the instants at which something of it was first and last heard of for the first time."""

    name: str
    first_seen_at: dt.datetime
    last_added_at: dt.datetime


@dataclass(slots=True, eq=False)
class DatasetRecord(Record):
    """A row of `dataset`."""

    row_id: uuid.UUID
    namespace: str
    name: str
    first_seen_at: dt.datetime
    position: int

    @property
    def id(self) -> str:
        """The node id."""
        return f"dataset:{self.namespace}:{self.name}"


@dataclass(slots=True, eq=False)
class AliasRecord(Record):
    """Another name of a dataset; type and instant are known where an event named the two together."""

    dataset: DatasetRecord
    type: str | None
    since: dt.datetime | None


@dataclass(slots=True, eq=False)
class FieldRecord:
    """A column as a producer described it."""

    name: str
    type: str | None
    description: str | None
    fields: "list[FieldRecord]"
    tags: list[TagRecord] = field(default_factory=list)

    @classmethod
    def all_of(cls, fields: list[Any]) -> "list[FieldRecord]":
        """Return the columns of a schema facet's fields; what has another type than it should is unknown."""
        return [
            cls(
                name=column["name"],
                type=_text(column.get("type")),
                description=_text(column.get("description")),
                fields=cls.all_of(column.get("fields") or []),
            )
            for column in fields
        ]

    def tagged(self, tags: Mapping[str, list[TagRecord]], above: str = "") -> "FieldRecord":
        """Return the column with the tags that name it; a column within another is named `outer.inner`."""
        path = above + self.name
        within = [inner.tagged(tags, f"{path}.") for inner in self.fields]
        return FieldRecord(self.name, self.type, self.description, within, tags.get(path, []))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


@dataclass(slots=True, eq=False)
class JobRecord(Record):
    """A row of `job`."""

    row_id: uuid.UUID
    namespace: str
    name: str
    first_seen_at: dt.datetime
    position: int
    shape_at: dt.datetime | None
    shape_hash: bytes | None

    @property
    def id(self) -> str:
        """The node id."""
        return f"job:{self.namespace}:{self.name}"


@dataclass(slots=True, eq=False)
class RunRecord(Record):
    """A row of `run`; of a pipeline run that never reported itself, what is known of it all the same."""

    row_id: uuid.UUID
    job_id: uuid.UUID
    state: str | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    parent_id: uuid.UUID | None
    root_id: uuid.UUID
    position: int | None
    reported: bool = True

    @property
    def id(self) -> uuid.UUID:
        """The run's UUID."""
        return self.row_id

    @property
    def node_id(self) -> str:
        """The run as a node id."""
        return f"run:{self.row_id}"

    @property
    def order(self) -> dt.datetime:
        """The instant by which runs of a job are listed, latest first."""
        return self.started_at or self.ended_at or dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(slots=True, eq=False)
class RunDatasetRecord(Record):
    """A dataset as a run's events speak of it."""

    row_id: tuple[uuid.UUID, str, uuid.UUID]
    dataset_id: uuid.UUID
    lifecycle: str | None
    producer_version: str | None
    schema_hash: str | None
    row_count: int | None
    byte_count: int | None
    file_count: int | None
    partition: str | None
    description: str | None


@dataclass(slots=True, eq=False)
class VersionRecord(Record):
    """A row of `dataset_version`."""

    row_id: uuid.UUID
    dataset_id: uuid.UUID
    state: str
    origin: str
    time: dt.datetime
    event_time: dt.datetime
    run_id: uuid.UUID | None
    partition: str | None
    producer_version: str | None
    lifecycle: str | None
    schema_hash: str | None
    row_count: int | None
    byte_count: int | None
    digest: str | None
    position: int

    @property
    def id(self) -> uuid.UUID:
        """The version's UUID."""
        return self.row_id


@dataclass(slots=True, eq=False)
class ConsumedVersionRecord(Record):
    """A version that a run read, and how that is known."""

    version: VersionRecord
    basis: str


@dataclass(slots=True, eq=False)
class ConsumedVersionsRecord:
    """What a run read, and whether that is all of it."""

    nodes: list[ConsumedVersionRecord]
    complete: bool


@dataclass(slots=True, eq=False)
class FactRecord(Record):
    """A fact of the ledger with its body as received, None where retention has removed it."""

    position: int
    kind: str
    received_at: dt.datetime
    actor: str
    redactions: list[str]
    body: Any


@dataclass(slots=True, eq=False)
class DocumentRecord(Record):
    """A row of `document`."""

    kind: str
    name: str
    version: int
    body: Mapping[str, Any]
    deleted: bool
    position: int
    at: dt.datetime
    actor: str

    @property
    def row_id(self) -> tuple[str, str, int]:
        """What tells it from other documents and their versions."""
        return self.kind, self.name, self.version


@dataclass(eq=False)
class PipelineRecord(Record):
    """A row of `pipeline` with its current document."""

    name: str
    document_version: int
    state: str
    position: int
    next_number: int
    body: Mapping[str, Any]

    @property
    def row_id(self) -> str:
        """What tells it from other pipelines."""
        return self.name

    @property
    def paused(self) -> bool:
        """Whether it is paused."""
        return self.state == "paused"

    @cached_property
    def document(self) -> PipelineDocument:
        """The document as its model, defaults filled in."""
        return stored(PipelineDocument, self.body)

    @cached_property
    def condition(self) -> Condition:
        """What it waits for."""
        return from_document(self.document.spec.when)

    @cached_property
    def reads(self) -> list[DatasetKey]:
        """The datasets that stand in its `when`, each once."""
        return list(dict.fromkeys(leaf.key for leaf in leaves(self.condition)))

    @cached_property
    def writes(self) -> list[DatasetKey]:
        """The datasets that it says its runs write."""
        return [reference.key for reference in self.document.spec.produces]

    @property
    def reported_job(self) -> JobKey | None:
        """The job that it says its runs report as."""
        job = self.document.spec.job
        return None if job is None else job.key


@dataclass(slots=True, eq=False)
class PipelineRunRecord(Record):
    """A row of `pipeline_run`."""

    row_id: uuid.UUID
    pipeline_name: str
    number: int
    document_version: int
    state: str
    cause: str
    actor: str
    causal_depth: int
    batch_open: bool
    attempt: int
    attempts_left: int
    due_position: int
    due_at: dt.datetime
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    exit_code: int | None
    reason: str
    cancel_requested: bool

    @property
    def id(self) -> uuid.UUID:
        """The run's UUID."""
        return self.row_id


@dataclass(slots=True, eq=False)
class TransitionRecord(Record):
    """A row of `pipeline_run_transition`."""

    from_state: str | None
    to_state: str
    attempt: int
    at: dt.datetime
    position: int
    actor: str
    reason: str


@dataclass(slots=True, eq=False)
class AttemptRecord(Record):
    """What is known of one attempt of a pipeline run."""

    number: int
    host_id: str | None
    host_name: str | None
    claimed_at: dt.datetime | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    outcome: str | None
    exit_code: int | None
    reason: str | None


@dataclass(slots=True, eq=False)
class DecisionRecord(Record):
    """A row of `decision`."""

    row_id: uuid.UUID
    pipeline_name: str
    run_id: uuid.UUID | None
    verdict: str
    reason: str
    rules: list[dict[str, Any]]
    inputs: list[dict[str, Any]]
    position: int
    at: dt.datetime

    @property
    def id(self) -> uuid.UUID:
        """The decision's UUID."""
        return self.row_id


@dataclass(slots=True, eq=False)
class CauseRecord(Record):
    """One line of the chain that led to a pipeline run: see `loaders.causes`."""

    index: int
    parent: int | None
    level: int
    kind: str
    text: str
    at: dt.datetime | None
    position: int | None
    repeated: bool = False
    explained_at: int | None = None
    version: VersionRecord | None = None
    run: RunRecord | None = None
    pipeline_run: PipelineRunRecord | None = None


@dataclass(slots=True, eq=False)
class CausesRecord:
    """The chain of causes, and whether it is the whole one."""

    nodes: list[CauseRecord] = field(default_factory=list)
    complete: bool = True
    reason: str | None = None
