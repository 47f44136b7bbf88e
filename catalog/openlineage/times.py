"""Times as producers write them, read as aware UTC datetimes with microseconds."""

import re
from datetime import UTC, datetime, timedelta

#: The earliest instant there is; instants are counted from it, so that no count is negative.
FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)

_MICROSECOND = timedelta(microseconds=1)

# RFC 3339, and what Java, Python and ISO 8601 write besides: no seconds, a comma before the fraction, offsets
# without colon or with seconds, lower-case t and z, blanks, the name of a region after the offset.
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"(?: ?(?:[Zz]|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)(?:\[[\w/+-]+\])?)?",
    re.ASCII,
)
# What looks like a time, but lies before year 1 or after year 9999.
_FAR_YEAR = re.compile(r"(?:[+-]\d{4,}|0000|\d{5,})-\d\d-\d\d[Tt ].*", re.ASCII | re.DOTALL)


def parse_time(text: str) -> datetime:
    """Return the instant that an ISO 8601 date and time names, in UTC; without zone it is taken as UTC.

    Digits beyond microseconds are cut off. Second 60 (a leap second) is the first instant of the next minute,
    hour 24 that of the next day. Raises `ValueError` for anything else: dates alone, epoch numbers, years
    outside 1 to 9999.
    """
    match = _TIME.fullmatch(text)
    if match is None or text.startswith("0000"):
        if _FAR_YEAR.fullmatch(text):
            raise ValueError(f"expected a year from 0001 to 9999, found {text[:100]!r}")
        raise ValueError(f"expected a time such as 2024-10-17T09:18:11.101Z, found {text[:100]!r}")
    year, month, day, hour, minute, second, fraction, sign, *offset = match.groups()
    microsecond = int(fraction[:6].ljust(6, "0")) if fraction else 0
    try:
        if second != "60" and hour != "24":
            value = datetime(
                int(year),
                int(month),
                int(day),
                int(hour),
                int(minute),
                int(second or 0),
                microsecond,
                tzinfo=UTC,
            )
        else:
            value = _rolled_over(
                int(year), int(month), int(day), int(hour), int(minute), int(second or 0), microsecond
            )
        return value - _offset(sign, *offset) if sign else value
    except OverflowError as exc:
        raise ValueError(f"expected a year from 0001 to 9999 in UTC, found {text[:100]!r}") from exc
    except ValueError as exc:
        raise ValueError(
            f"expected a time such as 2024-10-17T09:18:11.101Z, found {text[:100]!r}: {exc}"
        ) from exc


def _offset(sign: str, hours: str, minutes: str | None, seconds: str | None) -> timedelta:
    if int(hours) > 23 or int(minutes or 0) > 59 or int(seconds or 0) > 59:
        raise ValueError("an offset is less than a day")
    size = timedelta(hours=int(hours), minutes=int(minutes or 0), seconds=int(seconds or 0))
    return size if sign == "+" else -size


def _rolled_over(
    year: int, month: int, day: int, hour: int, minute: int, second: int, microsecond: int
) -> datetime:
    """Return the instant of a leap second or of the end of a day."""
    if hour == 24 and (minute or second or microsecond):
        raise ValueError("hour 24 is only the end of a day")
    start = datetime(
        year, month, day, 0 if hour == 24 else hour, minute, 59 if second == 60 else second, tzinfo=UTC
    )
    # A fraction of a leap second has no place on a clock without leap seconds.
    return start + timedelta(
        days=hour == 24, seconds=second == 60, microseconds=0 if second == 60 else microsecond
    )


def microseconds_of(instant: datetime) -> int:
    """Return the microseconds from `FIRST_INSTANT` to an aware instant."""
    return (instant - FIRST_INSTANT) // _MICROSECOND


def instant_at(microseconds: int) -> datetime:
    """Return the instant that lies so many microseconds after `FIRST_INSTANT`."""
    return FIRST_INSTANT + timedelta(microseconds=microseconds)
