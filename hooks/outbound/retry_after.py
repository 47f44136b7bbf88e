"""How long a server asks to be left alone (RFC 9110 section 10.2.3)."""

import datetime as dt
import email.utils
import re

#: A server that asks for more asks for this, in seconds.
LONGEST_SECONDS = 366 * 86_400


def retry_after(value: str | None, now: dt.datetime) -> dt.datetime | None:
    """Return the instant that a `Retry-After` header names, not before `now`; None where it names none.

    The header is a number of seconds or an HTTP date in any of its three forms.
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,20}", text):
        return now + dt.timedelta(seconds=min(int(text), LONGEST_SECONDS))
    try:
        instant = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # The form of asctime() names no zone; HTTP dates are UTC.
    instant = instant.replace(tzinfo=dt.UTC) if instant.tzinfo is None else instant
    return min(max(instant, now), now + dt.timedelta(seconds=LONGEST_SECONDS))
