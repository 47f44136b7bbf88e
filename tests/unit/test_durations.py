"""Durations as documents write them."""

from datetime import timedelta
from typing import Any

import pytest

from catalog.documents.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1d12h", 129_600),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("1m0.001s", 60.001),
        ("1m5ms", 60.005),
        ("0h5m", 300),
        ("PT1H", 3600),
        ("P1D", 86_400),
        ("P1DT2H30M", 95_400),
        ("P2W", 1_209_600),
        ("PT0.5S", 0.5),
        (90, 90),
        (0.25, 0.25),
        (timedelta(hours=1), 3600),
    ],
)
def test_a_duration_is_read(written: Any, seconds: float) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "1",
        "90 s",
        " 30s",
        "30s\n",
        "30S",
        "-5s",
        "+5s",
        "5s3m",
        "1h1h",
        "m",
        "P",
        "PT",
        "P1DT",
        "P1H",
        "pt1h",
        # The length of a month or a year depends on the calendar.
        "P1M",
        "P1Y",
        "1.5h",
        "0.0001s",
        "٣s",
        "1:30",
        True,
        None,
        [],
        "9" * 5000 + "s",
    ],
)
def test_what_is_no_duration_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 30s"):
        parse_duration(written)


@pytest.mark.parametrize(
    "written", ["367d", "999999999h", "999999999d999999999h", "999999999999ms", 1e8, timedelta(days=367)]
)
def test_a_duration_has_a_longest(written: Any) -> None:
    with pytest.raises(ValueError, match="expected a duration from 1ms to 366d"):
        parse_duration(written)


@pytest.mark.parametrize(
    "written", ["0s", "PT0S", "0.000s", 0, -1, 0.0001, float("nan"), float("inf"), 1e300]
)
def test_a_duration_is_longer_than_nothing_and_finite(written: Any) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=90), "1m30s"),
        (timedelta(hours=24), "1d"),
        (timedelta(milliseconds=1), "1ms"),
        (timedelta(days=1, milliseconds=1), "1d1ms"),
    ],
)
def test_a_duration_has_one_text(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text
