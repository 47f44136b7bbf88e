"""The websockets of one process: how many there may be, and what they are answered."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.websockets import WebSocket

from catalog.errors import ServerBusy
from web.changes import Changes
from web.graphql.execution import GraphQLService, Question
from web.graphql.readers import Authorise
from web.graphql.socket import GraphQLSocket
from web.graphql.streaming import Subscriptions, is_subscription
from web.problems import problem

#: Websockets that may be open at once.
MOST_SOCKETS = 200


class GraphQLSockets:
    """Serves websockets; used on the event loop."""

    def __init__(self, service: GraphQLService, subscriptions: Subscriptions, changes: Changes) -> None:
        self._service = service
        self._subscriptions = subscriptions
        self._changes = changes
        self._open = 0

    async def serve(self, websocket: WebSocket) -> None:
        """Follow what the websocket subscribes to, as long as it is open."""
        if self._open >= MOST_SOCKETS:
            await websocket.send_denial_response(problem(ServerBusy()))
            return
        self._open += 1
        try:
            await GraphQLSocket(websocket, self._answers, self._changes.cursors).serve()
        finally:
            self._open -= 1

    async def _answers(self, question: Question, authorise: Authorise) -> AsyncGenerator[bytes, None]:
        """Yield the answer to a question, or one after another to a subscription."""
        read, operation = await self._service.prepare(question)
        if not is_subscription(operation):
            yield (await self._service.answer(question, authorise)).body
            return
        async with aclosing(self._subscriptions.follow(read, question, authorise)) as bodies:
            async for body in bodies:
                yield body
