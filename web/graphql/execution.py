"""A request from its text to its answer: read, bounded, carried out in a worker thread, written down.

Resolvers are plain functions that read whole cohorts, so one thread carries out one request from its beginning to its
end; nothing of it runs on the event loop. Queries and mutations have threads of their own: a mutation mostly waits for
its verdict.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeGuard

import orjson
from graphql import ExecutionResult, IntValueNode, OperationDefinitionNode, OperationType, VariableNode
from graphql.execution import execute

from catalog.errors import HeadwaterError, InvalidQuery, QueryTooExpensive
from catalog.ledger import NewFact
from catalog.settings import Settings
from web.access import Permission, Principal
from web.commands import CommandGateway
from web.following import StateWaiter
from web.graphql.cohort import Record
from web.graphql.documents import DocumentMemory, ReadDocument, RefusedError
from web.graphql.errors import told, told_alone
from web.graphql.executor import PlainFieldsExecutor, StoppedError
from web.graphql.limits import QueryCost, QueryLimits
from web.graphql.pages import LAST_LONG
from web.graphql.readers import Readers
from web.graphql.request import QueryRequest
from web.graphql.schema import GRAPHQL_SCHEMA

#: Threads that carry out mutations, which hold no connection while they wait.
COMMAND_THREADS = 16
#: The cost of longer texts is counted in a thread, so that it holds up no other request.
INLINE_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Question:
    """What a client sends."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None = None
    #: Ledger position that the answer must know everything up to.
    min_position: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: the response's JSON, its status, and the least ledger position that it was computed at."""

    body: bytes
    status: int
    position: int | None = None

    @classmethod
    def refused(cls, error: HeadwaterError) -> "Answer":
        """Return the answer to a question that was not carried out."""
        return cls(orjson.dumps({"errors": [told_alone(error)]}, default=str), error.status)

    @classmethod
    def invalid(cls, error: RefusedError) -> "Answer":
        """Return the answer to a text that is no query of the schema."""
        return cls(orjson.dumps({"errors": told(error.errors)}, default=str), 400)


class GraphQLService:
    """Answers GraphQL for one process; used on its event loop."""

    def __init__(
        self,
        *,
        readers: Readers,
        settings: Settings,
        waiter: StateWaiter,
        commands: CommandGateway,
    ) -> None:
        self._readers = readers
        self._settings = settings
        self._waiter = waiter
        self._commands = commands
        self._limits = QueryLimits(settings.query_max_depth, settings.query_max_complexity)
        self._documents = DocumentMemory()
        self._mutations = ThreadPoolExecutor(COMMAND_THREADS, thread_name_prefix="graphql-command")

    def close(self) -> None:
        """End the threads of mutations; those of queries end with the readers."""
        self._mutations.shutdown(wait=False, cancel_futures=True)

    async def answer(self, question: Question, authorise: Callable[[Permission], Principal]) -> Answer:
        """Return the answer, errors in it."""
        try:
            with self._readers.admitted():
                return await self._answer(question, authorise)
        except RefusedError as error:
            return Answer.invalid(error)
        except HeadwaterError as error:
            return Answer.refused(error)

    async def prepare(self, question: Question) -> tuple[ReadDocument, OperationDefinitionNode]:
        """Return the document and the operation that is asked for, once it is known to cost no more than it may.

        Raises `RefusedError` or `QueryTooExpensive`.
        """
        loop = asyncio.get_running_loop()
        read = self._documents.known(question.query)
        if read is None:
            read = await loop.run_in_executor(self._readers.threads, self._documents.read, question.query)
        operation = read.operation(question.operation_name)
        if len(question.query) <= INLINE_CHARACTERS:
            self._check_cost(read, operation, question.variables)
        else:
            await loop.run_in_executor(
                self._readers.threads, self._check_cost, read, operation, question.variables
            )
        return read, operation

    async def _answer(self, question: Question, authorise: Callable[[Permission], Principal]) -> Answer:
        loop = asyncio.get_running_loop()
        read, operation = await self.prepare(question)
        if operation.operation is OperationType.SUBSCRIPTION:
            raise InvalidQuery(
                "a subscription is followed over a websocket: graphql-transport-ws at this URL"
            )
        position = max(question.min_position, _min_position(read, question.variables))
        if position:
            seconds = self._settings.query_timeout_seconds
            await self._waiter.reached(position, seconds=seconds, graph=read.asks_graph)
        mutates = operation.operation is OperationType.MUTATION

        def submit(fact: NewFact) -> "Future[tuple[int, dict[str, Any]]]":
            return asyncio.run_coroutine_threadsafe(self._commands.submit(fact), loop)

        return await self._readers.carry_out(
            functools.partial(_carry_out, read, question),
            authorise,
            submit=submit,
            threads=self._mutations if mutates else None,
        )

    def _check_cost(
        self, read: ReadDocument, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> None:
        try:
            QueryCost(GRAPHQL_SCHEMA, read.document).check(operation, variables, self._limits)
        except RecursionError as error:
            raise QueryTooExpensive("expected a query that nests less deeply") from error


def _min_position(read: ReadDocument, variables: Mapping[str, Any]) -> int:
    """Return the greatest position that a field of the document asks to wait for, 0 where none does.

    A number beyond 64 bits is not waited for: the argument is refused as soon as its value is read.
    """
    greatest = 0
    for value in read.positions:
        if isinstance(value, IntValueNode):
            greatest = max(greatest, int(value.value))  # validated with the document
        elif isinstance(value, VariableNode):
            given = variables.get(value.name.value)
            greatest = max(greatest, given if type(given) is int and given <= LAST_LONG else 0)
    return greatest


def _carry_out(read: ReadDocument, question: Question, request: QueryRequest) -> Answer:
    """Return the answer to a valid question; runs in a worker thread."""
    with contextlib.closing(request):
        try:
            result = run(read, question, request)
        except StoppedError as stopped:
            error = stopped.error
            if not isinstance(error, HeadwaterError):
                raise
            refusal = {"data": None, "errors": [told_alone(error)]}
            return Answer(orjson.dumps(refusal, default=str), error.status)
        body: dict[str, Any] = {}
        if result.errors:
            body["errors"] = told(result.errors)
        body["data"] = result.data
        position = min(request.positions, default=None)
        if position is not None:
            body["extensions"] = {"position": position}
        # An operation that could not begin (a variable of a wrong type) has no data at all.
        refused = result.data is None and all(error.path is None for error in result.errors or ())
        if refused:
            del body["data"]
        return Answer(orjson.dumps(body, default=str), 400 if refused else 200, position)


def run(
    read: ReadDocument, question: Question, request: QueryRequest, *, root: Record | None = None
) -> ExecutionResult:
    """Carry out the operation, of a subscription for what happened (`root`).

    Raises `StoppedError` where the answer as a whole cannot be given.
    """
    result = execute(
        GRAPHQL_SCHEMA,
        read.document,
        root_value=root,
        context_value=request,
        variable_values=dict(question.variables),
        operation_name=question.operation_name,
        executor_class=PlainFieldsExecutor,
        # Every resolver is a plain function.
        is_awaitable=_never,
        is_async_iterable=_never,
    )
    if not isinstance(result, ExecutionResult):
        raise TypeError(f"expected a result, found {type(result).__name__}")
    return result


def _never(_value: Any) -> TypeGuard[Any]:
    return False
