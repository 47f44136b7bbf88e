"""`POST /api/v1/lineage`, `/api/v1/lineage/batch` and `/api/v1/versions`: 201 means committed."""

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from catalog.errors import HeadwaterError, InvalidInput, InvalidJson, UnsupportedMediaType
from catalog.facts import FactKind, version_report
from catalog.keys import DatasetKey
from catalog.ledger import NewFact
from catalog.openlineage.limits import MAX_NAME_BYTES
from catalog.openlineage.pointer import pointer_to
from catalog.openlineage.receive import (
    Limits,
    ReceivedEvent,
    Redactor,
    decode_body,
    receive_batch,
    receive_event,
)
from catalog.redaction import redact_text
from web.access import Permission, require
from web.access.middleware import is_json
from web.ingest.body import BodyBudget, Held, read_body
from web.ingest.disk import DiskGuard
from web.ingest.group_commit import GroupCommit
from web.ingest.shapes import BATCH, EVENT, BatchResponse, FailedEvent, ReportAccepted, body
from web.metrics import WebMetrics
from web.values import Count, Instant, Text, within_bytes

#: Bodies larger than this are parsed in a thread, so that they hold up no other request.
INLINE_BYTES = 64 * 1024

#: Largest version report; names and keys bound it far below this.
MAX_REPORT_BYTES = 256 * 1024

POSITION_HEADER = "Headwater-Position"


#: A namespace or a name, no longer than one in an event.
NameText = Annotated[
    Text, Field(min_length=1, max_length=MAX_NAME_BYTES), AfterValidator(within_bytes(MAX_NAME_BYTES))
]


class DatasetName(BaseModel):
    """A dataset as OpenLineage names it."""

    model_config = ConfigDict(extra="forbid")

    namespace: NameText
    name: NameText


class VersionReport(BaseModel):
    """The report that a dataset has a new version, from a producer that speaks no OpenLineage."""

    model_config = ConfigDict(extra="forbid")

    dataset: DatasetName
    partition: Annotated[Text, Field(min_length=1, max_length=1024)] | None = None
    time: Instant | None = Field(
        None, description="When the data became so; without a zone UTC; default now."
    )
    rows: Count | None = None
    bytes: Count | None = None
    digest: Annotated[Text, Field(max_length=1024)] | None = Field(None, description="Digest of the content.")
    idempotency_key: Annotated[Text, Field(min_length=1, max_length=1024)] = Field(
        alias="idempotencyKey", description="Reports of one dataset and partition with the same key are one."
    )


def _fact(event: ReceivedEvent, actor: str) -> NewFact:
    kind = {
        "run": FactKind.OPENLINEAGE_RUN,
        "dataset": FactKind.OPENLINEAGE_DATASET,
        "job": FactKind.OPENLINEAGE_JOB,
    }[event.kind]
    return NewFact(
        kind,
        event.digest,
        actor,
        event.body,
        event_time=event.event_time,
        run_id=event.run_id,
        redactions=event.redactions,
    )


class PlainRoute(APIRoute):
    """A route whose endpoint takes the request as it is; documented like any other.

    The framework would look for parameters to resolve and a model to answer with, at each request, and find none.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint itself."""
        return self.endpoint


