"""Documents and their versions."""

import datetime as dt

from strawberry.scalars import JSON

from web.graphql.connections import Connection
from web.graphql.loaders.documents import document_key, history_pages
from web.graphql.pages import NESTED_FIRST, Page
from web.graphql.records import DocumentRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.references import DocumentType


def _history(
    root: DocumentRecord, first: int = NESTED_FIRST, after: str | None = None
) -> Page[DocumentRecord]:
    """All versions of the document, newest first."""
    return root.cohort.ask(history_pages, first, after)[document_key(root)]


@object_type
class Document:
    """One version of a declared thing."""

    kind: str = plain("What it declares, such as Pipeline.")
    name: str = plain("Its name, unique among documents of the kind.")
    version: int = plain("Counted from 1; every version is kept.")
    body: JSON = plain("Its canonical form: what equals a default is left out.")
    deleted: bool = plain("Whether this version says that the document was deleted.")
    position: Long = plain("Ledger position of the command that made this version.")
    at: dt.datetime = plain("When that was received.")
    actor: str = plain("Who sent it.")
    history = resolved(_history, Connection[DocumentType])
