"""Instants as the driver gives them."""

import datetime as dt
from typing import Any


def instant(value: Any) -> dt.datetime:
    """Return an instant of Neo4j, which was stored in UTC, to the microsecond."""
    native: dt.datetime = value.to_native()
    return native.replace(tzinfo=dt.UTC)
