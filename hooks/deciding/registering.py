"""Documents applied, deleted, paused and resumed: held against the current state, accepted or refused whole."""

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any, assert_never

import orjson
import psycopg

from catalog.documents.document import Document
from catalog.documents.kinds import parse_document
from catalog.documents.pipeline import Pipeline
from catalog.errors import CausalLoop, Conflict, HeadwaterError, InvalidDocument, NotFound
from catalog.facts import FactKind
from catalog.keys import DatasetKey
from catalog.ledger import Fact
from hooks.deciding.records import CommandResult, Occasion
from hooks.deciding.registry import QUERIES, RegisteredPipeline, Registry, load_registry
from hooks.deciding.working_set import WorkingSet, save_results
from policies.conditions import from_document, leaves
from policies.loops import PipelineEdges, describe_loop, find_loop
from policies.transitions import RunState


def apply_rule_change(connection: psycopg.Connection[Any], fact: Fact, registry: Registry) -> list[str]:
    """Carry out the command of the fact and store its verdict; return the pipelines that must be evaluated anew."""
    body = orjson.loads(fact.body)
    occasion = Occasion(fact.position, fact.received_at, fact.actor)
    try:
        with connection.transaction():
            result, names = _apply(connection, FactKind(fact.kind), body, occasion, registry)
    except HeadwaterError as error:
        refused = CommandResult(fact.position, False, error.code, error.message, {})
        save_results(connection, [refused])
        return []
    save_results(connection, [CommandResult(fact.position, True, None, None, result)])
    return names


def _apply(
    connection: psycopg.Connection[Any],
    kind: FactKind,
    body: dict[str, Any],
    occasion: Occasion,
    registry: Registry,
) -> tuple[dict[str, Any], list[str]]:
    match kind:
        case FactKind.DOCUMENTS_APPLY:
            return _apply_documents(connection, body, occasion, registry)
        case FactKind.DOCUMENT_DELETE:
            return _delete(connection, str(body["kind"]), str(body["name"]), occasion)
        case FactKind.PIPELINE_PAUSE:
            return _set_state(connection, str(body["pipeline"]), "paused"), []
        case FactKind.PIPELINE_RESUME:
            return _set_state(connection, str(body["pipeline"]), "active"), [str(body["pipeline"])]
        case (
            FactKind.OPENLINEAGE_RUN
            | FactKind.OPENLINEAGE_DATASET
            | FactKind.OPENLINEAGE_JOB
            | FactKind.VERSION_REPORT
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


def _current(connection: psycopg.Connection[Any], kind: str, name: str) -> tuple[int, str, bool]:
    row = connection.execute(
        "SELECT version, digest, deleted FROM document WHERE kind = %s AND name = %s ORDER BY version DESC LIMIT 1",
        (kind, name),
    ).fetchone()
    return (row[0], row[1], row[2]) if row else (0, "", True)


def _apply_documents(
    connection: psycopg.Connection[Any], body: dict[str, Any], occasion: Occasion, registry: Registry
) -> tuple[dict[str, Any], list[str]]:
    documents = [parse_document(item, source="documents") for item in body["documents"]]
    names = Counter(f"{document.kind}/{document.name}" for document in documents)
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise InvalidDocument(
            f"expected each document once, found {', '.join(sorted(twice)[:10])} more than once"
        )
    expected: dict[str, int] = body.get("expected") or {}
    changes: list[dict[str, Any]] = []
    created: list[RegisteredPipeline] = []
    evaluate: list[str] = []
    for document in documents:
        version, digest, deleted = _current(connection, document.kind, document.name)
        reference = f"{document.kind}/{document.name}"
        if reference in expected and expected[reference] != version:
            raise Conflict(
                f"{reference}: expected version {expected[reference]} to be current, found {version}"
            )
        if digest == document.digest and not deleted:
            changes.append(
                {"kind": document.kind, "name": document.name, "version": version, "change": "unchanged"}
            )
            continue
        _insert_document(connection, document, version + 1, occasion)
        change = "created" if deleted else "updated"
        changes.append(
            {"kind": document.kind, "name": document.name, "version": version + 1, "change": change}
        )
        if document.kind == "Pipeline":
            registered = _register(connection, document, version + 1, occasion)
            evaluate.append(document.name)
            if deleted:
                # What an earlier pipeline of this name left behind is not for this one.
                connection.execute("DELETE FROM input_queue WHERE pipeline = %s", (document.name,))
                created.append(registered)
    refuse_loops(connection, registry, documents)
    for registered in created:
        _queue_backlog(connection, registered)
    return {"documents": changes}, evaluate


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


def refuse_loops(
    connection: psycopg.Connection[Any], registry: Registry, documents: Sequence[Document]
) -> None:
    """Raise `CausalLoop` where the pipelines, with these documents, would trigger each other without end."""
    pipelines: dict[str, Pipeline] = {name: known.document for name, known in registry.pipelines.items()}
    for document in documents:
        if document.kind == "Pipeline":
            pipelines[document.name] = Pipeline.model_validate(document.body)
    edges = [
        PipelineEdges(
            name=name,
            reads=frozenset(leaf.key for leaf in leaves(from_document(document.spec.when))),
            writes=frozenset(reference.key for reference in document.spec.produces),
        )
        for name, document in pipelines.items()
    ]
    loop = find_loop(edges, _representatives(connection, edges))
    if loop is not None:
        raise CausalLoop(f"the pipelines would trigger each other without end: {describe_loop(loop)}")


def _representatives(
    connection: psycopg.Connection[Any], edges: Sequence[PipelineEdges]
) -> dict[DatasetKey, DatasetKey]:
    """Return one key for all keys that name the same dataset, for those that have aliases."""
    keys = {key.id: key for edge in edges for key in edge.reads | edge.writes}
    rows = connection.execute(
        "SELECT c.dataset_id, d.namespace, d.name FROM dataset_class c JOIN dataset d ON d.id = c.class_id"
        " WHERE c.dataset_id = ANY(%s)",
        (list(keys),),
    )
    return {keys[found]: DatasetKey(namespace, name) for found, namespace, name in rows}


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
    version, _, deleted = _current(connection, kind, name)
    if deleted:
        raise NotFound(f"expected the name of a registered {kind}, found {name!r}")
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
        if run.state in (RunState.PENDING, RunState.HELD):
            waiting.move(run, RunState.CANCELLED, occasion, f"the pipeline was deleted by {occasion.actor}")
            run.ended_at = occasion.at
            run.batch_open = False
    waiting.flush(connection)


def _set_state(connection: psycopg.Connection[Any], name: str, state: str) -> dict[str, Any]:
    row = connection.execute(
        "UPDATE pipeline SET state = %s WHERE name = %s AND state <> 'deleted' RETURNING state", (state, name)
    ).fetchone()
    if row is None:
        raise NotFound(f"expected the name of a registered pipeline, found {name!r}")
    return {"pipeline": name, "state": state}
