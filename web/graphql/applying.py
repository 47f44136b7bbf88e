"""Applying documents: what the plan says that it would do, and what its verdict says that it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from catalog.documents.document import ABSENT, Change, Document, canonical, difference, render_difference
from catalog.documents.receiving import receive_document
from catalog.errors import InvalidInput
from hooks.deciding.planning import read_plan
from hooks.deciding.registry import load_registry
from policies.plans import Effect, Plan, twin_refusals
from policies.undeclared import PipelineWarning
from web.graphql.loaders.documents import documents_by_version
from web.graphql.records import DocumentRecord
from web.graphql.request import QueryRequest

MOST_DOCUMENTS = 1000


@dataclass(frozen=True, slots=True)
class DifferenceRecord:
    """One value that differs."""

    pointer: str
    added: bool
    removed: bool
    old: Any
    new: Any

    @classmethod
    def of(cls, change: Change) -> "DifferenceRecord":
        """Return the change with null for what is not there."""
        added, removed = change.old is ABSENT, change.new is ABSENT
        return cls(
            pointer=change.pointer,
            added=added,
            removed=removed,
            old=None if added else change.old,
            new=None if removed else change.new,
        )


@dataclass(frozen=True, slots=True)
class DocumentChangeRecord:
    """What is done to one document."""

    kind: str
    name: str
    version: int
    change: str
    differences: list[DifferenceRecord]
    text: str
    warnings: Sequence[PipelineWarning]
    document: DocumentRecord | None


@dataclass(frozen=True, slots=True)
class ApplyDocumentsRecord:
    """What is done to all of them."""

    dry_run: bool
    position: int | None
    documents: list[DocumentChangeRecord]


def parse_documents(values: Sequence[Any]) -> list[Document]:
    """Return the documents that the values declare; raise `InvalidDocument` that names the first fault."""
    if len(values) > MOST_DOCUMENTS:
        raise InvalidInput(f"expected at most {MOST_DOCUMENTS} documents at once, found {len(values)}")
    documents = [receive_document(value, source=f"documents/{index}") for index, value in enumerate(values)]
    for refusal in twin_refusals(documents).values():
        raise refusal
    return documents


def check_expected(value: Any) -> dict[str, int]:
    """Return the versions that the caller expects to be current, by KIND/NAME; raise `InvalidInput`."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(type(version) is int for version in value.values()):
        example = '{"Pipeline/flights": 3}'
        raise InvalidInput(f"expected versions by KIND/NAME such as {example}", pointer="/expected")
    return value


def planned(
    request: QueryRequest, documents: Sequence[Document], expected: Mapping[str, int]
) -> ApplyDocumentsRecord:
    """Return what applying the documents would do now; raise what it would be refused for."""

    def read(connection: "psycopg.Connection[Any]") -> Plan:
        return read_plan(connection, load_registry(connection), documents, expected)

    plan = request.read(read)
    plan.check()
    changes = [
        _change(found.document, found.version, found.effect, found.warnings, before=found.before, stored=None)
        for found in plan.documents
    ]
    return ApplyDocumentsRecord(dry_run=True, position=None, documents=changes)


def applied(
    request: QueryRequest,
    documents: Sequence[Document],
    position: int,
    told: Sequence[Mapping[str, Any]],
) -> ApplyDocumentsRecord:
    """Return what the command at the position did, as its verdict tells."""
    wanted = [
        (change["kind"], change["name"], change["version"] - back) for change in told for back in (0, 1)
    ]
    stored = documents_by_version(request, wanted)
    changes = []
    for document, change in zip(documents, told, strict=True):
        kind, name, version = change["kind"], change["name"], int(change["version"])
        before = stored.get((kind, name, version - 1))
        changes.append(
            _change(
                document,
                version,
                Effect(change["change"]),
                [PipelineWarning(**warning) for warning in change["warnings"]],
                before=None if before is None else canonical(before.body),
                stored=stored.get((kind, name, version)),
            )
        )
    return ApplyDocumentsRecord(dry_run=False, position=position, documents=changes)


def _change(
    document: Document,
    version: int,
    effect: Effect,
    warnings: Sequence[PipelineWarning],
    *,
    before: Document | None,
    stored: DocumentRecord | None,
) -> DocumentChangeRecord:
    differences = difference(before, document) if effect is Effect.UPDATED else []
    return DocumentChangeRecord(
        kind=document.kind,
        name=document.name,
        version=version,
        change=effect.value,
        differences=[DifferenceRecord.of(found) for found in differences],
        text=render_difference(differences),
        warnings=warnings,
        document=stored,
    )
