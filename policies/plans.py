"""What applying documents does, as a value that is computed before anything is stored.

A dry run shows the plan and the command carries it out, so neither can say what the other does not do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from catalog.documents.credentials import credentials_of
from catalog.documents.document import Document
from catalog.documents.faults import pointer
from catalog.documents.kinds import AnyDocument, model_of
from catalog.documents.pipeline import Pipeline
from catalog.errors import CausalLoop, Conflict, HeadwaterError, InvalidDocument
from catalog.keys import DatasetKey
from policies.loops import PipelineEdges, describe_loop, find_loop
from policies.undeclared import PipelineWarning, SeenUses, undeclared_uses

#: Code of the warning about a value that looks like a credential.
CREDENTIAL_WRITTEN_OUT = "credential-written-out"


class Effect(StrEnum):
    """What applying does to one document."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """The newest stored version of a document; `document` is None where that version says that it was deleted."""

    version: int = 0
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that a plan depends on beside the documents."""

    #: By kind and name.
    stored: Mapping[tuple[str, str], StoredDocument]
    #: The registered pipelines by name.
    pipelines: dict[str, PipelineEdges]
    #: What the jobs of each pipeline among the documents are seen to do, by its name.
    seen: Mapping[str, SeenUses]
    #: The one name that stands for all names of a dataset, for datasets that have several.
    aliases: Mapping[DatasetKey, DatasetKey]


@dataclass(frozen=True, slots=True)
class DocumentPlan:
    """What applying does to one document, and why it may not."""

    document: Document
    #: What it waits for and writes, for a pipeline.
    edges: PipelineEdges | None
    #: The version that is current afterwards.
    version: int
    effect: Effect
    #: The version that another one takes the place of; None where the document is new or unchanged.
    before: Document | None
    warnings: tuple[PipelineWarning, ...]
    refusal: HeadwaterError | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying does to all of the documents, in their order."""

    documents: tuple[DocumentPlan, ...]
    #: Why they cannot be together, although each of them could be.
    loop: CausalLoop | None

    @property
    def refusal(self) -> HeadwaterError | None:
        """The first reason for which none of the documents may be applied; None where all may."""
        return next((found.refusal for found in self.documents if found.refusal is not None), self.loop)

    def check(self) -> None:
        """Raise the reason for which nothing may be applied, if there is one.

        That is `InvalidDocument` where a document is there twice, `Conflict` where another version is current than
        expected, `CausalLoop` where pipelines would trigger each other without end.
        """
        if self.refusal is not None:
            raise self.refusal


def plan_documents(
    documents: Sequence[Document], expected: Mapping[str, int], circumstances: Circumstances
) -> Plan:
    """Return what applying the documents does; `expected` gives current versions by KIND/NAME, 0 for none."""
    twins = twin_refusals(documents)
    planned = tuple(
        _plan_document(document, twins.get(index), expected, circumstances)
        for index, document in enumerate(documents)
    )
    return Plan(planned, _loop(planned, circumstances))


def twin_refusals(documents: Sequence[Document]) -> dict[int, InvalidDocument]:
    """Return a refusal for each document, by its index, whose kind and name an earlier one has."""
    seen: dict[tuple[str, str], int] = {}
    refusals = {}
    for index, document in enumerate(documents):
        first = seen.setdefault((document.kind, document.name), index)
        if first != index:
            message = f"expected one {document.title}, found documents/{first} and documents/{index}"
            refusals[index] = InvalidDocument(message, pointer=f"/documents/{index}/metadata/name")
    return refusals


def _plan_document(
    document: Document,
    twin: InvalidDocument | None,
    expected: Mapping[str, int],
    circumstances: Circumstances,
) -> DocumentPlan:
    stored = circumstances.stored.get((document.kind, document.name), StoredDocument())
    unchanged = stored.document is not None and stored.document.digest == document.digest
    edges: PipelineEdges | None = None
    model = model_of(document)
    warnings = _credential_warnings(model)
    if isinstance(model, Pipeline):
        edges = PipelineEdges.of(document.name, model)
        seen = circumstances.seen.get(edges.name, SeenUses())
        warnings += undeclared_uses(edges, seen, circumstances.aliases)
    return DocumentPlan(
        document=document,
        edges=edges,
        version=stored.version if unchanged else stored.version + 1,
        effect=_effect(stored, unchanged=unchanged),
        before=None if unchanged else stored.document,
        warnings=tuple(warnings),
        refusal=twin or _conflict(document, stored, expected),
    )


def _effect(stored: StoredDocument, *, unchanged: bool) -> Effect:
    if unchanged:
        return Effect.UNCHANGED
    return Effect.CREATED if stored.document is None else Effect.UPDATED


def _conflict(document: Document, stored: StoredDocument, expected: Mapping[str, int]) -> Conflict | None:
    reference = f"{document.kind}/{document.name}"
    wanted = expected.get(reference, stored.version)
    if wanted == stored.version:
        return None
    return Conflict(f"{reference}: expected version {wanted} to be current, found {stored.version}")


def _credential_warnings(document: AnyDocument) -> list[PipelineWarning]:
    # Also of those that are certain: an older release let them in.
    return [
        PipelineWarning(CREDENTIAL_WRITTEN_OUT, f"{pointer(found.path)}: {found.message}")
        for found in credentials_of(document)
    ]


def _loop(planned: Sequence[DocumentPlan], circumstances: Circumstances) -> CausalLoop | None:
    changed = {found.edges.name: found.edges for found in planned if found.edges is not None}
    loop = find_loop((circumstances.pipelines | changed).values(), circumstances.aliases)
    if loop is None:
        return None
    return CausalLoop(f"the pipelines would trigger each other without end: {describe_loop(loop)}")
