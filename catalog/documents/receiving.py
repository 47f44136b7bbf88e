"""Documents as somebody sends them: what is kept for ever in the ledger is refused before it is written there."""

from typing import Any

from catalog.documents.credentials import credentials_of
from catalog.documents.document import Document
from catalog.documents.faults import Fault, PlaceOf, invalid_document, nowhere
from catalog.documents.kinds import model_of, parse_document


def receive_document(value: Any, source: str = "", place_of: PlaceOf = nowhere) -> Document:
    """Return the document that a value of JSON declares.

    Raises `InvalidDocument` that names its faults, and one for each credential that it holds in place of a secret's
    name. What looks like one and may be something else is let in; the plan warns of it.
    """
    document = parse_document(value, source, place_of)
    faults = [
        Fault(found.path, found.message) for found in credentials_of(model_of(document)) if found.certain
    ]
    if faults:
        raise invalid_document(faults, source, place_of)
    return document
