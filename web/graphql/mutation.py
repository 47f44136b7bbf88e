"""The fields of the mutation: commands, each appended as a fact and answered with the state follower's verdict."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry.scalars import JSON

from catalog.errors import HeadwaterError
from catalog.facts import FactKind, command
from hooks.pausing import PauseOfAll
from hooks.skipping import READ_PARKED, skip_command
from web.access import Permission
from web.graphql.applying import (
    ApplyDocumentsRecord,
    applied,
    check_expected,
    parse_documents,
    planned,
)
from web.graphql.loaders.documents import documents_by_version
from web.graphql.loaders.pipeline_runs import pipeline_runs_by_id
from web.graphql.loaders.pipelines import pause_of_all, pipelines_by_name
from web.graphql.node_ids import run_id
from web.graphql.query import Info
from web.graphql.records import DocumentRecord, PipelineRecord, PipelineRunRecord
from web.graphql.request import QueryRequest
from web.graphql.scalars import Long
from web.graphql.types.change import (
    ApplyDocuments,
    DeleteDocument,
    PauseCommand,
    PipelineCommand,
    PipelineRunCommand,
    SkipParked,
)
from web.graphql.types.declaring import object_type, root_field
from web.graphql.types.webhook import WebhookCommand, WebhookTest
from web.graphql.webhook_commands import (
    pause_webhook,
    replay_webhook,
    resume_webhook,
    retry_dead_deliveries,
    send_webhook_test,
)


@dataclass(frozen=True, slots=True)
class PipelineRunCommandRecord:
    """A command about a pipeline run that was carried out."""

    position: int
    pipeline_run: PipelineRunRecord


@dataclass(frozen=True, slots=True)
class PipelineCommandRecord:
    """A command about a pipeline that was carried out."""

    position: int
    pipeline: PipelineRecord


@dataclass(frozen=True, slots=True)
class PauseCommandRecord:
    """A command about all pipelines that was carried out."""

    position: int
    pause: PauseOfAll | None


@dataclass(frozen=True, slots=True)
class SkipParkedRecord:
    """A parked record that was left out."""

    position: int
    follower: str
    parked_position: int


@dataclass(frozen=True, slots=True)
class DeleteDocumentRecord:
    """A document that was deleted."""

    position: int
    document: DocumentRecord


def _submit(
    request: QueryRequest,
    permission: Permission,
    kind: FactKind,
    body: Mapping[str, Any],
    *,
    key: str | None,
    run: uuid.UUID | None = None,
) -> tuple[int, dict[str, Any]]:
    """Return position and result of the command once the state follower accepted it; raise its refusal."""
    principal = request.authorise(permission)
    return request.command(command(kind, dict(body), actor=principal.name, key=key, run_id=run))


def _about_run(request: QueryRequest, position: int, run: uuid.UUID) -> PipelineRunCommandRecord:
    found = pipeline_runs_by_id(request, [run]).get(run)
    if found is None:
        raise HeadwaterError(f"expected pipeline run {run} after the command at {position}, found none")
    return PipelineRunCommandRecord(position, found)


def _trigger(
    info: Info, pipeline: str, reason: str | None = None, idempotency_key: str | None = None
) -> PipelineRunCommandRecord:
    """Make a run of the pipeline due now, whatever its condition says."""
    position, result = _submit(
        info.context,
        Permission.OPERATE,
        FactKind.PIPELINE_TRIGGER,
        {"pipeline": pipeline, "reason": reason},
        key=idempotency_key,
    )
    return _about_run(info.context, position, uuid.UUID(result["run"]))


def _cancel_run(
    info: Info,
    id: strawberry.ID,  # noqa: A002 - the argument's name in the schema
    reason: str | None = None,
    idempotency_key: str | None = None,
) -> PipelineRunCommandRecord:
    """Stop the pipeline run: at once where no attempt runs, else as soon as its process group has ended."""
    run = run_id(id)
    position, _ = _submit(
        info.context,
        Permission.OPERATE,
        FactKind.RUN_CANCEL,
        {"reason": reason},
        key=idempotency_key,
        run=run,
    )
    return _about_run(info.context, position, run)


def _retry_run(
    info: Info,
    id: strawberry.ID,  # noqa: A002 - the argument's name in the schema
    reason: str | None = None,
    idempotency_key: str | None = None,
) -> PipelineRunCommandRecord:
    """Ask for another attempt of a pipeline run that ended badly, or release one that is held."""
    run = run_id(id)
    position, _ = _submit(
        info.context,
        Permission.OPERATE,
        FactKind.RUN_RETRY,
        {"reason": reason},
        key=idempotency_key,
        run=run,
    )
    return _about_run(info.context, position, run)


def _apply_documents(
    info: Info,
    documents: list[JSON],
    dry_run: bool = False,
    expected: JSON | None = None,
    idempotency_key: str | None = None,
) -> ApplyDocumentsRecord:
    """Register the documents, all or none; one that says what is current already is left as it is.

    `expected` gives versions by KIND/NAME ({"Pipeline/flights": 3}, 0 for none): another one that is current by then is
    a conflict. A dry run stores nothing, and is refused for what the command would be refused for.
    """
    versions = check_expected(expected)
    request = info.context
    request.authorise(Permission.READ if dry_run else Permission.APPLY)
    parsed = parse_documents(documents)
    if dry_run:
        return planned(request, parsed, versions)
    position, result = _submit(
        request,
        Permission.APPLY,
        FactKind.DOCUMENTS_APPLY,
        {"documents": [document.body for document in parsed], "expected": versions},
        key=idempotency_key,
    )
    return applied(request, parsed, position, result["documents"])


def _delete_document(
    info: Info, kind: str, name: str, idempotency_key: str | None = None
) -> DeleteDocumentRecord:
    """Delete the document; its versions stay. Runs of a pipeline that wait are cancelled, those that run go on."""
    position, result = _submit(
        info.context,
        Permission.APPLY,
        FactKind.DOCUMENT_DELETE,
        {"kind": kind, "name": name},
        key=idempotency_key,
    )
    key = (kind, name, int(result["version"]))
    return DeleteDocumentRecord(position, documents_by_version(info.context, [key])[key])


def _pause_pipeline(info: Info, pipeline: str, idempotency_key: str | None = None) -> PipelineCommandRecord:
    """Pause the pipeline: versions queue up and start nothing, waiting runs get no slot."""
    return _about_pipeline(info.context, FactKind.PIPELINE_PAUSE, pipeline, idempotency_key)


def _resume_pipeline(info: Info, pipeline: str, idempotency_key: str | None = None) -> PipelineCommandRecord:
    """Resume the pipeline: what has queued up starts what it makes due."""
    return _about_pipeline(info.context, FactKind.PIPELINE_RESUME, pipeline, idempotency_key)


def _pause_all(
    info: Info, reason: str | None = None, idempotency_key: str | None = None
) -> PauseCommandRecord:
    """Pause all pipelines at once: nothing is launched any more, and what becomes due waits; what runs goes on.

    A pause that lasts already stays as it is.
    """
    return _about_all(info.context, FactKind.PIPELINES_PAUSE, {"reason": reason}, idempotency_key)


def _resume_all(info: Info, idempotency_key: str | None = None) -> PauseCommandRecord:
    """End the pause of all pipelines: what has queued up starts what it makes due.

    A pipeline that is paused by itself stays paused.
    """
    return _about_all(info.context, FactKind.PIPELINES_RESUME, {}, idempotency_key)


def _skip_parked(
    info: Info, follower: str, position: Long, reason: str, idempotency_key: str | None = None
) -> SkipParkedRecord:
    """Leave the parked record out for good: it is applied nowhere, and answers do not say any more that it is parked.

    The record stays where it is, and so does what was wrong with it; who left it out and why is a fact.
    """
    principal = info.context.authorise(Permission.ADMINISTER)
    rows = info.context.rows(READ_PARKED, follower=follower, position=position)
    fact = skip_command(rows, reason=reason, actor=principal.name, key=idempotency_key)
    at, _ = info.context.command(fact)
    return SkipParkedRecord(at, follower, position)


def _about_all(
    request: QueryRequest, kind: FactKind, body: Mapping[str, Any], key: str | None
) -> PauseCommandRecord:
    position, _ = _submit(request, Permission.OPERATE, kind, body, key=key)
    return PauseCommandRecord(position, pause_of_all(request))


def _about_pipeline(
    request: QueryRequest, kind: FactKind, pipeline: str, key: str | None
) -> PipelineCommandRecord:
    position, _ = _submit(request, Permission.OPERATE, kind, {"pipeline": pipeline}, key=key)
    return PipelineCommandRecord(position, pipelines_by_name(request, [pipeline])[pipeline])


@object_type
class Mutation:
    """Everything that can be told. Each command is a fact; it is answered once it was carried out or refused.

    The same `idempotencyKey` of the same command is the same command: it is carried out once and answered each time.
    """

    trigger = root_field(_trigger, PipelineRunCommand)
    cancel_run = root_field(_cancel_run, PipelineRunCommand)
    retry_run = root_field(_retry_run, PipelineRunCommand)
    apply_documents = root_field(_apply_documents, ApplyDocuments)
    delete_document = root_field(_delete_document, DeleteDocument)
    pause_pipeline = root_field(_pause_pipeline, PipelineCommand)
    resume_pipeline = root_field(_resume_pipeline, PipelineCommand)
    pause_all = root_field(_pause_all, PauseCommand)
    resume_all = root_field(_resume_all, PauseCommand)
    skip_parked = root_field(_skip_parked, SkipParked)
    pause_webhook = root_field(pause_webhook, WebhookCommand)
    resume_webhook = root_field(resume_webhook, WebhookCommand)
    replay_webhook = root_field(replay_webhook, WebhookCommand)
    retry_dead_deliveries = root_field(retry_dead_deliveries, WebhookCommand)
    test_webhook = root_field(send_webhook_test, WebhookTest)
