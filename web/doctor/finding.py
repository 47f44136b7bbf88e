"""What a check found, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How it stands with one thing."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look at it."""
    PROBLEM = "problem"
    """Something does not work, or what was acknowledged may be lost."""
    UNKNOWN = "unknown"
    """It could not be looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` says what to do and is empty only where nothing is to be done."""

    check: str
    status: Status
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Status.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    """Return that somebody should look at it."""
    return Finding(check, Status.WARNING, found, advice)


def problem(check: str, found: str, advice: str) -> Finding:
    """Return that something does not work."""
    return Finding(check, Status.PROBLEM, found, advice)


def unknown(check: str, found: str, advice: str) -> Finding:
    """Return that it could not be looked at."""
    return Finding(check, Status.UNKNOWN, found, advice)
