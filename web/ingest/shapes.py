"""What is sent to the routes that take something in, and what they answer, as `/openapi.json` describes it."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from catalog.openlineage.limits import MAX_NAME_BYTES
from web.values import NO_NUL


def _text(most: int = MAX_NAME_BYTES) -> dict[str, Any]:
    """Return the description of a text that is not empty; what counts is its UTF-8, in bytes."""
    return {"type": "string", "minLength": 1, "maxLength": most, "pattern": NO_NUL}


_NAMED: dict[str, Any] = {
    "type": "object",
    "properties": {"namespace": _text(), "name": _text()},
    "required": ["namespace", "name"],
}
_DATASETS: dict[str, Any] = {"type": ["array", "null"], "items": _NAMED}
_OF_EVERY_EVENT: dict[str, Any] = {
    "eventTime": {"type": "string", "format": "date-time"},
    "producer": {"description": "URI of what sends it; taken as it is."},
    "schemaURL": {"description": "URI of what it conforms to; taken as it is."},
}
_EVENT_TYPES: dict[str, Any] = {
    "type": ["string", "null"],
    "enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER", None],
}


def _event(title: str, required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "title": title,
        "properties": _OF_EVERY_EVENT | properties,
        "required": ["eventTime", *required],
    }


#: An OpenLineage event is described by its own specification; what every one must have stands here.
EVENT: dict[str, Any] = {
    "title": "OpenLineageEvent",
    "description": "A RunEvent, DatasetEvent or JobEvent as OpenLineage 2-0-2 defines them; unknown members are kept."
    " Names have at most 8,192 bytes, and no text has NUL characters.",
    "externalDocs": {"url": "https://openlineage.io/spec/2-0-2/OpenLineage.json"},
    "anyOf": [
        _event(
            "RunEvent",
            ["run", "job"],
            eventType=_EVENT_TYPES,
            run={"type": "object", "properties": {"runId": _text()}, "required": ["runId"]},
            job=_NAMED,
            inputs=_DATASETS,
            outputs=_DATASETS,
        ),
        _event("JobEvent", ["job"], run={"type": "null"}, job=_NAMED, inputs=_DATASETS, outputs=_DATASETS),
        _event("DatasetEvent", ["dataset"], job={"type": "null"}, dataset=_NAMED),
    ],
}
#: Each element is judged alone, so an array may hold anything.
BATCH: dict[str, Any] = {
    "type": "array",
    "items": {"anyOf": [EVENT, {"description": "Anything else fails alone."}]},
}


def body(schema: dict[str, Any]) -> dict[str, Any]:
    """Return how the body of a request is described."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


class BatchSummary(TypedDict):
    """How many events there were, and what became of them."""

    received: int
    successful: int
    failed: int
    retriable: int
    non_retriable: int


class FailedEvent(TypedDict):
    """An event that was refused, by its place in the batch; `code` and `pointer` are as it would have them alone."""

    index: int
    reason: str
    retriable: bool
    code: str
    pointer: NotRequired[str]


class BatchResponse(TypedDict):
    """What became of a batch; `successful` means committed (OpenLineage `spec/OpenLineage.yml`)."""

    status: Literal["success", "partial_success"]
    summary: BatchSummary
    failed_events: list[FailedEvent]


class ReportAccepted(TypedDict):
    """Where a version report stands in the ledger, and whether it stood there before."""

    position: int
    duplicate: bool
