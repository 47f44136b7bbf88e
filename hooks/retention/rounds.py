"""Rounds of retention: a checkpoint is made, a fact gives up the bodies before it, and then they are taken.

Each step is whole or not there, and the next round goes on where one was ended: at any instant the ledger holds the
body of every event for which no checkpoint stands, and no body is taken that no fact has given up.
"""

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from catalog.database import translated_errors
from catalog.errors import Conflict, HeadwaterError, PositionNotReached
from catalog.ledger import Fact, append_facts
from catalog.progress import ShowProgress, no_progress
from catalog.sessions import long_session
from hooks.removed import read_removed, remove_command
from hooks.replay.checkpoint import Checkpoint, load_checkpoint, newest_checkpoint, write_checkpoint
from hooks.replay.circumstances import Circumstances, read_circumstances
from hooks.replay.replay import Replay
from hooks.replay.scratch import open_scratch
from hooks.retention.bodies import Taken, take_bodies
from hooks.retention.horizon import has_events, horizon
from hooks.retention.queries import QUERIES

#: Held by whoever is at it; a second one goes away.
RETENTION_LOCK = 0x6865616477_06
#: Positions that one round follows at most: an interrupted one loses no more than that.
MOST_POSITIONS = 500_000
#: The session of a process that was killed lasts for a moment.
LOCK_SECONDS = 2.0
#: How long a round waits for the state follower.
FOLLOW_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Rounds:
    """What was done: bodies are given up to `until`; `taken` is what that took, `checkpoints` how many were made."""

    until: int
    checkpoints: int
    taken: Taken


def run_rounds(
    conninfo: str,
    received_before: dt.datetime,
    *,
    actor: str,
    progress: ShowProgress = no_progress,
    most_positions: int = MOST_POSITIONS,
) -> Rounds:
    """Take the bodies of all events received before the instant that may go; end what another has begun.

    Raises `Conflict` where another is at it, `PositionNotReached` where nobody follows the ledger, and
    `InvalidCheckpoint` or `HeadwaterError` where the ledger cannot be followed again: `verify` says what is wrong.
    Whatever `progress` raises ends it, and does no harm.
    """
    with translated_errors(), _alone(conninfo) as connection:
        made = 0
        taken = Taken()
        # Once and for all: what a round itself tells would be the next one's.
        target = horizon(connection, received_before)
        while True:
            until = _give_up(connection, actor)
            done = take_bodies(connection, until, progress)
            taken.add(done.events, done.bytes)
            if not has_events(connection, until, target):
                return Rounds(until, made, taken)
            make_checkpoint(connection, conninfo, min(target, until + most_positions), progress)
            made += 1


@contextlib.contextmanager
def _alone(conninfo: str) -> Iterator["psycopg.Connection[Any]"]:
    with long_session(conninfo, application_name="headwater-retention") as connection:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _has_lock(connection):
            if time.monotonic() > deadline:
                raise Conflict("another process is at it: retention runs once at a time")
            time.sleep(LOOK_AGAIN_SECONDS)
        yield connection


def _has_lock(connection: "psycopg.Connection[Any]") -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (RETENTION_LOCK,)).fetchone()
    return row is not None and bool(row[0])


def _give_up(connection: "psycopg.Connection[Any]", actor: str) -> int:
    """Tell of the newest checkpoint where no fact does yet, and return up to where bodies are given up; 0 for none.

    Checkpoints before it are gone afterwards.
    """
    removed = read_removed(connection)
    checkpoint = newest_checkpoint(connection)
    if checkpoint is not None and (removed is None or removed.until < checkpoint.until):
        # There is one: no checkpoint reaches to the end of the ledger.
        (received_before,) = connection.execute(
            QUERIES["received_at"], {"position": checkpoint.until + 1}
        ).fetchone() or (dt.datetime.now(dt.UTC),)
        fact = remove_command(checkpoint.until, received_before, checkpoint.digest, actor=actor)
        with connection.transaction():
            (appended,) = append_facts(connection, [fact])
        _wait(connection, appended.position)
        removed = read_removed(connection)
        if removed is None or removed.until < checkpoint.until:
            raise HeadwaterError(
                f"the fact {appended.position} was not applied: `headwater follower list` says why"
            )
    if removed is None:
        return 0
    connection.execute(QUERIES["drop_checkpoints"], {"until": removed.until})
    return removed.until


def _wait(connection: "psycopg.Connection[Any]", position: int) -> None:
    deadline = time.monotonic() + FOLLOW_SECONDS
    while True:
        row = connection.execute(QUERIES["state_cursor"]).fetchone()
        if row is not None and row[0] >= position:
            return
        if time.monotonic() > deadline:
            raise PositionNotReached(
                f"the checkpoint is made and fact {position} tells of it, but nobody followed the ledger up to there"
                f" within {FOLLOW_SECONDS:.0f} s; the next run goes on"
            )
        time.sleep(LOOK_AGAIN_SECONDS)


def make_checkpoint(
    connection: "psycopg.Connection[Any]", conninfo: str, until: int, progress: ShowProgress = no_progress
) -> Checkpoint:
    """Follow the ledger from the newest checkpoint up to the position, and keep what that makes; return it."""
    circumstances = _circumstances(connection)

    def refuse(fact: Fact, error: Exception) -> None:
        raise HeadwaterError(
            f"fact {fact.position} ({fact.kind}) was applied and cannot be again, so its body is kept:"
            f" {type(error).__name__}: {error}; `headwater verify` shows all there is"
        )

    with open_scratch(conninfo) as copy:
        start = newest_checkpoint(connection)
        if start is not None:
            load_checkpoint(connection, copy, start)
        replay = Replay(
            copy,
            circumstances,
            refused=refuse,
            source=connection,
            start=0 if start is None else start.until,
        )
        replay.run(until, progress)
        return write_checkpoint(copy, connection, until, progress)


def _circumstances(connection: "psycopg.Connection[Any]") -> Circumstances:
    """Return them as of one instant: a record that is being retried is either parked or late."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return read_circumstances(connection)
