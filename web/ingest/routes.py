"""`POST /api/v1/lineage`, `/api/v1/lineage/batch` and `/api/v1/versions`: 201 means committed."""

import asyncio
import datetime as dt
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from catalog.errors import HeadwaterError, InvalidInput, UnsupportedMediaType
from catalog.facts import FactKind, version_report
from catalog.keys import DatasetKey
from catalog.ledger import NewFact
from catalog.openlineage.receive import (
    Limits,
    ReceivedEvent,
    Redactor,
    decode_body,
    receive_batch,
    receive_event,
)
from web.access import Permission, require
from web.ingest.body import read_body
from web.ingest.disk import DiskGuard
from web.ingest.group_commit import GroupCommit

#: Bodies larger than this are parsed in a thread, so that they hold up no other request.
INLINE_BYTES = 64 * 1024

POSITION_HEADER = "Headwater-Position"


class DatasetName(BaseModel):
    """A dataset as OpenLineage names it."""

    model_config = ConfigDict(extra="forbid")

    namespace: str = Field(min_length=1, max_length=8192)
    name: str = Field(min_length=1, max_length=8192)


class VersionReport(BaseModel):
    """The report that a dataset has a new version, from a producer that speaks no OpenLineage."""

    model_config = ConfigDict(extra="forbid")

    dataset: DatasetName
    partition: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    time: dt.datetime | None = Field(None, description="When the data became so; without a zone UTC; default now.")
    rows: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    bytes: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    digest: Annotated[str, Field(max_length=1024)] | None = Field(None, description="Digest of the content.")
    idempotency_key: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        alias="idempotencyKey", description="Reports of one dataset and partition with the same key are one."
    )


def _no_nul(value: Any) -> None:
    if b"\\u0000" in orjson.dumps(value):
        raise InvalidInput("expected text without NUL characters")


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


def ingest_router(group_commit: GroupCommit, disk: DiskGuard, limits: Limits, redactor: Redactor) -> APIRouter:
    """Return the routes that take in events and reports."""
    router = APIRouter(tags=["ingest"])

    @router.post("/api/v1/lineage", status_code=201, response_class=Response)
    async def post_lineage(request: Request) -> Response:
        """Take one OpenLineage event; 201 with an empty body once it is committed."""
        principal = require(request, Permission.PRODUCE)
        disk.check()
        body = await _decoded(request, limits.max_event_bytes)
        if len(body) > INLINE_BYTES:
            event = await asyncio.to_thread(receive_event, body, limits, redactor=redactor)
        else:
            event = receive_event(body, limits, redactor=redactor)
        (appended,) = await group_commit.append([_fact(event, principal.name)])
        return Response(status_code=201, headers={POSITION_HEADER: str(appended.position)})

    @router.post("/api/v1/lineage/batch", response_class=Response)
    async def post_batch(request: Request) -> Response:
        """Take an array of OpenLineage events; a wrong one fails alone. Answers the spec's BatchResponse."""
        principal = require(request, Permission.PRODUCE)
        disk.check()
        body = await _decoded(request, limits.max_batch_bytes)
        received = await asyncio.to_thread(receive_batch, body, limits, redactor=redactor)
        facts = [_fact(event, principal.name) for event in received if isinstance(event, ReceivedEvent)]
        appended = await group_commit.append(facts) if facts else []
        failed = [
            {"index": index, "reason": error.message, "retriable": error.retryable, "code": error.code}
            | ({"pointer": error.details["pointer"]} if error.details.get("pointer") else {})
            for index, error in enumerate(received)
            if isinstance(error, HeadwaterError)
        ]
        answer = {
            "status": "partial_success" if failed else "success",
            "summary": {
                "received": len(received),
                "successful": len(facts),
                "failed": len(failed),
                "retriable": sum(1 for failure in failed if failure["retriable"]),
                "non_retriable": sum(1 for failure in failed if not failure["retriable"]),
            },
            "failed_events": failed,
        }
        headers = {POSITION_HEADER: str(max(found.position for found in appended))} if appended else {}
        return Response(orjson.dumps(answer), media_type="application/json", headers=headers)

    @router.post("/api/v1/versions", status_code=201)
    async def post_version(request: Request, report: VersionReport) -> Response:
        """Take the report of a new dataset version; 201 once it is committed."""
        principal = require(request, Permission.REPORT)
        disk.check()
        _no_nul(report.model_dump(mode="json"))
        time = report.time or dt.datetime.now(dt.UTC)
        fact = version_report(
            DatasetKey(report.dataset.namespace, report.dataset.name),
            actor=principal.name,
            time=time if time.tzinfo is not None else time.replace(tzinfo=dt.UTC),
            key=report.idempotency_key,
            partition=report.partition,
            rows=report.rows,
            size_bytes=report.bytes,
            content_digest=report.digest,
        )
        (appended,) = await group_commit.append([fact])
        answer = {"position": appended.position, "duplicate": appended.duplicate}
        return Response(
            orjson.dumps(answer),
            status_code=201,
            media_type="application/json",
            headers={POSITION_HEADER: str(appended.position)},
        )

    return router


async def _decoded(request: Request, limit: int) -> bytes:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise UnsupportedMediaType(f"expected content of type application/json, found {content_type or 'none'}")
    body = await read_body(request, limit)
    encoding = request.headers.get("content-encoding")
    if encoding is None:
        return body
    return await asyncio.to_thread(decode_body, body, encoding, limit)
