"""The kinds of documents that are known, and how a value becomes a document of one of them."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from catalog.documents.document import Document, canonical, normal
from catalog.documents.faults import (
    Fault,
    PlaceOf,
    found_value,
    from_validation,
    invalid_document,
    nowhere,
)
from catalog.documents.pipeline import Pipeline
from catalog.documents.raw import check_plain
from catalog.documents.version_scope import VersionScope
from catalog.documents.webhook import Webhook
from catalog.errors import InvalidDocument

AnyDocument = Pipeline | VersionScope | Webhook
AnyModel = type[Pipeline] | type[VersionScope] | type[Webhook]

#: Model of each kind, by `apiVersion` and `kind`.
KINDS: Mapping[tuple[str, str], AnyModel] = MappingProxyType(
    {
        ("headwater/v1", "Pipeline"): Pipeline,
        ("headwater/v1", "VersionScope"): VersionScope,
        ("headwater/v1", "Webhook"): Webhook,
    }
)


def parse_document(value: Any, source: str = "", place_of: PlaceOf = nowhere) -> Document:
    """Return the document that a value of JSON declares; raise `InvalidDocument` that names its faults."""
    fault = check_plain(value)
    if fault is not None:
        raise invalid_document([fault], source, place_of)
    model = _model(value, source, place_of)
    try:
        parsed = model.model_validate(normal(value))
    except ValidationError as error:
        raise invalid_document(from_validation(error.errors()), source, place_of) from error
    return document_of(parsed, source)


def document_of(parsed: AnyDocument, source: str = "") -> Document:
    """Return the document in its canonical form: what equals a default is left out."""
    body = parsed.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return canonical(body, source)


def model_of(document: Document) -> AnyDocument:
    """Return the document as the model of its kind, with defaults filled in."""
    return _model(document.body, document.source, nowhere).model_validate(dict(document.body))


def _model(value: Any, source: str, place_of: PlaceOf) -> AnyModel:
    if not isinstance(value, Mapping):
        fault = Fault((), f"expected a mapping with apiVersion and kind, found {found_value(value)}")
        raise invalid_document([fault], source, place_of)
    missing = [
        Fault((), f"expected a field {name!r}, found none")
        for name in ("apiVersion", "kind")
        if name not in value
    ]
    if missing:
        raise invalid_document(missing, source, place_of)
    version, kind = value["apiVersion"], value["kind"]
    model = KINDS.get((version, kind)) if isinstance(version, str) and isinstance(kind, str) else None
    if model is None:
        raise _unknown_kind(value, source, place_of)
    return model


def _unknown_kind(value: Mapping[str, Any], source: str, place_of: PlaceOf) -> InvalidDocument:
    version, kind = value["apiVersion"], value["kind"]
    known = " or ".join(f"{known_version} {known_kind}" for known_version, known_kind in KINDS)
    by_lower = {f"{pair[0]} {pair[1]}".lower(): f"{pair[0]} {pair[1]}" for pair in KINDS}
    near = difflib.get_close_matches(f"{version!s:.100} {kind!s:.100}".lower(), by_lower, n=1, cutoff=0.8)
    hint = f", did you mean {by_lower[near[0]]}?" if near else ""
    reason = f"expected a known kind ({known}), found {version!s:.100} {kind!s:.100}{hint}"
    return invalid_document([Fault(("kind",), reason)], source, place_of)
