"""Applying documents: what it would do, computed from the snapshot, and what it did, read afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.documents.credentials import credential_warnings
from catalog.documents.document import ABSENT, Change, Document, canonical, difference, render_difference
from catalog.documents.kinds import parse_document
from catalog.errors import Conflict, InvalidDocument, InvalidInput
from hooks.deciding.registering import refuse_loops
from hooks.deciding.registry import load_registry
from web.graphql.cohort import in_cohort
from web.graphql.loaders.documents import PIPELINE, current_documents, documents_by_version
from web.graphql.loaders.warnings import pipeline_warnings
from web.graphql.records import DocumentRecord, PipelineRecord, WarningRecord
from web.graphql.request import QueryRequest

MOST_DOCUMENTS = 1000
#: Code of the warning about a value that looks like a credential.
CREDENTIAL_WRITTEN_OUT = "credential-written-out"
CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"


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
    warnings: list[WarningRecord]
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
    documents = [parse_document(value, source=f"documents/{index}") for index, value in enumerate(values)]
    seen: dict[tuple[str, str], int] = {}
    for index, document in enumerate(documents):
        first = seen.setdefault((document.kind, document.name), index)
        if first != index:
            message = f"expected one {document.title}, found documents/{first} and documents/{index}"
            raise InvalidDocument(message, pointer=f"/documents/{index}/metadata/name")
    return documents


def check_expected(value: Any) -> dict[str, int]:
    """Return the versions that the caller expects to be current, by KIND/NAME; raise `InvalidInput`."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(type(version) is int for version in value.values()):
        example = '{"Pipeline/flights": 3}'
        raise InvalidInput(f"expected versions by KIND/NAME such as {example}", pointer="/expected")
    return value


def plan(
    request: QueryRequest, documents: Sequence[Document], expected: Mapping[str, int]
) -> ApplyDocumentsRecord:
    """Return what applying the documents would do now; raise what it would be refused for.

    Raises `Conflict` where another version is current than expected, `CausalLoop` where pipelines would trigger each
    other without end.
    """
    current = current_documents(request, [(document.kind, document.name) for document in documents])
    connection = request.snapshot.connection
    changes: list[DocumentChangeRecord] = []
    warnings = _warnings(request, documents)
    for document in documents:
        stored = current.get((document.kind, document.name))
        version = 0 if stored is None else stored.version
        reference = f"{document.kind}/{document.name}"
        if expected.get(reference, version) != version:
            raise Conflict(
                f"{reference}: expected version {expected[reference]} to be current, found {version}"
            )
        before = None if stored is None or stored.deleted else canonical(stored.body)
        unchanged = before is not None and before.digest == document.digest
        changes.append(
            _change(
                before,
                document,
                version=version if unchanged else version + 1,
                change=UNCHANGED if unchanged else CREATED if before is None else UPDATED,
                warnings=warnings.get(document.name, []) if document.kind == PIPELINE else [],
                stored=None,
            )
        )
    refuse_loops(connection, load_registry(connection), documents)
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
    warnings = _warnings(request, documents)
    changes = []
    for document, change in zip(documents, told, strict=True):
        key = (change["kind"], change["name"], change["version"])
        before = stored.get((*key[:2], key[2] - 1)) if change["change"] == UPDATED else None
        changes.append(
            _change(
                None if before is None else canonical(before.body),
                document,
                version=change["version"],
                change=change["change"],
                warnings=warnings.get(document.name, []) if document.kind == PIPELINE else [],
                stored=stored.get(key),
            )
        )
    return ApplyDocumentsRecord(dry_run=False, position=position, documents=changes)


def _change(
    before: Document | None,
    after: Document,
    *,
    version: int,
    change: str,
    warnings: list[WarningRecord],
    stored: DocumentRecord | None,
) -> DocumentChangeRecord:
    differences = difference(before, after) if change == UPDATED else []
    return DocumentChangeRecord(
        kind=after.kind,
        name=after.name,
        version=version,
        change=change,
        differences=[DifferenceRecord.of(found) for found in differences],
        text=render_difference(differences),
        warnings=warnings,
        document=stored,
    )


def _warnings(request: QueryRequest, documents: Sequence[Document]) -> Mapping[str, list[WarningRecord]]:
    """Return the warnings about each pipeline as its new document has it: what it writes out, what its runs do."""
    members = [
        PipelineRecord(document.name, 0, "active", 0, 1, document.body)
        for document in documents
        if document.kind == PIPELINE
    ]
    in_cohort(request, members)
    if not members:
        return {}
    seen = pipeline_warnings(request, members)
    return {
        member.name: [
            *(
                WarningRecord(CREDENTIAL_WRITTEN_OUT, f"{found.pointer}: {found.message}")
                for found in credential_warnings(member.document)
            ),
            *seen[member.name],
        ]
        for member in members
    }
