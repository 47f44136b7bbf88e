"""Rounds of a worker: once a day, by whichever worker comes first, at half speed and only while it goes on working.

A round takes minutes and not the second that a job may take; so it has a thread of its own, which ends with its worker
between two batches. What that leaves, the next worker goes on with.
"""

import datetime as dt
import threading
import time
from dataclasses import dataclass, field

import psycopg
import structlog

from catalog.database import translated_errors
from catalog.errors import Conflict, HeadwaterError
from catalog.progress import Progress
from catalog.sessions import long_session
from hooks.retention.rounds import run_rounds
from hooks.retention.standing import read_standing

log = structlog.get_logger(__name__)

#: A start has better things to do.
FIRST_SECONDS = 60.0
#: How often a worker looks whether a round is due.
LOOK_SECONDS = 900.0
EVERY = dt.timedelta(days=1)
#: The longest breath between two batches, in seconds.
LONGEST_BREATH = 1.0
ACTOR = "headwater"


class _EndedError(Exception):
    """The worker ends."""


@dataclass(slots=True)
class _Breath:
    """Ends a round with its worker, and lets others work for as long as each batch took."""

    stop: threading.Event
    _since: float = field(default_factory=time.monotonic)

    def __call__(self, _: Progress) -> None:
        took = time.monotonic() - self._since
        if self.stop.wait(min(took, LONGEST_BREATH)):
            raise _EndedError
        self._since = time.monotonic()


def retain(
    conninfo: str,
    days: int,
    stop: threading.Event,
    *,
    first_seconds: float = FIRST_SECONDS,
    look_seconds: float = LOOK_SECONDS,
) -> None:
    """Remove bodies of events that are older than so many days, until `stop` is set; what fails is logged."""
    wait = first_seconds
    while not stop.wait(wait):
        wait = look_seconds
        try:
            _round(conninfo, days, stop)
        except _EndedError:
            return
        except Conflict:
            log.debug("retention.elsewhere")
        except (HeadwaterError, psycopg.Error) as error:
            log.warning("retention.failed", error=str(error).strip())
        except Exception:
            # A fact may be unreadable in any way; the worker goes on all the same.
            log.exception("retention.failed")


def _round(conninfo: str, days: int, stop: threading.Event) -> None:
    with translated_errors(), long_session(conninfo, application_name="headwater-retention") as connection:
        standing = read_standing(connection)
        ((now,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    made_at = standing.checkpoint_made_at
    if made_at is not None and made_at > now - EVERY and not standing.unfinished:
        return
    done = run_rounds(conninfo, now - dt.timedelta(days=days), actor=ACTOR, progress=_Breath(stop))
    if done.checkpoints or done.taken.events:
        log.info(
            "retention.removed",
            events=done.taken.events,
            bytes=done.taken.bytes,
            until=done.until,
            days=days,
        )
