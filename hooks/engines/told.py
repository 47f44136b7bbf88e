"""Text from outside that people and the database are shown: printable, and of a bounded length."""

import re

LONGEST_REASON = 500
LONGEST_TOLD = 4000
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def printable(text: str, longest: int = LONGEST_REASON) -> str:
    """Return the text with what cannot be stored or would deceive its reader replaced, cut to a length."""
    plain = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[: longest + 1])
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
