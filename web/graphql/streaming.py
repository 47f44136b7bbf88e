"""A subscription from its text to its answers: read and bounded as any question, then answered for all that happens.

What happened comes in batches. Each is carried out in a thread on one snapshot, so that a burst costs few statements.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import orjson
from graphql import ExecutionResult, OperationDefinitionNode
from graphql.execution import create_source_event_stream
from graphql.execution.execute import Executor

from catalog.errors import DatabaseUnavailable, HeadwaterError, QueryTimedOut, ServerBusy
from web.changes import Changes
from web.graphql.cohort import Record, in_cohort
from web.graphql.documents import ReadDocument, RefusedError
from web.graphql.errors import told
from web.graphql.execution import GraphQLService, Question, run
from web.graphql.executor import StoppedError
from web.graphql.readers import Authorise, Readers
from web.graphql.request import QueryRequest
from web.graphql.schema import GRAPHQL_SCHEMA
from web.graphql.subscribing import SubscribeRequest

#: Answers that wait to be sent, in bytes; one more may be there.
ENOUGH_BYTES = 256 * 1024
#: How long a batch waits for a database that is away, or a server that is busy, in seconds.
AGAIN_SECONDS = 0.5


class Subscriptions:
    """Answers subscriptions for one process; used on its event loop."""

    def __init__(self, service: GraphQLService, readers: Readers, changes: Changes) -> None:
        self._service = service
        self._readers = readers
        self._changes = changes

    async def follow(
        self, read: ReadDocument, question: Question, authorise: Authorise
    ) -> AsyncGenerator[bytes, None]:
        """Yield the JSON of an answer for everything that happens, until it is closed.

        Raises `RefusedError` for what is no subscription of the schema, and what its resolver raises.
        """
        context = SubscribeRequest(self._changes, self._readers, authorise)
        async with contextlib.aclosing(await _source(read, question, context)) as source:
            async for batch in source:
                while batch:
                    bodies = await self._told(read, question, batch, authorise)
                    for body in bodies:
                        yield body
                    batch = batch[len(bodies) :]  # noqa: PLW2901 - what is left of it

    async def _told(
        self, read: ReadDocument, question: Question, batch: Sequence[Record], authorise: Authorise
    ) -> list[bytes]:
        """Return the answers for the first of a batch; nothing of it is lost while the database is away."""
        while True:
            try:
                return await self._readers.read(functools.partial(_tell, read, question, batch), authorise)
            except (DatabaseUnavailable, ServerBusy):
                await asyncio.sleep(AGAIN_SECONDS)
            except QueryTimedOut:
                if len(batch) == 1:
                    raise
                batch = batch[: len(batch) // 2]


async def _source(
    read: ReadDocument, question: Question, context: SubscribeRequest
) -> AsyncGenerator[Sequence[Record], None]:
    executor = Executor.build(
        GRAPHQL_SCHEMA,
        read.document,
        context_value=context,
        raw_variable_values=dict(question.variables),
        operation_name=question.operation_name,
    )
    if isinstance(executor, list):
        raise RefusedError(executor)
    source: Any = create_source_event_stream(executor)
    if asyncio.iscoroutine(source):
        source = await source
    if isinstance(source, ExecutionResult):
        raise RefusedError(source.errors or [])
    found: AsyncGenerator[Sequence[Record], None] = source
    return found


def _tell(
    read: ReadDocument, question: Question, batch: Sequence[Record], request: QueryRequest
) -> list[bytes]:
    """Return an answer for each record, until there is enough to be sent; runs in a worker thread."""
    in_cohort(request, batch)
    bodies: list[bytes] = []
    size = 0
    for record in batch:
        bodies.append(_body(read, question, record, request))
        size += len(bodies[-1])
        if size > ENOUGH_BYTES:
            break
    return bodies


def _body(read: ReadDocument, question: Question, record: Record, request: QueryRequest) -> bytes:
    try:
        result = run(read, question, request, root=record)
    except StoppedError as stopped:
        if isinstance(stopped.error, HeadwaterError):
            raise stopped.error from stopped
        raise
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = told(result.errors)
    return orjson.dumps(body, default=str)


def is_subscription(operation: OperationDefinitionNode) -> bool:
    """Return whether the operation is followed and not answered once."""
    return operation.operation.value == "subscription"
