"""Numbers of vertices: of which generation, which node of it, which step; and places in the history of a job."""

import datetime as dt
import uuid

from catalog.errors import HeadwaterError
from graph.rows import PointKey
from graph.traversal import NODE_BITS

#: Nodes of one generation are below 2 to this power; above them stands the generation.
_COUNTED_BITS = 32
#: No two of so many generations in a row are there at once.
_GENERATIONS = 1 << (NODE_BITS - _COUNTED_BITS)

_BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def vertex_of(generation: int, counted: int) -> int:
    """Return the vertex of the node with this number in its generation."""
    if counted >= 1 << _COUNTED_BITS:
        raise HeadwaterError(f"expected fewer than {1 << _COUNTED_BITS} nodes in one generation of the graph")
    return generation % _GENERATIONS << _COUNTED_BITS | counted


def bounds_of(generation: int) -> tuple[int, int]:
    """Return the first vertex of the generation's nodes, and the one after the last."""
    low = vertex_of(generation, 0)
    return low, low + (1 << _COUNTED_BITS)


def place_of(job: int, key: PointKey) -> str:
    """Return the place of a point: places of one job are in the order of time, and those of jobs in that of jobs."""
    return f"{begin_of(job)}{(key.at - _BEGINNING) // _MICROSECOND:018d}/{key.tiebreak.hex}"


def begin_of(job: int) -> str:
    """Return what the places of a job begin with; that of the next job is greater than all of them."""
    return f"{job:011x}/"


def point_of(place: str) -> tuple[int, PointKey]:
    """Return the job and the point that the place is of."""
    job, microseconds, tiebreak = place.split("/")
    at = _BEGINNING + int(microseconds) * _MICROSECOND
    return int(job, 16), PointKey(at, uuid.UUID(tiebreak))
