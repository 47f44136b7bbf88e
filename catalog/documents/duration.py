"""Durations as people write them: `30s`, `1h30m`, `PT1H`, or a number of seconds.

A duration is a whole number of milliseconds, at least 1 and at most 366 days. Months and years are refused:
their length depends on the calendar. Source of the second form: ISO 8601-1 section 5.5.2.
"""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

MILLISECOND = timedelta(milliseconds=1)
LONGEST = timedelta(days=366)

_SECONDS = r"([0-9]{1,9}(?:\.[0-9]{1,3})?)"
_SHORT = (
    r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m(?!s))?"
    rf"(?:{_SECONDS}s)?(?:([0-9]{{1,12}})ms)?"
)
_ISO = (
    r"P(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    rf"(?:T(?=[0-9])(?:([0-9]{{1,9}})H)?(?:([0-9]{{1,9}})M)?(?:{_SECONDS}S)?)?"
)
#: At least one digit that is not 0: a duration is longer than nothing.
PATTERN = rf"^(?=.*[1-9])(?:{_SHORT}|{_ISO})$"
_COMPILED = re.compile(PATTERN)

EXPECTED = "a duration such as 30s, 5m, 1h30m, PT1H or a number of seconds"


def parse_duration(value: Any) -> timedelta:
    """Return the duration that the text or number of seconds means; raise `ValueError` for anything else."""
    if isinstance(value, timedelta):
        duration = value
    elif isinstance(value, str):
        duration = _from_text(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e9:
        duration = timedelta(milliseconds=round(value * 1000))
    else:
        raise ValueError(f"expected {EXPECTED}, found {value!r:.80}")
    if not MILLISECOND <= duration <= LONGEST:
        raise ValueError(f"expected a duration from 1ms to {LONGEST.days}d, found {value!r:.80}")
    return duration


def _from_text(text: str) -> timedelta:
    match = _COMPILED.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {EXPECTED}, found {text!r:.80}")
    days, hours, minutes, seconds, milliseconds, *iso = match.groups(default="0")
    weeks, iso_days, iso_hours, iso_minutes, iso_seconds = iso
    total_days = int(days) + int(iso_days) + 7 * int(weeks)
    total_hours = 24 * total_days + int(hours) + int(iso_hours)
    total_minutes = 60 * total_hours + int(minutes) + int(iso_minutes)
    total = 60_000 * total_minutes + _milliseconds(seconds) + _milliseconds(iso_seconds) + int(milliseconds)
    return min(total, 2 * LONGEST // MILLISECOND) * MILLISECOND


def _milliseconds(seconds: str) -> int:
    """Return decimal seconds as milliseconds, without the error of binary fractions."""
    whole, _, fraction = seconds.partition(".")
    return 1000 * int(whole) + int(fraction.ljust(3, "0"))


def format_duration(duration: timedelta) -> str:
    """Return the one short text of a duration, such as `1h30m`; `parse_duration` turns it back."""
    rest = duration // MILLISECOND
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return text or "0s"


def _validated(value: Any) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise PydanticCustomError("duration", "{reason}", {"reason": str(error)}) from error


Duration = Annotated[
    timedelta,
    BeforeValidator(_validated),
    WithJsonSchema(
        {
            "description": f"{EXPECTED[0].upper()}{EXPECTED[1:]}.",
            "examples": ["30s", "1h30m", "PT1H", 90],
            "anyOf": [
                {"type": "string", "pattern": PATTERN},
                {"type": "number", "minimum": 0.001, "maximum": LONGEST.total_seconds()},
            ],
        }
    ),
    PlainSerializer(format_duration, return_type=str),
]
"""A `timedelta` in models; a text or a number of seconds in documents."""
