"""Waiting until the followers have come so far: read your writes, and verdicts on commands."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
import structlog
from psycopg import sql
from sqlalchemy import Engine

from catalog.database import driver_connection, translated_errors
from catalog.errors import PositionNotReached
from catalog.observations import STATE_CHANNEL
from hooks.deciding.records import CommandResult

log = structlog.get_logger(__name__)

#: How long a waiter sleeps although nothing woke it, in seconds: a notification may be lost with its connection.
POLL_SECONDS = 0.25


class StateWaiter:
    """Wakes whoever waits for the state follower; one listening connection for the process."""

    def __init__(self, engine: Engine, conninfo: str) -> None:
        self._engine = engine
        self._conninfo = conninfo
        self._changed = asyncio.Event()
        self._watching: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; a database that is away only makes waiting slower."""
        self._task = asyncio.create_task(self._listen(), name="listen for the state follower")

    async def stop(self) -> None:
        """End listening."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @contextlib.contextmanager
    def watched(self) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever the state follower may have moved; a lost notification sets none."""
        event = asyncio.Event()
        self._watching.add(event)
        try:
            yield event
        finally:
            self._watching.discard(event)

    async def _listen(self) -> None:
        told = False
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
                told = False
                async with connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(STATE_CHANNEL)))
                    async for _ in connection.notifies():
                        for event in (self._changed, *self._watching):
                            event.set()
            except psycopg.Error as error:
                if not told:
                    log.warning("waiter.database_away", error=str(error).strip())
                told = True
                await asyncio.sleep(0.5)

    async def _next_change(self) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), POLL_SECONDS)

    async def result(self, position: int, *, seconds: float) -> CommandResult:
        """Return the verdict on the command at the position; raise `PositionNotReached` after so many seconds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            found = await asyncio.to_thread(self._read_result, position)
            if found is not None:
                return found
            if asyncio.get_running_loop().time() > deadline:
                message = (
                    f"the command is stored at position {position} and will be done once a worker is there"
                )
                raise PositionNotReached(message, position=position)
            await self._next_change()

    async def reached(self, position: int, *, seconds: float, graph: bool = False) -> None:
        """Return once the followers have come to the position; raise `PositionNotReached` after so many seconds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            current = await asyncio.to_thread(self._read_position, graph)
            if current >= position:
                return
            if asyncio.get_running_loop().time() > deadline:
                message = f"expected the followers to reach position {position} in {seconds} s, they are at {current}"
                raise PositionNotReached(message, position=current)
            await self._next_change()

    def _read_result(self, position: int) -> CommandResult | None:
        with translated_errors(), self._engine.connect() as connection:
            row: Any = (
                driver_connection(connection)
                .execute(
                    "SELECT position, accepted, code, message, result FROM command_result WHERE position = %s",
                    (position,),
                )
                .fetchone()
            )
        return None if row is None else CommandResult(*row)

    def _read_position(self, graph: bool) -> int:
        with translated_errors(), self._engine.connect() as connection:
            raw = driver_connection(connection)
            state, state_graph = current_positions(raw)
        return state_graph if graph else state


def current_positions(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """Return the ledger positions that the state and the graph are computed at."""
    # The graph is as new as the state while no observation waits for it.
    row = connection.execute(
        "SELECT s.position, CASE WHEN o.position IS NULL THEN s.position ELSE o.position - 1 END"
        " FROM follower s JOIN follower g ON g.name = 'graph'"
        " LEFT JOIN LATERAL (SELECT position FROM observation WHERE sequence > g.position ORDER BY sequence LIMIT 1) o"
        " ON true WHERE s.name = 'state'"
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