def ingest_router(
    group_commit: GroupCommit,
    disk: DiskGuard,
    limits: Limits,
    redactor: Redactor,
    budget: BodyBudget,
    metrics: WebMetrics,
) -> APIRouter:
    """Return the routes that take in events and reports."""
    router = APIRouter(tags=["ingest"], route_class=PlainRoute)

    @router.post("/api/v1/lineage", status_code=201, response_class=Response, openapi_extra=body(EVENT))
    async def post_lineage(request: Request) -> Response:
        """Take one OpenLineage event; 201 with an empty body once it is committed."""
        with metrics.timed("lineage"), budget.hold() as held:
            principal = require(request, Permission.PRODUCE)
            disk.check()
            sent = await _decoded(request, limits.max_event_bytes, held)
            if len(sent) > INLINE_BYTES:
                event = await asyncio.to_thread(receive_event, sent, limits, redactor=redactor)
            else:
                event = receive_event(sent, limits, redactor=redactor)
            fact = _fact(event, principal.name)
            (appended,) = await group_commit.append([fact])
            metrics.acknowledged(fact, appended)
            return Response(status_code=201, headers={POSITION_HEADER: str(appended.position)})

    @router.post(
        "/api/v1/lineage/batch",
        response_model=BatchResponse,
        openapi_extra=body(BATCH),
    )
    async def post_batch(request: Request) -> Response:
        """Take an array of OpenLineage events; a wrong one fails alone. Answers the spec's BatchResponse."""
        with metrics.timed("batch"), budget.hold() as held:
            principal = require(request, Permission.PRODUCE)
            disk.check()
            sent = await _decoded(request, limits.max_batch_bytes, held)
            received = await asyncio.to_thread(receive_batch, sent, limits, redactor=redactor)
            facts = [_fact(event, principal.name) for event in received if isinstance(event, ReceivedEvent)]
            appended = await group_commit.append(facts) if facts else []
            for fact, found in zip(facts, appended, strict=True):
                metrics.acknowledged(fact, found)
            failed = _failures(received)
            for failure in failed:
                metrics.refused(failure["code"])
            answer = _batch_answer(len(received), failed)
            headers = {POSITION_HEADER: str(max(found.position for found in appended))} if appended else {}
            return Response(orjson.dumps(answer), media_type="application/json", headers=headers)

    @router.post(
        "/api/v1/versions",
        status_code=201,
        response_model=ReportAccepted,
        openapi_extra=body(VersionReport.model_json_schema(ref_template="#/components/schemas/{model}")),
    )
    async def post_version(request: Request) -> Response:
        """Take the report of a new dataset version; 201 once it is committed."""
        with metrics.timed("versions"), budget.hold() as held:
            principal = require(request, Permission.REPORT)
            disk.check()
            report = _report(await _decoded(request, MAX_REPORT_BYTES, held))
            fact = version_report(
                DatasetKey(redact_text(report.dataset.namespace), redact_text(report.dataset.name)),
                actor=principal.name,
                time=report.time or dt.datetime.now(dt.UTC),
                key=report.idempotency_key,
                partition=_redacted(report.partition),
                rows=report.rows,
                size_bytes=report.bytes,
                content_digest=_redacted(report.digest),
            )
            (appended,) = await group_commit.append([fact])
            metrics.acknowledged(fact, appended)
            answer: ReportAccepted = {"position": appended.position, "duplicate": appended.duplicate}
            return Response(
                orjson.dumps(answer),
                status_code=201,
                media_type="application/json",
                headers={POSITION_HEADER: str(appended.position)},
            )

    return router


def _redacted(text: str | None) -> str | None:
    return None if text is None else redact_text(text)


def _failures(received: Sequence[ReceivedEvent | HeadwaterError]) -> list[FailedEvent]:
    """Return the spec's `failed_events`, each with the code and pointer that it would have alone."""
    failed: list[FailedEvent] = []
    for index, error in enumerate(received):
        if isinstance(error, HeadwaterError):
            failure: FailedEvent = {
                "index": index,
                "reason": error.message,
                "retriable": error.retryable,
                "code": error.code,
            }
            if error.details.get("pointer"):
                failure["pointer"] = error.details["pointer"]
            failed.append(failure)
    return failed


def _batch_answer(count: int, failed: list[FailedEvent]) -> BatchResponse:
    """Return the BatchResponse of OpenLineage's HTTP interface (spec/OpenLineage.yml)."""
    retriable = sum(1 for failure in failed if failure["retriable"])
    return {
        "status": "partial_success" if failed else "success",
        "summary": {
            "received": count,
            "successful": count - len(failed),
            "failed": len(failed),
            "retriable": retriable,
            "non_retriable": len(failed) - retriable,
        },
        "failed_events": failed,
    }


def _report(body: bytes) -> VersionReport:
    """Return the report; raise `InvalidJson` or `InvalidInput` with a pointer to the fault."""
    try:
        report = VersionReport.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise InvalidJson(f"the body is not JSON: {first['msg']}"[:500]) from error
        pointer = pointer_to(first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{message}, at {pointer or 'the body'}"[:500], pointer=pointer) from error
    return report


async def _decoded(request: Request, limit: int, held: Held) -> bytes:
    """Return the body without its compression, at most `limit` bytes before and after."""
    if not is_json(request.headers.get("content-type", "")):
        found = request.headers.get("content-type", "none")[:100]
        raise UnsupportedMediaType(f"expected content of type application/json, found {found}")
    body = await read_body(request, limit, held)
    encoding = request.headers.get("content-encoding")
    if encoding is None:
        return body
    decoded = await asyncio.to_thread(decode_body, body, encoding, limit)
    held.add(len(decoded))
    return decoded
