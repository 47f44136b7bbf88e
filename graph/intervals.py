"""Intervals of event time: how a job's shapes tile it, and how neighbouring spans of one edge become one."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from catalog.openlineage.shape import Shape
from graph.model import Span


class ShapePoint(NamedTuple):
    """From `at` on a job's lineage is `shape`; of two at one instant the greater tiebreak counts.

    Without a shape it withdraws what was said under the same (at, tiebreak).
    """

    at: dt.datetime
    tiebreak: uuid.UUID
    shape: Shape | None


def tile(points: Iterable[ShapePoint], end: dt.datetime | None = None) -> list[tuple[Span, Shape]]:
    """Return what holds when, in order: each shape holds until the next begins, the last until `end`.

    A shape that another replaces at the same instant holds never.
    """
    ordered = sorted(points, key=lambda point: (point.at, point.tiebreak))
    stated = [(point.at, point.shape) for point in ordered if point.shape is not None]
    ends: list[dt.datetime | None] = [at for at, _ in stated[1:]]
    ends.append(end)
    return [(Span(at, until), shape) for (at, shape), until in zip(stated, ends, strict=False) if at != until]


def coalesce(spans: Sequence[Span]) -> list[Span]:
    """Return the same time in as few spans as possible, in order; spans may touch but not overlap."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if joined and joined[-1].end == span.start:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined
