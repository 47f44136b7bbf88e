"""Errors on the wire: RFC 9457 problem documents with a stable `code`."""

from typing import Any

import orjson
import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from catalog.errors import HeadwaterError, InvalidInput

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 1
#: Beginning of every `type`.
PROBLEMS = "https://headwater.example/problems/"
#: Methods that routes may have.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def problem_members(error: HeadwaterError) -> dict[str, Any]:
    """Return the members of the problem document for the error; values are JSON."""
    return {
        "type": f"{PROBLEMS}{error.code}",
        "title": (type(error).__doc__ or "").strip().split("\n", 1)[0],
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "retryable": error.retryable,
        **{name: value for name, value in error.details.items() if value not in (None, "")},
    }


def problem(error: HeadwaterError) -> Response:
    """Return the response for the error."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status == 503 else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="headwater"'
    return Response(
        orjson.dumps(problem_members(error), default=str),
        status_code=error.status,
        media_type="application/problem+json",
        headers=headers,
    )


def plain_problem(status: int, code: str, detail: str) -> Response:
    """Return a problem that no error class stands for, such as an unknown route."""
    body = {
        "type": f"{PROBLEMS}{code}",
        "title": detail,
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": False,
    }
    return Response(orjson.dumps(body), status_code=status, media_type="application/problem+json")


async def on_headwater_error(_request: Request, error: Exception) -> Response:
    """Answer with the problem document of one of our own errors."""
    if not isinstance(error, HeadwaterError):
        raise error
    return problem(error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer with a problem document where the framework refuses."""
    if not isinstance(error, HTTPException):
        raise error
    code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http")
    response = plain_problem(error.status_code, code, str(error.detail))
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    """Return the methods of every route at the path (RFC 9110, 10.2.1); the framework names those of the first."""
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


async def on_validation_error(_request: Request, error: Exception) -> Response:
    """Answer a body that does not fit its model with pointers to the faults."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    pointer = "/" + "/".join(str(part) for part in first["loc"][1:])
    return problem(InvalidInput(f"{first['msg']} at {pointer}", pointer=pointer))


async def on_unexpected_error(request: Request, error: Exception) -> Response:
    """Log what nobody expected, and answer without its text."""
    log.error("web.unexpected_error", path=request.url.path, exc_info=error)
    return problem(HeadwaterError())
