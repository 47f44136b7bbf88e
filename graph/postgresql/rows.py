"""Rows of `graph_edge` as they are written."""

import datetime as dt
from typing import NamedTuple


class EdgeRow(NamedTuple):
    """One interval of one edge, between vertices."""

    owner: int
    kind: int
    origin: int
    destination: int
    start: dt.datetime
    end: dt.datetime | None
    type: str = ""
    sequence: int = 0
