from datetime import UTC, datetime

import pytest

from catalog.openlineage.times import instant_at, microseconds_of, parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-10-17T09:18:11.101Z", "2024-10-17T09:18:11.101000+00:00"),
        ("2024-10-17T09:18:11.5Z", "2024-10-17T09:18:11.500000+00:00"),
        ("2024-10-17T09:18:11.123456789Z", "2024-10-17T09:18:11.123456+00:00"),
        ("2024-10-17T09:18:11.999999999Z", "2024-10-17T09:18:11.999999+00:00"),
        ("2024-10-17T09:18:11,25Z", "2024-10-17T09:18:11.250000+00:00"),
        ("2024-10-17t09:18:11z", "2024-10-17T09:18:11+00:00"),
        ("2024-10-17T09:18Z", "2024-10-17T09:18:00+00:00"),
        ("2024-10-17T09:18:11", "2024-10-17T09:18:11+00:00"),
        ("2024-10-17 09:18:11 Z", "2024-10-17T09:18:11+00:00"),
        ("2024-11-26T13:05:34.626595+00:00", "2024-11-26T13:05:34.626595+00:00"),
        ("2024-10-17T09:18:11+02:00", "2024-10-17T07:18:11+00:00"),
        ("2024-10-17T09:18:11-0330", "2024-10-17T12:48:11+00:00"),
        ("2024-10-17T09:18:11+05", "2024-10-17T04:18:11+00:00"),
        ("2024-10-17T09:18:11+00:19:32", "2024-10-17T08:58:39+00:00"),
        ("2024-10-17T09:18:11.5+02:00[Europe/Paris]", "2024-10-17T07:18:11.500000+00:00"),
        ("2024-10-17T09:18:11Z[UTC]", "2024-10-17T09:18:11+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2024-12-31T24:00:00Z", "2025-01-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_a_time_is_read_as_utc_with_microseconds(text: str, expected: str) -> None:
    instant = parse_time(text)

    assert instant.isoformat() == expected
    assert instant.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "now",
            "1729156674",
            "1729156674719",
            "20241017",
            "2024-10-17",
            "20241017T091811Z",
            "2024-W42-4",
        ),
        *(
            "2024-10-17T09",
            "2024-10-17T09:18:11+24:00",
            "2024-10-17T09:18:11[Europe/Paris]",
            "٢٠٢٤-10-17T09:18:11Z",
        ),
        *("2024-02-30T00:00:00Z", "2024-10-17T25:00:00Z", "2024-10-17T24:00:01Z", "2024-10-17T09:18:61Z"),
        *("2024-10-17T09:18:11Z\n", " 2024-10-17T09:18:11Z"),
    ],
)
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a time such as 2024-10-17T09:18:11\.101Z"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        *("0000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", "-0044-03-15T00:00:00Z", "12024-01-01T00:00:00Z"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_year_that_cannot_be_held_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="expected a year from 0001 to 9999"):
        parse_time(text)


def test_instants_are_counted_in_microseconds_from_the_first_one() -> None:
    instant = datetime(2024, 10, 17, 9, 18, 11, 101_000, tzinfo=UTC)

    assert microseconds_of(datetime(1, 1, 1, tzinfo=UTC)) == 0
    assert microseconds_of(instant) + 1 == microseconds_of(instant.replace(microsecond=101_001))
    assert instant_at(microseconds_of(instant)) == instant
