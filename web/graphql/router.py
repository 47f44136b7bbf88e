"""`/graphql`: questions and commands as JSON by POST, and a page to write them on by GET."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NotRequired

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from typing_extensions import TypedDict

from catalog.errors import HeadwaterError, InvalidInput, InvalidJson, UnsupportedMediaType
from web.access import Permission, Principal, require
from web.access.middleware import is_json
from web.bootstrap import WebServices
from web.graphql.execution import Answer, GraphQLService, Question
from web.graphql.page import PAGE, page_file
from web.graphql.sockets import GraphQLSockets
from web.graphql.streaming import Subscriptions
from web.ingest.body import read_body
from web.ingest.routes import PlainRoute
from web.ingest.shapes import body
from web.problems import RETRY_AFTER_SECONDS

PATH = "/graphql"
#: Largest body of a question, in bytes; documents to apply come in it.
MAX_BODY_BYTES = 16 * 1024 * 1024
#: Larger bodies are parsed in a thread, so that they hold up no other request.
INLINE_BYTES = 64 * 1024

POSITION_HEADER = "Headwater-Position"
MIN_POSITION_HEADER = "Headwater-Min-Position"


class GraphQLAnswer(TypedDict):
    """The answer of GraphQL; each error has a stable `code` in its `extensions`."""

    data: NotRequired[dict[str, Any] | None]
    errors: NotRequired[list[dict[str, Any]]]
    extensions: NotRequired[dict[str, Any]]


_BODY = {
    "type": "object",
    "properties": {
        "query": {
            "type": "string",
            "pattern": r"\S",
            "description": "A document of the schema in docs/schema.graphql.",
        },
        "variables": {"type": ["object", "null"]},
        "operationName": {"type": ["string", "null"]},
    },
    "required": ["query"],
}


def graphql_router(services: WebServices) -> APIRouter:
    """Return the routes; threads of their own end with the application."""
    service = GraphQLService(
        readers=services.readers,
        settings=services.settings,
        waiter=services.waiter,
        commands=services.commands,
    )

    subscriptions = Subscriptions(service, services.readers, services.changes)
    sockets = GraphQLSockets(service, subscriptions, services.changes)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        try:
            yield
        finally:
            service.close()

    async def post_question(request: Request) -> Response:
        """Answer a question or a command; what goes wrong stands in the answer's `errors`."""
        require(request, Permission.READ)

        def authorise(permission: Permission) -> Principal:
            return require(request, permission)

        try:
            question = await _question(request)
        except HeadwaterError as error:
            return _response(Answer.refused(error))
        return _response(await service.answer(question, authorise))

    async def get_page(request: Request) -> Response:
        """Give the page, on which people write questions."""
        require(request, Permission.READ)
        return page_file(PAGE)

    async def get_page_file(request: Request) -> Response:
        """Give what the page loads."""
        return page_file(request.path_params["name"])

    # A plain route: the framework's own reading of parameters would cost more than a small answer.
    router = APIRouter(lifespan=lifespan, route_class=PlainRoute, tags=["graphql"])
    router.add_api_route(
        PATH,
        post_question,
        methods=["POST"],
        response_model=GraphQLAnswer,
        # A question that is refused has the same form as one whose answer lacks something.
        responses={"default": {"model": GraphQLAnswer}},
        openapi_extra=body(_BODY),
    )
    router.add_api_route(PATH, get_page, methods=["GET"], response_class=HTMLResponse)
    router.add_websocket_route(PATH, sockets.serve)
    router.add_route(f"{PATH}/{{name}}", get_page_file, methods=["GET"], include_in_schema=False)
    return router


async def _question(request: Request) -> Question:
    content_type = request.headers.get("content-type", "")
    if not is_json(content_type):
        raise UnsupportedMediaType(
            f"expected content of type application/json, found {content_type or 'none'}"
        )
    position = min_position(request)
    body = await read_body(request, MAX_BODY_BYTES)
    if len(body) <= INLINE_BYTES:
        return _read_question(body, position)
    return await asyncio.to_thread(_read_question, body, position)


def _read_question(body: bytes, position: int) -> Question:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"the body is not JSON: {error}"[:500]) from error
    if not isinstance(value, dict):
        raise InvalidInput("expected an object with `query`: lists of questions are not taken")
    query, variables, name = value.get("query"), value.get("variables"), value.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise InvalidInput("expected `query` to be a text", pointer="/query")
    if variables is not None and not isinstance(variables, dict):
        raise InvalidInput("expected `variables` to be an object", pointer="/variables")
    if name is not None and not isinstance(name, str):
        raise InvalidInput("expected `operationName` to be a text", pointer="/operationName")
    # The six characters may also stand for a backslash before the letter u, so they are only a hint.
    if b"\\u0000" in body and _holds_nul(variables):
        raise InvalidInput("expected text without NUL characters", pointer="/variables")
    return Question(query, variables or {}, name, position)


def _holds_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
        case list():
            return any(_holds_nul(item) for item in value)
        case _:
            return False


def min_position(request: Request) -> int:
    """Return the position that the request's header asks to wait for, 0 where it has none; raise `InvalidInput`."""
    text = request.headers.get(MIN_POSITION_HEADER)
    if text is None:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput(
            f"expected the header {MIN_POSITION_HEADER} to be a ledger position, found {text!r:.100}"
        )
    return int(text)


def _response(answer: Answer) -> Response:
    headers = {}
    if answer.position is not None:
        headers[POSITION_HEADER] = str(answer.position)
    if answer.status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return Response(answer.body, status_code=answer.status, media_type="application/json", headers=headers)
