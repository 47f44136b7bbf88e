"""The web application without a socket: its lifespan, a client for it, and the rows that it leaves."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from starlette.types import ASGIApp

from catalog.settings import Settings
from tests.support.spine import connect
from web.access.local_token import read_local_token
from web.app import create_app
from web.bootstrap import WebServices, web_services

ADDRESS = ("127.0.0.1", 8642)
BASE_URL = "http://127.0.0.1:8642"
#: A host that other machines reach too.
ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - nothing is bound here


@asynccontextmanager
async def lifespan_of(app: ASGIApp) -> AsyncIterator[None]:
    """Start the application, and end it orderly."""
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outgoing: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.create_task(app(scope, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    assert (await outgoing.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        assert (await outgoing.get())["type"] == "lifespan.shutdown.complete"
        await task


@dataclass(frozen=True)
class Web:
    """A running application."""

    app: ASGIApp
    services: WebServices
    #: On this machine, with no token.
    client: httpx.AsyncClient

    @property
    def local(self) -> dict[str, str]:
        """The header with the local token."""
        token = read_local_token(self.services.settings)
        assert token is not None
        return bearer(token)

    def client_at(
        self, *, client: str = "127.0.0.1", server: str = "127.0.0.1", base_url: str = BASE_URL
    ) -> httpx.AsyncClient:
        """Return a client whose connections come from one address and reach another."""
        return _client(self.app, client, server, base_url)

    async def post_event(self, event: Any, **options: Any) -> httpx.Response:
        """Send one event."""
        return await self.client.post("/api/v1/lineage", json=event, **options)


def _client(app: ASGIApp, client: str, server: str, base_url: str) -> httpx.AsyncClient:
    async def reached(scope: Any, receive: Any, send: Any) -> None:
        scope["server"] = (server, ADDRESS[1])
        await app(scope, receive, send)

    transport = httpx.ASGITransport(reached, client=(client, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=base_url)


@asynccontextmanager
async def running_web(database_url: str, data_dir: Path, **settings: Any) -> AsyncIterator[Web]:
    """Yield the application on the database, as settings make it."""
    services = web_services(Settings(data_dir=data_dir, **settings), database_url)
    app = create_app(services)
    async with lifespan_of(app), _client(app, "127.0.0.1", "127.0.0.1", BASE_URL) as client:
        yield Web(app, services, client)


def bearer(token: str) -> dict[str, str]:
    """Return the header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def ledger(database_url: str) -> list[tuple[int, str, str]]:
    """Return position, kind and actor of every fact."""
    with contextlib.closing(connect(database_url)) as connection:
        return connection.execute("SELECT position, kind, actor FROM fact ORDER BY position").fetchall()


def transactions(database_url: str) -> int:
    """Return how many transactions wrote the ledger."""
    with contextlib.closing(connect(database_url)) as connection:
        ((count,),) = connection.execute("SELECT count(DISTINCT xmin::text) FROM fact").fetchall()
    return int(count)


@contextmanager
def held_append_lock(database_url: str, key: int) -> Iterator["psycopg.Connection[Any]"]:
    """Hold the lock that every append needs, as a slow writer would; it is free at the end."""
    with contextlib.closing(connect(database_url)) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (key,))
        yield connection


@contextmanager
def database_away(database_url: str, cluster_url: str) -> Iterator[None]:
    """Let nobody connect to the database, and end who is connected, as when a server is restarted."""
    name = database_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    with contextlib.closing(connect(cluster_url)) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextmanager
def database_frozen(database_url: str) -> Iterator[None]:
    """Let the server's processes for those who are connected stand still; connections stay open and nothing comes."""
    with contextlib.closing(connect(database_url)) as connection:
        pids = [
            pid
            for (pid,) in connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
        ]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """Return the problem document of a refusal; it always has the same members."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    members: dict[str, Any] = json.loads(response.content)
    assert members["status"] == response.status_code
    assert {"type", "title", "detail", "code"} <= members.keys()
    return members
