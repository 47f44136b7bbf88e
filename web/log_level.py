"""The level of logs at run time: one row that every process of a deployment looks at, and that ends by itself.

A process without an answer of the database stays as it is until the time is over that it knows of.
"""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from catalog.database import driver_connection, translated_errors
from catalog.errors import DatabaseUnavailable
from web.access import Permission, require
from web.logging import Level, level_number, set_level
from web.values import WHOLE

log = structlog.get_logger(__name__)

ROUTE = "/api/v1/log-level"
#: How often a process looks, in seconds: a new level counts everywhere after this and one query.
LOOK_SECONDS = 2.0
DEFAULT_SECONDS = 3600
#: A level for longer than this is a setting, not a look at something.
LONGEST_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class LevelForNow:
    """The level that somebody asked for, until when by the database's clock, and for how many seconds more."""

    level: str
    actor: str
    set_at: dt.datetime
    ends_at: dt.datetime
    seconds_left: float


class LogLevelStore:
    """The one row."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self) -> LevelForNow | None:
        """Return the level that counts now, None where each process goes by its own setting."""
        with translated_errors(), self._engine.connect() as connection:
            row: Any = (
                driver_connection(connection)
                .execute(
                    "SELECT level, actor, set_at, ends_at, extract(epoch FROM ends_at - clock_timestamp())::float8"
                    " FROM log_level WHERE ends_at > clock_timestamp()"
                )
                .fetchone()
            )
        return None if row is None else LevelForNow(*row)

    def set(self, level: str, *, actor: str, seconds: int) -> None:
        """Let every process log from the level on, for so many seconds."""
        with translated_errors(), self._engine.begin() as connection:
            driver_connection(connection).execute(
                "INSERT INTO log_level (level, actor, ends_at)"
                " VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s))"
                " ON CONFLICT (only_row) DO UPDATE SET level = excluded.level, actor = excluded.actor,"
                " set_at = excluded.set_at, ends_at = excluded.ends_at",
                (level, actor, seconds),
            )

    def reset(self) -> None:
        """Let every process log by its own setting again."""
        with translated_errors(), self._engine.begin() as connection:
            driver_connection(connection).execute("DELETE FROM log_level")


class _Watch:
    """Looks at the row now and then, and sets the level of this process."""

    def __init__(self, store: LogLevelStore, own_level: str) -> None:
        self._store = store
        self._own_level = own_level
        self._level = own_level
        self._ends = float("inf")

    def look(self) -> None:
        try:
            found = self._store.read()
        except DatabaseUnavailable:
            if time.monotonic() >= self._ends:
                self._use(None)
            return
        self._use(found)

    def _use(self, found: LevelForNow | None) -> None:
        self._ends = time.monotonic() + found.seconds_left if found is not None else float("inf")
        level = found.level if found is not None else self._own_level
        if level == self._level:
            return
        before, self._level = self._level, level
        set_level(level_number(level))
        # A warning, so that whoever reads the log later sees why it became talkative or silent.
        log.warning(
            "log_level.changed",
            from_now_on=level,
            before=before,
            actor=found.actor if found is not None else None,
            until=found.ends_at.isoformat() if found is not None else None,
        )


@contextmanager
def followed_log_level(engine: Engine, own_level: str) -> Iterator[None]:
    """Let this process log as the row says while the block runs; `own_level` is the setting."""
    watch = _Watch(LogLevelStore(engine), own_level)
    stop = threading.Event()

    def look_again() -> None:
        while not stop.wait(LOOK_SECONDS):
            try:
                watch.look()
            except Exception:  # logs must not end what they tell of
                log.exception("log_level.not_read")

    thread = threading.Thread(target=look_again, name="log level", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        # It may be waiting for a database that is silent; a process that ends does not wait for it.
        thread.join(0.5)


class NewLogLevel(BaseModel):
    """The level to log at."""

    model_config = ConfigDict(extra="forbid")

    level: Level
    seconds: Annotated[int, Field(gt=0, le=LONGEST_SECONDS), WHOLE] = Field(
        DEFAULT_SECONDS, description="For how long; each process then returns to its own."
    )


class LogLevelAnswer(TypedDict):
    """The level of logs now; `own` where each process goes by its own setting."""

    level: str
    own: bool
    actor: str | None
    setAt: str | None
    endsAt: str | None


def log_level_router(store: LogLevelStore, own_level: str) -> APIRouter:
    """Return the routes about the level of logs; `own_level` is that of this process's settings."""
    router = APIRouter(prefix=ROUTE, tags=["operation"])

    async def answer() -> Response:
        found = await asyncio.to_thread(store.read)
        return JSONResponse(
            {
                "level": found.level if found is not None else own_level,
                "own": found is None,
                "actor": found.actor if found is not None else None,
                "setAt": found.set_at.astimezone(dt.UTC).isoformat() if found is not None else None,
                "endsAt": found.ends_at.astimezone(dt.UTC).isoformat() if found is not None else None,
            }
        )

    @router.get("", response_model=LogLevelAnswer)
    async def get_log_level(request: Request) -> Response:
        """The level that every process logs at; `own` where each goes by its own setting, here this server's."""
        require(request, Permission.ADMINISTER)
        return await answer()

    @router.put("", response_model=LogLevelAnswer)
    async def put_log_level(request: Request, new: NewLogLevel) -> Response:
        """Let every web and worker process log from this level on, for a while; it takes up to 3 seconds."""
        principal = require(request, Permission.ADMINISTER)
        await asyncio.to_thread(store.set, new.level.value, actor=principal.name, seconds=new.seconds)
        return await answer()

    @router.delete("", response_model=LogLevelAnswer)
    async def delete_log_level(request: Request) -> Response:
        """Let every process log by its own setting again; it takes up to 3 seconds."""
        require(request, Permission.ADMINISTER)
        await asyncio.to_thread(store.reset)
        return await answer()

    return router
