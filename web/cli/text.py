"""Texts of others made fit for a terminal, and instants and durations in words."""

import datetime as dt
import re
from decimal import Decimal

#: What a terminal may take as an order, and what may turn, hide or join what stands around it: control characters
#: (C0, DEL, C1), halves of characters, separators of lines, and the invisible characters that direct text.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_UNSAFE_IN_JSON = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", ""))

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

SECONDS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}


def shown(text: object, *, lines: bool = False) -> str:
    """Return the text with every character that could steer a terminal written as an escape.

    With `lines`, line breaks and tabs stay.
    """
    kept = "\n\t" if lines else ""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in kept else _escape(found[0]), str(text))


def brief(text: str) -> str:
    """Return the text with each UUID in it cut to its beginning, for tables."""
    return _UUID.sub(lambda found: f"{found[0][:8]}…", text)


def safe_json(text: str) -> str:
    """Return the JSON text with characters that could steer a terminal as escapes: the same value."""
    return _UNSAFE_IN_JSON.sub(lambda found: _json_escape(found[0]), text)


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    if named is not None:
        return named
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def parsed_instant(text: str) -> dt.datetime:
    """Return the instant of an RFC 3339 text; without a zone it is UTC. Raises `ValueError`."""
    instant = dt.datetime.fromisoformat(text)
    return instant.replace(tzinfo=dt.UTC) if instant.tzinfo is None else instant.astimezone(dt.UTC)


def instant(text: str | None) -> str:
    """Return the instant in UTC to the second, `-` where there is none."""
    return "-" if text is None else f"{parsed_instant(text):%Y-%m-%d %H:%M:%SZ}"


def duration(seconds: float | None) -> str:
    """Return the duration in at most two units, `-` where there is none."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        # Cut, never rounded up: 59.96 s are not 60.0 s.
        return f"{Decimal(int(seconds * 10)) / 10:.1f} s"
    rest = int(seconds)
    parts: list[str] = []
    for unit, size in SECONDS.items():
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds between two instants, None where one is not known."""
    if start is None or end is None:
        return None
    return (parsed_instant(end) - parsed_instant(start)).total_seconds()


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return the number with its noun in the right form."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
