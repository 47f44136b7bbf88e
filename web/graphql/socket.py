"""`graphql-transport-ws`: the protocol's messages on one websocket, within bounds.

Who connects from beyond this machine shows a token in the header Authorization or, because a page cannot send it, in
the payload of `connection_init`. Nobody has a queue: what is told waits for its reader, and a reader who takes nothing
for a while is let go with a code that says why; it goes on where it stopped with `after`.
"""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, cast

import orjson
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)

from catalog.errors import Forbidden, HeadwaterError, Unauthenticated
from web.access import Permission, Principal, require
from web.graphql.documents import RefusedError
from web.graphql.errors import told, told_alone
from web.graphql.execution import Question

log = structlog.get_logger(__name__)

PROTOCOL = "graphql-transport-ws"
#: Operations that may go on at once on one websocket.
MOST_OPERATIONS = 20
#: Seconds within which `connection_init` must come.
INIT_SECONDS = 5.0
#: Seconds between two pings; a token that is valid no more is noticed then.
HEARTBEAT_SECONDS = 15.0
#: Seconds within which a reader must make room for a message.
SEND_SECONDS = 10.0
#: Seconds for which somebody who takes nothing is waited for to be told that this is the end.
FAREWELL_SECONDS = 5.0
MOST_ID_CHARACTERS = 256

#: Of the protocol: a message that is none, a client that may not.
INVALID_MESSAGE = 4400
FORBIDDEN = 4403
SUBPROTOCOL = 4406
#: Ours: the reader took nothing for too long.
SLOW_READER = 4008
#: The standard's: come again later.
TRY_AGAIN_LATER = 1013

#: Gives the JSON of answers: one of a question, one after another of a subscription.
Answering = Callable[[Question, Callable[[Permission], Principal]], AsyncGenerator[bytes, None]]
#: Says where each field that can be followed is now.
Cursors = Callable[[], Awaitable[dict[str, int]]]
#: Ends the connection, with a code and a reason.
Ending = Callable[[int, str], None]
Authenticate = Callable[[Mapping[bytes, bytes]], Awaitable[Principal | None]]


class _Connection:
    """Who is at the other end."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._headers = dict(websocket.scope["headers"])
        #: Set by the handler as the protocol wants it.
        self.connection_params: dict[str, object] = {}

    async def identify(self) -> None:
        """Find out who it is, by the token shown; raise unless that one may read."""
        headers = dict(self._headers)
        token = self._token()
        if token is not None:
            headers[b"authorization"] = token.encode("latin-1", "replace")
        authenticate: Authenticate = self._websocket.scope["state"]["authenticate"]
        self._websocket.scope["state"]["principal"] = await authenticate(headers)
        self.authorise(Permission.READ)

    def authorise(self, permission: Permission) -> Principal:
        """Return the principal if it holds the permission; raise `Unauthenticated` or `Forbidden`."""
        return require(self._websocket, permission)

    def _token(self) -> str | None:
        params = {name.lower(): value for name, value in self.connection_params.items()}
        token = params.get("authorization")
        return token if isinstance(token, str) else None


class _Admission:
    """Lets those in who may read."""

    def __init__(self, cursors: Cursors, end: Ending) -> None:
        self._cursors = cursors
        self._end = end

    async def on_ws_connect(self, context: _Connection) -> dict[str, object]:
        """Return where the logs are now, so that a break before anything was told loses nothing.

        Raises `ConnectionRejectionError`.
        """
        try:
            await context.identify()
        except (Unauthenticated, Forbidden) as error:
            raise ConnectionRejectionError from error
        except HeadwaterError as error:
            # Nobody can say who it is: that is no refusal.
            self._end(TRY_AGAIN_LATER, error.code)
            await asyncio.Event().wait()
        try:
            return {"cursors": await self._cursors()}
        except HeadwaterError:
            # Who subscribes now waits for the database anyway.
            return {}


class _Messages(AsyncWebSocketAdapter):
    """Messages of one websocket."""

    def __init__(self, websocket: WebSocket, end: Ending) -> None:
        super().__init__(cast("Any", None))
        self._websocket = websocket
        self._end = end

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """Yield what comes, until the end; what is no message of the protocol is the end."""
        del ignore_parsing_errors
        while self._websocket.application_state is not WebSocketState.DISCONNECTED:
            try:
                received = await self._websocket.receive()
                self._websocket._raise_on_disconnect(received)  # noqa: SLF001 - starlette's own form for texts alone
            except WebSocketDisconnect:
                return
            message = _message(received.get("text"))
            if message is None:
                await self.close(INVALID_MESSAGE, f"expected a message of {PROTOCOL}")
                return
            yield message

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send a message; raise `WebSocketDisconnected` where nobody takes it, which is the connection's end."""
        text = orjson.dumps(message, default=str).decode()
        try:
            # Not `wait_for`, which may swallow that it was cancelled.
            async with asyncio.timeout(SEND_SECONDS):
                await self._websocket.send_text(text)
        except TimeoutError as error:
            self._end(SLOW_READER, "slow-reader: nothing was read for too long; go on with `after`")
            raise WebSocketDisconnected from error
        except (WebSocketDisconnect, RuntimeError) as error:
            # Starlette says so of a websocket that is closed.
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        """Close the websocket, unless it is closed."""
        # Whoever is gone needs no farewell.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close(code, reason)


