"""One question over HTTP: permission, the position to wait for, one snapshot, the answer as JSON."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import Path, Query, Request
from pydantic import JsonValue
from starlette.responses import Response

from catalog.errors import InvalidInput
from catalog.keys import MOST_COLONS, MOST_COLONS_OF_FIELD
from catalog.settings import Settings
from hooks.removed import READ_REMOVED, Removed
from web.access import Permission, Principal, require
from web.following import StateWaiter
from web.graphql.readers import Readers
from web.graphql.request import QueryRequest
from web.graphql.router import POSITION_HEADER, min_position
from web.values import NO_NUL

#: Of an answer that is made from the bodies of events: those received before this instant may be missing from it.
REMOVED_HEADER = "Headwater-Events-Removed-Before"
#: Most rows that one answer may be asked for.
MOST_ROWS = 10_000

#: What is not said of a text otherwise: `Asking` refuses one with NUL characters.
WITHOUT_NUL: dict[str, JsonValue] = {"pattern": NO_NUL}
#: The text of a node id: of a dataset or a job, and of a column too.
NODE_ID = rf"(dataset|job):[^\u0000:]*(:[^\u0000:]*){{1,{MOST_COLONS}}}"
NODE_OR_FIELD_ID = rf"({NODE_ID}|datasetField:[^\u0000:]*(:[^\u0000:]*){{2,{MOST_COLONS_OF_FIELD}}})"

Limit = Annotated[int, Query(ge=0, le=MOST_ROWS, description="How many to return at most.")]
Offset = Annotated[int, Query(ge=0, lt=2**31, description="How many to pass over.")]
NamespaceName = Annotated[
    str,
    Path(description="A namespace as producers write it, percent-encoded.", json_schema_extra=WITHOUT_NUL),
]
DatasetName = Annotated[
    str,
    Path(
        description="A dataset's name as producers write it, percent-encoded.", json_schema_extra=WITHOUT_NUL
    ),
]
JobName = Annotated[
    str,
    Path(description="A job's name as producers write it, percent-encoded.", json_schema_extra=WITHOUT_NUL),
]


class Asking:
    """Carries out questions of routes, as GraphQL's are carried out."""

    def __init__(self, readers: Readers, waiter: StateWaiter, settings: Settings) -> None:
        self._readers = readers
        self._waiter = waiter
        self._seconds = settings.query_timeout_seconds

    async def answer(
        self,
        request: Request,
        read: Callable[[QueryRequest], Any],
        *,
        graph: bool = False,
        events: bool = False,
    ) -> Response:
        """Return what is read, as JSON with the ledger position that it was read at.

        What is read from the bodies of events (`events`) comes with the instant before which those may be missing.
        The header `Headwater-Min-Position` makes it wait for a position, of the graph too where `graph` says so.
        """

        def authorise(permission: Permission) -> Principal:
            return require(request, permission)

        def told(question: QueryRequest) -> tuple[bytes, dict[str, str]]:
            body = json_text(read(question))
            headers = {POSITION_HEADER: str(min([question.snapshot.position, *question.positions]))}
            if events and (removed := question.rows(READ_REMOVED)):
                headers[REMOVED_HEADER] = Removed(*removed[0]).received_before.isoformat()
            return body, headers

        authorise(Permission.READ)
        _check_names(request)
        if position := min_position(request):
            await self._waiter.reached(position, seconds=self._seconds, graph=graph)
        body, headers = await self._readers.read(told, authorise)
        return Response(body, media_type="application/json", headers=headers)


def _check_names(request: Request) -> None:
    """Raise `InvalidInput` for a character that no stored name has, and that the database refuses."""
    for name, value in (*request.path_params.items(), *request.query_params.multi_items()):
        if isinstance(value, str) and "\0" in value:
            raise InvalidInput("expected text without NUL characters", pointer=f"/{name}")


def json_text(value: Any) -> bytes:
    """Return the value as JSON: instants in UTC with Z, integers of any length."""
    try:
        return orjson.dumps(value, option=orjson.OPT_UTC_Z)
    except TypeError:
        # Facets of producers may hold integers beyond 64 bits, and nest deeper than orjson goes.
        plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
        return plain.encode()


def _plain(value: Any) -> Any:
    return json.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z))
