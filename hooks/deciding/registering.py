"""Documents applied, deleted, paused and resumed: held against the current state, accepted or refused whole."""

import uuid
from collections.abc import Sequence
from typing import Any, assert_never

import orjson
import psycopg

from catalog.documents.document import Document
from catalog.documents.kinds import parse_document
from catalog.errors import HeadwaterError, InvalidDocument, NotFound, NotUnderstood
from catalog.facts import FactKind
from catalog.forms import understood
from catalog.ledger import Fact
from catalog.migrations import HEAD
from hooks.deciding.planning import read_plan, read_stored
from hooks.deciding.records import CommandResult, Occasion
from hooks.deciding.registry import QUERIES, RegisteredPipeline, Registry, load_registry
from hooks.deciding.restoring import begin_anew
from hooks.deciding.webhook_commands import judge_webhook_command
from hooks.deciding.working_set import WorkingSet, save_results
from hooks.pausing import PauseOfAll, pause_all, resume_all
from policies.plans import DocumentPlan, Effect, StoredDocument
from policies.transitions import WAITS_FOR_SLOT, RunState


def apply_rule_change(connection: psycopg.Connection[Any], fact: Fact, registry: Registry) -> list[str]:
    """Carry out the command of the fact and store its verdict; return the pipelines that must be evaluated anew."""
    body = orjson.loads(fact.body)
    occasion = Occasion(fact.position, fact.received_at, fact.actor)
    try:
        with connection.transaction():
            result, names = _apply(connection, fact, body, occasion, registry)
    except NotUnderstood:
        # No verdict: a worker of the newer release gives it.
        raise
    except HeadwaterError as error:
        refused = CommandResult(fact.position, False, error.code, error.message, {})
        save_results(connection, [refused])
        return []
    save_results(connection, [CommandResult(fact.position, True, None, None, result)])
    return names


def _apply(
    connection: psycopg.Connection[Any],
    fact: Fact,
    body: dict[str, Any],
    occasion: Occasion,
    registry: Registry,
) -> tuple[dict[str, Any], list[str]]:
    kind = understood(FactKind, fact.kind)
    match kind:
        case FactKind.DOCUMENTS_APPLY:
            return _apply_documents(connection, body, occasion, registry)
        case FactKind.DOCUMENT_DELETE:
            return _delete(connection, str(body["kind"]), str(body["name"]), occasion)
        case FactKind.PIPELINE_PAUSE | FactKind.PIPELINE_RESUME:
            resumes, name = kind is FactKind.PIPELINE_RESUME, str(body["pipeline"])
            result = _set_state(connection, name, "active" if resumes else "paused")
            return result, [name] if resumes else []
        case FactKind.PIPELINES_PAUSE | FactKind.PIPELINES_RESUME:
            return _pause_or_resume_all(connection, kind, body, occasion, registry)
        case FactKind.INSTALLATION_RESTORED:
            return begin_anew(connection, registry, fact, body), []
        case (
            FactKind.WEBHOOK_PAUSE
            | FactKind.WEBHOOK_RESUME
            | FactKind.WEBHOOK_REPLAY
            | FactKind.WEBHOOK_RETRY_DEAD
            | FactKind.WEBHOOK_TEST
        ):
            return judge_webhook_command(connection, kind, body), []
        case (
            FactKind.OPENLINEAGE_RUN
            | FactKind.OPENLINEAGE_DATASET
            | FactKind.OPENLINEAGE_JOB
            | FactKind.VERSION_REPORT
            | FactKind.PARKED_SKIP
            | FactKind.EVENTS_REMOVE
            | FactKind.PIPELINE_TRIGGER
            | FactKind.RUN_CANCEL
            | FactKind.RUN_RETRY
            | FactKind.ATTEMPT_CLAIMED
            | FactKind.ATTEMPT_STARTED
            | FactKind.ATTEMPT_ENDED
        ):
            raise ValueError(f"expected a command about documents, found {kind}")
        case _:
            assert_never(kind)


def _apply_documents(
    connection: psycopg.Connection[Any], body: dict[str, Any], occasion: Occasion, registry: Registry
) -> tuple[dict[str, Any], list[str]]:
    documents = _read_documents(body)
    plan = read_plan(connection, registry, documents, body.get("expected") or {})
    plan.check()
    created: list[RegisteredPipeline] = []
    evaluate: list[str] = []
    for planned in plan.documents:
        document = planned.document
        if planned.effect is Effect.UNCHANGED:
            continue
        _insert_document(connection, document, planned.version, occasion)
        if document.kind == "Pipeline":
            registered = _register(connection, document, planned.version, occasion)
            evaluate.append(document.name)
            if planned.effect is Effect.CREATED:
                # What an earlier pipeline of this name left behind is not for this one.
                connection.execute("DELETE FROM input_queue WHERE pipeline = %s", (document.name,))
                created.append(registered)
    for registered in created:
        _queue_backlog(connection, registered)
    return {"documents": [_told(planned) for planned in plan.documents]}, evaluate


def _read_documents(body: dict[str, Any]) -> list[Document]:
    """Return the documents of the command; raise `NotUnderstood` where only a newer release takes them."""
    try:
        return [parse_document(item, source="documents") for item in body["documents"]]
    except InvalidDocument as error:
        if str(body.get("schema") or "") > HEAD:
            raise NotUnderstood(
                f"a newer release took what this one refuses: {error.message}"[:500]
            ) from error
        raise


def _told(planned: DocumentPlan) -> dict[str, Any]:
    """Return what the verdict says of one document."""
    return {
        "kind": planned.document.kind,
        "name": planned.document.name,
        "version": planned.version,
        "change": planned.effect,
        "warnings": [
            {"code": warning.code, "message": warning.message, "dataset": warning.dataset}
            for warning in planned.warnings
        ],
    }


