"""Threads in which questions are answered, and the bounds that all questions share, GraphQL's and those of routes."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Engine

from catalog.errors import Forbidden, PositionNotReached, QueryTimedOut, ServerBusy
from catalog.ledger import NewFact
from catalog.settings import Settings
from graph.port import GraphReader
from web.access import Permission, Principal
from web.graphql.request import MAY_BE_STORED, QueryRequest

#: Threads that carry out queries.
QUERY_THREADS = 3
#: Snapshots that may be open at once; each may need a second connection for the graph, and ingest needs some too.
MOST_SNAPSHOTS = 4
#: Requests that may be under way or wait for a thread; others are told to come again.
MOST_REQUESTS = 200
#: How much longer than the time allowed an answer is waited for: the database ends a statement in time where it can.
GRACE_SECONDS = 2.0

Found = TypeVar("Found")
Authorise = Callable[[Permission], Principal]
Submit = Callable[[NewFact], "Future[tuple[int, dict[str, Any]]]"]


def _reads_only(_fact: NewFact) -> "Future[tuple[int, dict[str, Any]]]":
    raise Forbidden("expected a question that changes nothing")


class Readers:
    """Carries out work on a `QueryRequest` in a thread; one for each process, used on its event loop."""

    def __init__(self, engine: Engine, graph: GraphReader, settings: Settings) -> None:
        self._engine = engine
        self._graph = graph
        self._settings = settings
        self.threads = ThreadPoolExecutor(QUERY_THREADS, thread_name_prefix="query")
        self._snapshots = threading.BoundedSemaphore(MOST_SNAPSHOTS)
        self._under_way: set[QueryRequest] = set()
        self._count = 0

    def close(self) -> None:
        """End the threads; questions that are under way are told that their time is over."""
        for request in list(self._under_way):
            request.stop()
        self.threads.shutdown(wait=False, cancel_futures=True)

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a request as under way; raise `ServerBusy` where too many are."""
        if self._count >= MOST_REQUESTS:
            raise ServerBusy
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def read(self, work: Callable[[QueryRequest], Found], authorise: Authorise) -> Found:
        """Return what the work finds in one snapshot; it changes nothing. Raises what it raises, or `ServerBusy`."""

        def closing(request: QueryRequest) -> Found:
            with contextlib.closing(request):
                return work(request)

        with self.admitted():
            return await self.carry_out(closing, authorise)

    async def carry_out(
        self,
        work: Callable[[QueryRequest], Found],
        authorise: Authorise,
        *,
        submit: Submit = _reads_only,
        threads: ThreadPoolExecutor | None = None,
    ) -> Found:
        """Return what the work makes of a new request, which it closes; in these threads unless others are given.

        A database that is frozen tells nobody that the time is over. So no answer is waited for much longer than
        that: `QueryTimedOut` is raised, or `PositionNotReached` where it may have changed something (in other threads).
        """
        request = QueryRequest(
            engine=self._engine,
            graph=self._graph,
            runs_dir=self._settings.runs_dir,
            seconds=self._settings.query_timeout_seconds,
            authorise=authorise,
            submit=submit,
            snapshots=self._snapshots,
        )
        self._under_way.add(request)
        try:
            answer = asyncio.get_running_loop().run_in_executor(threads or self.threads, work, request)
            return await asyncio.wait_for(answer, self._settings.query_timeout_seconds + GRACE_SECONDS)
        except TimeoutError:
            request.seconds = 0.0
            if threads is not None:
                raise PositionNotReached(MAY_BE_STORED) from None
            raise QueryTimedOut("the database does not answer, or answers too much else just now") from None
        finally:
            self._under_way.discard(request)
