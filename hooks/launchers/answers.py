"""What answers over HTTP mean to every launcher, and how they are told without the secrets that were sent."""

import base64
import datetime as dt
import html
import json
from collections.abc import Collection, Iterator
from typing import Any, NoReturn, assert_never
from urllib.parse import quote, quote_plus

from catalog.redaction import MARK, redact_text
from hooks.engines.port import Declined, Unclear, Unreached
from hooks.engines.told import printable
from hooks.outbound import Answered, NotSent, Unanswered
from hooks.outbound.retry_after import retry_after

TOO_MANY, UNAVAILABLE, CONFLICT = 429, 503, 409
#: A secret shorter than this is not looked for in answers: it would be found everywhere.
SHORTEST_SECRET = 4
_URL_SAFE = str.maketrans("+/", "-_")


def declined(answer: Answered, told: str, now: dt.datetime) -> Declined | None:
    """Return that the server asks to come back later, where it does."""
    until = retry_after(answer.headers.get("retry-after"), now)
    if answer.status == TOO_MANY or (answer.status == UNAVAILABLE and until is not None):
        return Declined(until, told)
    return None


def unanswered(exchange: NotSent | Unanswered) -> Unreached | Unclear:
    """Return what it means that a question about an attempt had no answer: it changes nothing either way."""
    match exchange:
        case NotSent(reason, True):
            return Unclear(printable(reason), lasting=True)
        case NotSent(reason, _):
            return Unreached(printable(reason))
        case Unanswered(reason):
            return Unclear(printable(reason))
        case _:
            assert_never(exchange)


def json_of(answer: Answered) -> Any:
    """Return the body as JSON; raise `ValueError` that says what is wrong with it."""
    if answer.cut is not None:
        raise ValueError(answer.cut)
    try:
        return json.loads(answer.body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("its body is no JSON") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def without_secrets(text: str, secrets: Collection[str]) -> str:
    """Return the text without the secrets, should the server have sent them back, in whatever usual form.

    Nor does it keep the password of an address, or what else is redacted in an event: engines quote both in errors.
    """
    forms = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MARK)
    return redact_text(text)


def _forms(secret: str) -> Iterator[str]:
    """Yield how a text may hold the secret: as it is, in JSON, HTML, a URL, and in base64 wherever it begins there."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    yield quote(secret, safe="", errors="replace")
    yield quote_plus(secret, errors="replace")
    raw = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        # The characters at both ends hold bits of what stands beside it.
        coded = base64.b64encode(bytes(before) + raw)
        inner = coded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6].decode()
        if len(inner) >= SHORTEST_SECRET:
            yield inner
            yield inner.translate(_URL_SAFE)