class _Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """Carries out what the messages ask for."""

    answering: Answering

    async def run_operation(self, operation: "Operation[Any, None]") -> None:
        """Send the answers to the operation, then that it is complete; or an error in their place."""
        question = Question(operation.query, operation.variables or {}, operation.operation_name)
        try:
            async with contextlib.aclosing(self.answering(question, self.context.authorise)) as bodies:
                async for body in bodies:
                    await operation.send_operation_message(
                        {"id": operation.id, "type": "next", "payload": cast("Any", orjson.Fragment(body))}
                    )
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except WebSocketDisconnected:
            self.operations.pop(operation.id, None)
        except RefusedError as refused:
            await self._fail(operation, told(refused.errors))
        except HeadwaterError as error:
            await self._fail(operation, [told_alone(error)])
        except Exception:
            log.exception("graphql.subscription_failed")
            await self._fail(operation, [told_alone(HeadwaterError("something went wrong in Headwater"))])

    async def _fail(self, operation: "Operation[Any, None]", errors: list[dict[str, Any]]) -> None:
        with contextlib.suppress(WebSocketDisconnected):
            await operation.send_operation_message(
                {"id": operation.id, "type": "error", "payload": cast("Any", errors)}
            )


class GraphQLSocket:
    """One websocket from its acceptance to its end."""

    def __init__(self, websocket: WebSocket, answering: Answering, cursors: Cursors) -> None:
        self._websocket = websocket
        self._answering = answering
        self._cursors = cursors
        self._over = asyncio.Event()
        self._farewell: tuple[int, str] | None = None

    async def serve(self) -> None:
        """Return when the websocket is closed, by either end."""
        if PROTOCOL not in self._websocket.scope["subprotocols"]:
            await self._websocket.accept()
            await self._websocket.close(SUBPROTOCOL, f"expected the subprotocol {PROTOCOL}")
            return
        await self._websocket.accept(subprotocol=PROTOCOL)
        connection = _Connection(self._websocket)
        messages = _Messages(self._websocket, self._end)
        handler = _Handler(
            view=cast("Any", _Admission(self._cursors, self._end)),
            websocket=messages,
            context=connection,
            root_value=None,
            schema=cast("Any", None),
            connection_init_wait_timeout=dt.timedelta(seconds=INIT_SECONDS),
            max_subscriptions_per_connection=MOST_OPERATIONS,
        )
        handler.answering = self._answering
        tasks = [
            asyncio.create_task(handler.handle(), name="graphql websocket"),
            asyncio.create_task(self._beat(handler, connection), name="graphql heartbeat"),
            asyncio.create_task(self._over.wait(), name="graphql websocket's end"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._farewell is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FAREWELL_SECONDS):
                        await messages.close(*self._farewell)
        finally:
            for task in tasks:
                task.cancel()
            for found in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(found, Exception):
                    log.error("graphql.websocket_failed", exc_info=found)

    def _end(self, code: int, reason: str) -> None:
        if self._farewell is None:
            self._farewell = (code, reason)
        self._over.set()

    async def _beat(self, handler: _Handler, connection: _Connection) -> None:
        """Ping now and then, and see that whoever is there still may be."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if not handler.connection_acknowledged:
                continue
            try:
                await connection.identify()
            except (Unauthenticated, Forbidden) as error:
                self._end(FORBIDDEN, f"{error.code}: the token is not valid any more")
            except HeadwaterError:
                # Nobody can say just now; whatever is told needs the database too.
                continue
            with contextlib.suppress(WebSocketDisconnected):
                await handler.send_message({"type": "ping"})


def _message(text: object) -> dict[str, Any] | None:
    """Return the message, None where the text is none."""
    if not isinstance(text, str):
        return None
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return None
    if message["type"] in {"subscribe", "complete"}:
        id_ = message.get("id")
        if not isinstance(id_, str) or not 0 < len(id_) <= MOST_ID_CHARACTERS:
            return None
    if message["type"] == "subscribe" and not _is_question(message.get("payload")):
        return None
    return message


def _is_question(payload: object) -> bool:
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables") or {}, dict)
        and isinstance(payload.get("operationName") or "", str)
    )
