"""Whether old events lose their bodies as the settings say."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import psycopg

from catalog.settings import Settings
from hooks.retention.horizon import has_events, horizon
from hooks.retention.standing import read_standing
from web.doctor.finding import Finding, ok, warning

#: A worker comes round once a day; so long after that something keeps it from it.
LATE = dt.timedelta(days=2)


def check_retention(connection: "psycopg.Connection[Any]", settings: Settings) -> Iterator[Finding]:
    """Yield what was removed, and whether it is late."""
    standing = read_standing(connection)
    removed = "nothing was removed"
    until = 0
    if standing.removed is not None:
        until = standing.removed.until
        removed = f"those of {standing.events} events were removed, up to position {until}"
    if settings.event_days is None:
        yield ok("retention", f"bodies of events are kept for ever; {removed}")
        return
    kept = f"bodies of events are kept for {settings.event_days} days; {removed}"
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=settings.event_days) - LATE
    if has_events(connection, until, horizon(connection, before)):
        advice = "set HEADWATER_EVENT_DAYS for the workers too, and look for retention.failed in their logs"
        yield warning("retention", f"{kept}, and older ones wait for more than {LATE.days} days", advice)
    else:
        yield ok("retention", kept)
