"""What the outbox stream consists of: events that messages are made of, and rules by which they are made."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from catalog.facts import FactKind
from catalog.keys import DatasetKey, JobKey, name_based_uuid
from catalog.redaction import redact_text
from hooks.webhooks.payload import (
    DatasetOnWire,
    JobOnWire,
    Message,
    ProducerOnWire,
    RunData,
    RunMessage,
    RunOnWire,
    VersionData,
    VersionMessage,
    VersionOnWire,
)
from policies.webhooks import RunSubject, Subject, VersionSubject


@dataclass(frozen=True, slots=True)
class VersionChanged:
    """A record of `version_event`, with what the version is known by."""

    position: int
    at: dt.datetime
    kind: str
    version_id: uuid.UUID
    dataset: DatasetKey
    aliases: Sequence[DatasetKey]
    time: dt.datetime
    partition: str | None
    row_count: int | None
    byte_count: int | None
    run_id: uuid.UUID | None
    job: JobKey | None


@dataclass(frozen=True, slots=True)
class RunMoved:
    """A record of `pipeline_run_transition`, with what the run is known by."""

    position: int
    at: dt.datetime
    run_id: uuid.UUID
    from_state: str | None
    to_state: str
    attempt: int
    actor: str
    reason: str
    pipeline: str
    number: int
    cause: str
    due_at: dt.datetime
    document_version: int


Event = VersionChanged | RunMoved


@dataclass(frozen=True, slots=True)
class WebhookDeclared:
    """A version of a Webhook document; `deleted` where it says that the document is gone."""

    position: int
    at: dt.datetime
    actor: str
    name: str
    version: int
    body: Mapping[str, Any]
    deleted: bool


@dataclass(frozen=True, slots=True)
class WebhookCommanded:
    """A command about a webhook that the state follower accepted."""

    position: int
    at: dt.datetime
    actor: str
    name: str
    command: FactKind
    arguments: Mapping[str, Any]


Rule = WebhookDeclared | WebhookCommanded


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """All that happened at one place of the stream: rules first, then versions, then runs."""

    place: int
    rules: tuple[Rule, ...]
    events: tuple[Event, ...]


def subject_of(event: Event) -> Subject:
    """Return what filters look at."""
    match event:
        case VersionChanged(kind=kind, dataset=dataset, aliases=aliases):
            return VersionSubject(f"version.{kind}", (dataset, *aliases))
        case RunMoved(to_state=state, pipeline=pipeline):
            return RunSubject(f"pipeline_run.{state}", pipeline)
        case _:
            assert_never(event)


def message_identity(installation: uuid.UUID, webhook: str, event: Event) -> uuid.UUID:
    """Return the identity of the webhook's message about the event: always the same, so that receivers can tell."""
    match event:
        case VersionChanged():
            parts = ["version", event.kind, str(event.version_id)]
        case RunMoved():
            parts = ["run", event.to_state, str(event.run_id), str(event.attempt), event.from_state or ""]
        case _:
            assert_never(event)
    return name_based_uuid("webhook-message", str(installation), webhook, str(event.position), *parts)


def message_of(event: Event) -> Message:
    """Return the message about the event."""
    match event:
        case VersionChanged():
            return _version_message(event)
        case RunMoved():
            return _run_message(event)
        case _:
            assert_never(event)


def _version_message(event: VersionChanged) -> VersionMessage:
    run = None
    if event.run_id is not None:
        job = None if event.job is None else JobOnWire(namespace=event.job.namespace, name=event.job.name)
        run = ProducerOnWire(id=event.run_id, job=job)
    version = VersionOnWire(
        id=event.version_id,
        time=event.time,
        partition=event.partition,
        row_count=event.row_count,
        byte_count=event.byte_count,
        run=run,
    )
    data = VersionData(
        position=event.position,
        dataset=_dataset(event.dataset),
        aliases=[_dataset(key) for key in event.aliases],
        version=version,
    )
    return VersionMessage(type=f"version.{event.kind}", timestamp=event.at, data=data)


def _run_message(event: RunMoved) -> RunMessage:
    run = RunOnWire(
        id=event.run_id,
        number=event.number,
        state=event.to_state,
        previous_state=event.from_state,
        attempt=event.attempt,
        cause=event.cause,
        due_at=event.due_at,
        document_version=event.document_version,
        # What an engine said of its end may repeat what it was given.
        reason=redact_text(event.reason),
        actor=event.actor,
    )
    data = RunData(position=event.position, pipeline=event.pipeline, run=run)
    return RunMessage(type=f"pipeline_run.{event.to_state}", timestamp=event.at, data=data)


def _dataset(key: DatasetKey) -> DatasetOnWire:
    namespace, name = redact_text(key.namespace), redact_text(key.name)
    return DatasetOnWire(id=f"dataset:{namespace}:{name}", namespace=namespace, name=name)
