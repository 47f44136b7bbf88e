"""Up to which position the bodies of events may go."""

import datetime as dt
from typing import Any

import psycopg

from hooks.retention.queries import QUERIES


def horizon(connection: "psycopg.Connection[Any]", received_before: dt.datetime) -> int:
    """Return the last position whose fact, as all before it, was received before the instant and is followed; or 0.

    Facts are received in the order of their positions, so a few of them are looked at. The last one that was followed
    is never among them: what is applied late from now on is applied behind the position.
    """
    row = connection.execute(QUERIES["state_cursor"]).fetchone()
    low, high = 0, (int(row[0]) if row else 0) - 1
    # What lies at `low` or before is older, what lies behind `high` is not.
    while low < high:
        middle = (low + high + 1) // 2
        found = connection.execute(QUERIES["received_at"], {"position": middle}).fetchone()
        if found is not None and found[0] < received_before:
            low = middle
        else:
            high = middle - 1
    return max(0, low)


def has_events(connection: "psycopg.Connection[Any]", after: int, until: int) -> bool:
    """Return whether an event with a body lies behind the one position and not behind the other."""
    row = connection.execute(QUERIES["events_between"], {"after": after, "until": until}).fetchone()
    return row is not None and bool(row[0])
