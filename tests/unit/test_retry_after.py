"""How long a server asks to be left alone."""

import datetime as dt

import pytest

from hooks.outbound.retry_after import LONGEST_SECONDS, retry_after

NOW = dt.datetime(1994, 11, 6, 8, 49, 7, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        (" 0 ", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
        ("Sun Nov  6 08:49:37 1994", 30),
        ("Sun, 06 Nov 1994 10:49:37 +0200", 30),
        # One that has passed asks for nothing, and nobody waits for ever.
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
        ("99999999999999999999", LONGEST_SECONDS),
        ("Sun, 06 Nov 2094 08:49:37 GMT", LONGEST_SECONDS),
    ],
)
def test_seconds_and_dates(value: str, seconds: int) -> None:
    assert retry_after(value, NOW) == NOW + dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", [None, "", "soon", "-5", "1.5", "1e3", "9" * 30, "٣", "Sun, 99 Nov 1994 08:49:37 GMT"]
)
def test_what_names_no_instant(value: str | None) -> None:
    assert retry_after(value, NOW) is None
