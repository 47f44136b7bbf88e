"""What is sent to the routes that take something in, and what they answer, as `/openapi.json` describes it."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

#: An OpenLineage event is described by its own specification; what every one must have stands here.
EVENT: dict[str, Any] = {
    "type": "object",
    "title": "OpenLineageEvent",
    "description": "A RunEvent, DatasetEvent or JobEvent as OpenLineage 2-0-2 defines them; unknown members are kept.",
    "externalDocs": {"url": "https://openlineage.io/spec/2-0-2/OpenLineage.json"},
    "properties": {
        "eventTime": {"type": "string", "format": "date-time"},
        "eventType": {"type": "string", "enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "producer": {"type": "string"},
        "schemaURL": {"type": "string"},
        "run": {"type": "object", "properties": {"runId": {"type": "string"}}, "required": ["runId"]},
        "job": {"$ref": "#/components/schemas/Name"},
        "dataset": {"$ref": "#/components/schemas/Name"},
        "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/Name"}},
        "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/Name"}},
    },
    "required": ["eventTime"],
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
