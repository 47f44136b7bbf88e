"""Reads what a plan depends on, and plans: for the command that is carried out and for the dry run of it alike."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
import psycopg

from catalog.documents.document import Document, canonical
from catalog.documents.pipeline import Pipeline
from catalog.keys import HEADWATER_NAMESPACE, DatasetKey, JobKey
from catalog.openlineage.shape import Shape
from hooks.deciding.registry import QUERIES, Registry
from policies.loops import PipelineEdges
from policies.plans import Circumstances, Plan, StoredDocument, plan_documents
from policies.undeclared import PipelineWarning, SeenUses, undeclared_uses


def read_plan(
    connection: psycopg.Connection[Any],
    registry: Registry,
    documents: Sequence[Document],
    expected: Mapping[str, int],
) -> Plan:
    """Return what applying the documents does, as the database stands."""
    stored = read_stored(connection, [(document.kind, document.name) for document in documents])
    registered = {name: PipelineEdges.of(name, known.document) for name, known in registry.pipelines.items()}
    declared = {
        document.name: Pipeline.model_validate(document.body)
        for document in documents
        if document.kind == "Pipeline"
    }
    seen = read_seen_uses(connection, declared)
    edges = [*registered.values(), *(PipelineEdges.of(name, found) for name, found in declared.items())]
    aliases = _read_aliases(connection, _keys(edges, seen.values()))
    return plan_documents(documents, expected, Circumstances(stored, registered, seen, aliases))


def read_undeclared(
    connection: psycopg.Connection[Any], pipelines: Mapping[str, Pipeline]
) -> dict[str, list[PipelineWarning]]:
    """Return for each pipeline what its jobs read and write now that stands in no `when` and no `produces`."""
    seen = read_seen_uses(connection, pipelines)
    edges = [PipelineEdges.of(name, document) for name, document in pipelines.items()]
    aliases = _read_aliases(connection, _keys(edges, seen.values()))
    return {found.name: undeclared_uses(found, seen[found.name], aliases) for found in edges}


def read_stored(
    connection: psycopg.Connection[Any], names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], StoredDocument]:
    """Return the newest version of each document that is stored among (kind, name)."""
    rows = connection.execute(
        QUERIES["newest_documents"],
        {"kinds": [kind for kind, _ in names], "names": [name for _, name in names]},
    )
    return {
        # The digest says what was declared then, in the canonical form of then.
        (kind, name): StoredDocument(version, None if deleted else replace(canonical(body), digest=digest))
        for kind, name, version, digest, body, deleted in rows
    }


def read_seen_uses(
    connection: psycopg.Connection[Any], pipelines: Mapping[str, Pipeline]
) -> dict[str, SeenUses]:
    """Return what the jobs of each pipeline read and write now.

    Its jobs are the one that its document names, the one of its own runs, and all that run within these.
    """
    asked: list[tuple[str, uuid.UUID]] = []
    for name, document in pipelines.items():
        asked.append((name, JobKey(HEADWATER_NAMESPACE, name).id))
        if document.spec.job is not None:
            asked.append((name, document.spec.job.key.id))
    shapes: defaultdict[str, list[Shape]] = defaultdict(list)
    if asked:
        parameters = {"names": [name for name, _ in asked], "jobs": [job for _, job in asked]}
        for name, body in connection.execute(QUERIES["shapes_below"], parameters):
            shapes[name].append(Shape.from_json(orjson.loads(body)))
    return {
        name: SeenUses(
            frozenset(key for shape in shapes[name] for key in shape.inputs),
            frozenset(key for shape in shapes[name] for key in shape.outputs),
        )
        for name in pipelines
    }


def _keys(edges: Iterable[PipelineEdges], seen: Iterable[SeenUses]) -> set[DatasetKey]:
    uses: list[PipelineEdges | SeenUses] = [*edges, *seen]
    return {key for found in uses for key in found.reads | found.writes}


def _read_aliases(
    connection: psycopg.Connection[Any], keys: Iterable[DatasetKey]
) -> dict[DatasetKey, DatasetKey]:
    """Return one key for all keys that name the same dataset, for those that have aliases."""
    by_id = {key.id: key for key in keys}
    rows = connection.execute(QUERIES["representatives"], {"ids": list(by_id)})
    return {by_id[found]: DatasetKey(namespace, name) for found, namespace, name in rows}
