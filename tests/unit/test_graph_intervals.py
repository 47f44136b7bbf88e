"""Intervals of event time."""

import uuid

import pytest

from graph.intervals import Point, coalesce, outside, tile, within
from graph.model import Span
from tests.support.graphs import day


def span(first: int, last: int | None) -> Span:
    return Span(day(first), None if last is None else day(last))


def point(at: int, stated: str | None, tiebreak: int = 0) -> Point[str]:
    return Point(day(at), uuid.UUID(int=tiebreak), stated)


def test_statements_tile_time_in_any_order() -> None:
    assert tile([point(4, "b"), point(1, "a"), point(9, "c")]) == [
        (span(1, 4), "a"),
        (span(4, 9), "b"),
        (span(9, None), "c"),
    ]


def test_nothing_stated_tiles_nothing() -> None:
    assert tile([]) == []
    assert tile([point(1, None)]) == []


def test_a_withdrawn_statement_leaves_its_time_to_the_one_before() -> None:
    assert tile([point(1, "a"), point(4, None), point(9, "c")]) == [(span(1, 9), "a"), (span(9, None), "c")]


def test_of_two_at_one_instant_the_greater_tiebreak_holds() -> None:
    assert tile([point(1, "b", 2), point(1, "a", 1)]) == [(span(1, None), "b")]


def test_spans_that_touch_become_one() -> None:
    assert coalesce([span(4, 6), span(1, 4), span(8, None)]) == [span(1, 6), span(8, None)]
    assert coalesce([span(6, None), span(1, 6)]) == [span(1, None)]


@pytest.mark.parametrize(
    ("window", "left"),
    [
        (span(3, 5), [span(1, 3), span(5, 8)]),
        (span(3, None), [span(1, 3)]),
        (span(0, 1), [span(1, 8)]),
        (span(8, 9), [span(1, 8)]),
        (span(0, 9), []),
        (span(1, 5), [span(5, 8)]),
    ],
)
def test_what_lies_outside_a_window_stays(window: Span, left: list[Span]) -> None:
    assert outside([span(1, 8)], window) == left


def test_a_span_without_end_lies_beyond_every_window_that_ends() -> None:
    assert outside([span(1, None)], span(3, 5)) == [span(1, 3), span(5, None)]
    assert outside([span(1, None)], span(3, None)) == [span(1, 3)]


@pytest.mark.parametrize(
    ("window", "part"),
    [
        (span(0, 9), span(2, 6)),
        (span(3, 5), span(3, 5)),
        (span(3, None), span(3, 6)),
        (span(6, 9), None),
        (span(0, 2), None),
        (span(3, 3), None),
    ],
)
def test_the_part_within_a_window(window: Span, part: Span | None) -> None:
    assert within(span(2, 6), window) == part


def test_a_span_without_end_ends_with_its_window() -> None:
    assert within(span(2, None), span(0, 5)) == span(2, 5)
    assert within(span(2, None), span(0, None)) == span(2, None)
