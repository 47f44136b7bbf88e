"""The pause of all pipelines at once: while it lasts nothing is launched, and what becomes due waits.

It goes the way of the pause of one pipeline: a command, judged by the state follower, after which versions queue up and
waiting runs get no slot. Launches look at it too, because a run may hold a slot whose attempt has not begun.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from hooks.jobs import AttemptKey

#: How often a launch that the pause holds back looks again.
LOOK_AGAIN = dt.timedelta(seconds=2)

#: What the rows of `pause_of_all` are read with; there is one or none.
READ_PAUSE = b"SELECT position, at, actor, reason FROM pause_of_all"


@dataclass(frozen=True, slots=True)
class PauseOfAll:
    """Since when everything is paused, by whom and why."""

    position: int
    at: dt.datetime
    actor: str
    reason: str

    def __str__(self) -> str:
        """Return it as people are told."""
        since = f"{self.at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%SZ}"
        return f"all pipelines are paused since {since} by {self.actor}" + (
            f": {self.reason}" if self.reason else ""
        )


def read_pause(connection: "psycopg.Connection[Any]") -> PauseOfAll | None:
    """Return the pause of all pipelines, None where there is none."""
    row = connection.execute(READ_PAUSE).fetchone()
    return None if row is None else PauseOfAll(*row)


def pause_all(connection: "psycopg.Connection[Any]", pause: PauseOfAll) -> PauseOfAll:
    """Pause all pipelines and return the pause that lasts: one that began before stays as it is."""
    connection.execute(
        "INSERT INTO pause_of_all (position, at, actor, reason) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (pause.position, pause.at, pause.actor, pause.reason),
    )
    return read_pause(connection) or pause


def resume_all(connection: "psycopg.Connection[Any]") -> None:
    """End the pause of all pipelines; those that are paused by themselves stay so."""
    connection.execute("DELETE FROM pause_of_all")


def held_back(connection: "psycopg.Connection[Any]", keys: Sequence[AttemptKey]) -> list[AttemptKey]:
    """Return those of the attempts that nobody has claimed because all pipelines are paused."""
    rows = connection.execute(
        "SELECT w.run_id, w.attempt FROM unnest(%s::uuid[], %s::int[]) AS w (run_id, attempt)"
        " WHERE EXISTS (SELECT FROM pause_of_all)"
        " AND NOT EXISTS (SELECT FROM attempt_claim c WHERE c.run_id = w.run_id AND c.attempt = w.attempt)"
        " ORDER BY w.run_id, w.attempt",
        ([key.run_id for key in keys], [key.number for key in keys]),
    )
    return [AttemptKey(*row) for row in rows.fetchall()]
