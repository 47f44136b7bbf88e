"""Intervals of event time: how a job's shapes tile it, and how what is said of a window changes what an edge held."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from graph.model import Span

Stated = TypeVar("Stated")


class Point(NamedTuple, Generic[Stated]):
    """From `at` on what is stated holds; of two points at one instant the greater tiebreak counts.

    A point that states nothing withdraws what was said under the same (at, tiebreak).
    """

    at: dt.datetime
    tiebreak: uuid.UUID
    stated: Stated | None


def tile(points: Iterable[Point[Stated]]) -> list[tuple[Span, Stated]]:
    """Return what holds when, in order: each statement holds until the next begins, the last without end.

    A statement that another replaces at the same instant holds never.
    """
    ordered = sorted(points, key=lambda point: (point.at, point.tiebreak))
    stated = [(point.at, point.stated) for point in ordered if point.stated is not None]
    ends = [*(at for at, _ in stated[1:]), None]
    return [(Span(at, end), what) for (at, what), end in zip(stated, ends, strict=False) if at != end]


def coalesce(spans: Iterable[Span]) -> list[Span]:
    """Return the same time in as few spans as possible, in order; spans may touch but not overlap."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if joined and joined[-1].end == span.start:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined


def outside(spans: Sequence[Span], window: Span) -> list[Span]:
    """Return what of the spans lies before or after the window, in no order."""
    before = [
        Span(span.start, window.start if span.end is None else min(span.end, window.start))
        for span in spans
        if span.start < window.start
    ]
    if window.end is None:
        return before
    after = [
        Span(max(span.start, window.end), span.end)
        for span in spans
        if span.end is None or span.end > window.end
    ]
    return before + after


def within(span: Span, window: Span) -> Span | None:
    """Return the part of the span that lies in the window, None where none does."""
    start = max(span.start, window.start)
    ends = [end for end in (span.end, window.end) if end is not None]
    end = min(ends) if ends else None
    return None if end is not None and end <= start else Span(start, end)
