"""GraphQL as a client asks it: over HTTP, on a running application, with followers that keep up."""

import asyncio
import datetime as dt
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from catalog.follower import Follower
from catalog.ledger import NewFact
from graph.following import GraphLog
from tests.support.spine import T0, append, connect, fact_of_event, follow, parked, run_event, state_follower
from tests.support.web import Web, running_web


@dataclass(frozen=True)
class Asking:
    """A running application and its database."""

    web: Web
    database_url: str

    async def response(
        self, query: str, variables: dict[str, Any] | None = None, **options: Any
    ) -> httpx.Response:
        """Return the response to a question; options are those of the HTTP client."""
        body = {"query": query, "variables": variables or {}}
        return await self.web.client.post("/graphql", json=body, **options)

    async def data(self, query: str, variables: dict[str, Any] | None = None, **options: Any) -> Any:
        """Return the data of an answer without errors."""
        response = await self.response(query, variables, **options)
        answer = response.json()
        assert "errors" not in answer, answer["errors"]
        assert response.status_code == 200
        return answer["data"]

    async def command(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        """Return the data of a command given with the local token."""
        return await self.data(query, variables, headers=self.web.local)

    async def errors(
        self, query: str, variables: dict[str, Any] | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        """Return the errors of an answer, which has some."""
        answer = (await self.response(query, variables, **options)).json()
        assert answer.get("errors"), answer
        found: list[dict[str, Any]] = answer["errors"]
        return found

    async def code(self, query: str, variables: dict[str, Any] | None = None, **options: Any) -> str:
        """Return the code of the one error of an answer."""
        (error,) = await self.errors(query, variables, **options)
        return str(error["extensions"]["code"])


@asynccontextmanager
async def asking(database_url: str, data_dir: Path, **settings: Any) -> AsyncIterator[Asking]:
    """Yield the application on the database."""
    async with running_web(database_url, data_dir, **settings) as web:
        yield Asking(web, database_url)


def asked(
    database_url: str, data_dir: Path, story: Callable[[Asking], Coroutine[Any, Any, None]], **settings: Any
) -> None:
    """Tell the story to an application on the database."""

    async def told() -> None:
        async with asking(database_url, data_dir, **settings) as found:
            await story(found)

    asyncio.run(told())


def heard(database_url: str, facts: Iterable[NewFact]) -> None:
    """Append the facts and let both followers take them; none of them may be parked."""
    with connect(database_url) as connection:
        append(connection, facts)
        follow_all(connection)
        assert parked(connection) == []


def follow_all(connection: Any) -> None:
    """Step both followers until nothing is left."""
    follow(connection)
    graph = Follower(GraphLog(), batch=1000, holder="test")
    while graph.step(connection).taken:
        pass


@contextmanager
def keeping_up(database_url: str) -> Iterator[None]:
    """Let both followers follow in the background, as a worker does."""
    stop = threading.Event()

    def work() -> None:
        with connect(database_url) as connection:
            state, graph = state_follower(), Follower(GraphLog(), batch=1000, holder="test")
            while not stop.is_set():
                if not state.step(connection).taken + graph.step(connection).taken:
                    stop.wait(0.005)

    thread = threading.Thread(target=work, name="followers")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def completed(
    job: str,
    *,
    inputs: Iterable[str] = (),
    outputs: Iterable[str] = (),
    at: dt.datetime = T0,
    run: uuid.UUID | None = None,
    **options: Any,
) -> list[NewFact]:
    """Return the facts of a run that started at the instant and completed a second later."""
    run = run or uuid.uuid4()
    names = {"inputs": list(inputs), "outputs": list(outputs), "job": job, **options}
    later = at + dt.timedelta(seconds=1)
    return [
        fact_of_event(run_event(run, "START", at=at, **names)),
        fact_of_event(run_event(run, "COMPLETE", at=later, **names)),
    ]


def latest_run(database_url: str, pipeline: str) -> uuid.UUID:
    """Return the newest run of the pipeline."""
    with connect(database_url) as connection:
        ((found,),) = connection.execute(
            "SELECT id FROM pipeline_run WHERE pipeline = %s ORDER BY number DESC LIMIT 1", (pipeline,)
        ).fetchall()
    return uuid.UUID(str(found))


def within(run: uuid.UUID, pipeline: str, job: str, **options: Any) -> list[NewFact]:
    """Return the facts of a run that was started within a pipeline run."""
    facts = []
    child = uuid.uuid4()
    at = options.pop("at", T0)
    for kind, instant in (("START", at), ("COMPLETE", at + dt.timedelta(seconds=1))):
        event = run_event(child, kind, job=job, parent=(run, pipeline), at=instant, **options)
        event["run"]["facets"]["parent"]["job"]["namespace"] = "headwater"
        facts.append(fact_of_event(event))
    return facts
