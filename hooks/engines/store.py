"""The rows of attempts at engines: one each, whose epoch counts its steps and so fences off whoever comes late."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg

from catalog.facts import Outcome
from catalog.forms import understood
from catalog.queries import load_queries
from hooks.engines.standing import Phase, Standing, Stop
from hooks.jobs import ENGINE_HOST, AttemptKey

QUERIES = load_queries(Path(__file__).with_name("engines.sql"))


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt as the database has it. `taken` says that a step began; `busy`, that it may still go on."""

    launcher: str
    epoch: int
    taken: bool
    busy: bool
    busy_until: dt.datetime | None
    standing: Standing


def claim(connection: psycopg.Connection[Any], keys: Sequence[AttemptKey]) -> list[AttemptKey]:
    """Bind the attempts to engines and return those that nobody had: others were claimed or cancelled before.

    While all pipelines are paused none is bound.
    """
    rows = connection.execute(QUERIES["claim"], _columns(keys) | {"host": ENGINE_HOST})
    return [AttemptKey(*row) for row in rows.fetchall()]


def add(connection: psycopg.Connection[Any], fresh: Mapping[AttemptKey, tuple[str, dt.datetime]]) -> None:
    """Add the rows of new attempts, each with its launcher and its deadline."""
    connection.execute(
        QUERIES["add"],
        _columns(list(fresh))
        | {
            "launchers": [launcher for launcher, _ in fresh.values()],
            "phases": [Phase.READY] * len(fresh),
            "deadlines": [deadline for _, deadline in fresh.values()],
        },
    )


def untouched(connection: psycopg.Connection[Any], keys: Sequence[AttemptKey]) -> list[AttemptKey]:
    """Return those of the attempts with which no step was begun yet."""
    return [AttemptKey(*row) for row in connection.execute(QUERIES["untouched"], _columns(keys)).fetchall()]


def _columns(keys: Sequence[AttemptKey]) -> dict[str, Any]:
    return {"runs": [key.run_id for key in keys], "attempts": [key.number for key in keys]}


def read(connection: psycopg.Connection[Any], key: AttemptKey) -> Row | None:
    """Return the attempt's row and lock it until the transaction ends."""
    found = connection.execute(QUERIES["read"], _named(key)).fetchone()
    if found is None:
        return None
    launcher, epoch, taken, busy, busy_until, phase, deadline, outcome, reason, handle, *rest = found
    stop = None if outcome is None else Stop(understood(Outcome, outcome), reason)
    kept = None if handle is None else orjson.loads(handle)
    standing = Standing(understood(Phase, phase), deadline, stop, kept, *rest)
    return Row(launcher, epoch, taken, bool(busy), busy_until, standing)


def mark_stop(connection: psycopg.Connection[Any], key: AttemptKey, stop: Stop) -> None:
    """Write why the attempt is to end; whatever step is going on with it goes on."""
    connection.execute(QUERIES["mark_stop"], _named(key) | {"outcome": stop.outcome, "reason": stop.reason})


def write(
    connection: psycopg.Connection[Any],
    key: AttemptKey,
    epoch: int,
    standing: Standing,
    busy_seconds: float | None = None,
) -> dt.datetime | None:
    """Write how the attempt stands; return until when it is busy by the database's clock, where it is."""
    fields = {field.name: getattr(standing, field.name) for field in dataclasses.fields(standing)}
    stop: Stop | None = fields.pop("stop")
    handle = fields.pop("handle")
    parameters = _named(key) | fields
    parameters |= {
        "epoch": epoch,
        "busy_seconds": busy_seconds,
        "stop_outcome": None if stop is None else stop.outcome,
        "stop_reason": None if stop is None else stop.reason,
        "handle": None if handle is None else orjson.dumps(handle).decode(),
    }
    written = connection.execute(QUERIES["write"], parameters).fetchone()
    if written is None:
        raise ValueError(f"expected a row of attempt {key.number} of run {key.run_id}")
    until: dt.datetime | None = written[0]
    return until


def _named(key: AttemptKey) -> dict[str, uuid.UUID | int | Any]:
    return {"run": key.run_id, "attempt": key.number}