def _insert_document(
    connection: psycopg.Connection[Any],
    document: Document,
    version: int,
    occasion: Occasion,
    *,
    deleted: bool = False,
) -> None:
    connection.execute(
        "INSERT INTO document (kind, name, version, digest, body, deleted, position, at, actor)"
        " VALUES (%s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s)",
        (
            document.kind,
            document.name,
            version,
            document.digest,
            orjson.dumps(document.body).decode(),
            deleted,
            occasion.position,
            occasion.at,
            occasion.actor,
        ),
    )


def _register(
    connection: psycopg.Connection[Any], document: Document, version: int, occasion: Occasion
) -> RegisteredPipeline:
    connection.execute(
        "INSERT INTO pipeline (name, document_version, state, position) VALUES (%s, %s, 'active', %s)"
        " ON CONFLICT (name) DO UPDATE SET document_version = excluded.document_version,"
        " state = CASE WHEN pipeline.state = 'deleted' THEN 'active' ELSE pipeline.state END,"
        " position = CASE WHEN pipeline.state = 'deleted' THEN excluded.position ELSE pipeline.position END",
        (document.name, version, occasion.position),
    )
    registered = RegisteredPipeline.from_body(
        document.name, version, document.body, paused=False, position=occasion.position
    )
    # An input that the condition no longer names queues nothing any more; what was consumed stays consumed.
    connection.execute(
        "DELETE FROM input_queue WHERE pipeline = %s AND NOT input_id = ANY(%s)",
        (document.name, list(registered.inputs)),
    )
    return registered


def _queue_backlog(connection: psycopg.Connection[Any], pipeline: RegisteredPipeline) -> None:
    """Queue the versions that a new pipeline asks for by `startFrom`."""
    start_from = pipeline.document.spec.start_from
    if start_from == "latest":
        return
    query = QUERIES["queue_current_version" if start_from == "current" else "queue_every_version"]
    members = _members(connection, pipeline.datasets)
    for input_id, dataset in zip(pipeline.inputs, pipeline.datasets, strict=True):
        names = list(members.get(dataset, {dataset}))
        connection.execute(query, {"pipeline": pipeline.name, "input": input_id, "datasets": names})


def _members(
    connection: psycopg.Connection[Any], datasets: Sequence[uuid.UUID]
) -> dict[uuid.UUID, set[uuid.UUID]]:
    """Return for each dataset that has aliases every member of its class."""
    members: dict[uuid.UUID, set[uuid.UUID]] = {}
    for dataset, member in connection.execute(
        "SELECT c.dataset_id, m.dataset_id FROM dataset_class c JOIN dataset_class m USING (class_id)"
        " WHERE c.dataset_id = ANY(%s)",
        (list(datasets),),
    ):
        members.setdefault(dataset, set()).add(member)
    return members


def _delete(
    connection: psycopg.Connection[Any], kind: str, name: str, occasion: Occasion
) -> tuple[dict[str, Any], list[str]]:
    stored = read_stored(connection, [(kind, name)]).get((kind, name), StoredDocument())
    if stored.document is None:
        raise NotFound(f"expected the name of a registered {kind}, found {name!r}")
    version = stored.version
    if kind == "Pipeline":
        _cancel_waiting(connection, name, occasion)
    connection.execute(
        "INSERT INTO document (kind, name, version, digest, body, deleted, position, at, actor)"
        " SELECT kind, name, version + 1, digest, body, true, %s, %s, %s FROM document"
        " WHERE kind = %s AND name = %s AND version = %s",
        (occasion.position, occasion.at, occasion.actor, kind, name, version),
    )
    if kind == "Pipeline":
        connection.execute("DELETE FROM input_queue WHERE pipeline = %s", (name,))
        connection.execute("UPDATE pipeline SET state = 'deleted' WHERE name = %s", (name,))
    return {"kind": kind, "name": name, "version": version + 1, "change": "deleted"}, []


def _cancel_waiting(connection: psycopg.Connection[Any], name: str, occasion: Occasion) -> None:
    """Cancel the runs that wait for a slot; what runs already goes on to its end."""
    registry = load_registry(connection)
    run_ids = [row[0] for row in connection.execute(QUERIES["waiting_runs"], {"pipeline": name})]
    waiting = WorkingSet.load(connection, registry, touches={name: 1}, run_ids=run_ids, producers=[])
    for run in waiting.of_pipeline(name):
        if run.state in WAITS_FOR_SLOT:
            waiting.move(run, RunState.CANCELLED, occasion, f"the pipeline was deleted by {occasion.actor}")
            run.ended_at = occasion.at
            run.batch_open = False
    waiting.flush(connection)


def _pause_or_resume_all(
    connection: psycopg.Connection[Any],
    kind: FactKind,
    body: dict[str, Any],
    occasion: Occasion,
    registry: Registry,
) -> tuple[dict[str, Any], list[str]]:
    if kind is FactKind.PIPELINES_RESUME:
        resume_all(connection)
        return {}, sorted(registry.pipelines)
    asked = PauseOfAll(occasion.position, occasion.at, occasion.actor, str(body.get("reason") or ""))
    return {"position": pause_all(connection, asked).position}, []


def _set_state(connection: psycopg.Connection[Any], name: str, state: str) -> dict[str, Any]:
    row = connection.execute(
        "UPDATE pipeline SET state = %s WHERE name = %s AND state <> 'deleted' RETURNING state", (state, name)
    ).fetchone()
    if row is None:
        raise NotFound(f"expected the name of a registered pipeline, found {name!r}")
    return {"pipeline": name, "state": state}
