"""What commands answer: the position at which they were judged, and what they changed."""

from strawberry.scalars import JSON

from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain
from web.graphql.types.enums import DocumentChangeKind
from web.graphql.types.pipeline import PipelineWarning
from web.graphql.types.references import DocumentType, PipelineRunType, PipelineType
from web.graphql.types.status import PauseOfAll


@object_type
class PipelineRunCommand:
    """A command about a pipeline run that was carried out."""

    position: Long = plain("Its ledger position.")
    pipeline_run: PipelineRunType = plain("The run after it.")


@object_type
class PipelineCommand:
    """A command about a pipeline that was carried out."""

    position: Long = plain("Its ledger position.")
    pipeline: PipelineType = plain("The pipeline after it.")


@object_type
class PauseCommand:
    """A command about all pipelines at once that was carried out."""

    position: Long = plain("Its ledger position.")
    pause: PauseOfAll | None = plain("The pause after it; null where nothing is paused with all others.")


@object_type
class SkipParked:
    """A parked record that was left out."""

    position: Long = plain("Ledger position of the command.")
    follower: str = plain("The follower that had parked it.")
    parked_position: Long = plain("Its place in the follower's log.")


@object_type
class DocumentDifference:
    """One value that differs between two versions of a document."""

    pointer: str = plain("Where it stands, as a JSON pointer.")
    added: bool = plain("Whether there was nothing before.")
    removed: bool = plain("Whether there is nothing now.")
    old: JSON | None = plain("The value before.")
    new: JSON | None = plain("The value now.")


@object_type
class DocumentChange:
    """What applying does, or would do, to one document."""

    kind: str = plain("What the document declares, such as Pipeline.")
    name: str = plain("Its name.")
    version: int = plain("The version that is current afterwards.")
    change: DocumentChangeKind = plain("What is done.")
    differences: list[DocumentDifference] = plain(
        "What differs from the version before; empty for a new document."
    )
    text: str = plain("The differences for people, one a line: + new, - gone, ~ another.")
    warnings: list[PipelineWarning] = plain("What is allowed and probably not meant.")
    document: DocumentType | None = plain("The document afterwards; null on a dry run.")


@object_type
class ApplyDocuments:
    """What applying documents did, or would do."""

    dry_run: bool = plain("Whether nothing was stored.")
    position: Long | None = plain("Ledger position of the command; null on a dry run.")
    documents: list[DocumentChange] = plain("The documents in the order in which they were given.")


@object_type
class DeleteDocument:
    """A document that was deleted."""

    position: Long = plain("Ledger position of the command.")
    document: DocumentType = plain("The version that says so.")
