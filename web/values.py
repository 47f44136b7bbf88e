"""What bodies and parameters of requests hold, where pydantic would take more, or the database would not."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from catalog.openlineage.times import parse_time

#: Texts without NUL characters, which the database refuses.
NO_NUL = r"^[^\u0000]*$"


def _instant(value: object) -> dt.datetime:
    if not isinstance(value, str):
        raise ValueError(f"expected a time such as 2024-10-17T09:18:11.101Z, found {value!r:.100}")  # noqa: TRY004 - pydantic's form
    return parse_time(value)


def _number(value: Any) -> Any:
    if isinstance(value, (bool, str)):
        raise ValueError(f"expected a whole number, found {value!r:.100}")  # noqa: TRY004 - pydantic's form
    return value


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL characters")
    return text


def within_bytes(most: int) -> Callable[[str], str]:
    """Return a validator of texts that have no more bytes of UTF-8."""

    def within(text: str) -> str:
        if len(text) > most // 4 and (found := len(text.encode())) > most:
            raise ValueError(f"expected at most {most} bytes, found {found}")
        return text

    return within


#: A text as the database takes it.
Text = Annotated[str, AfterValidator(_without_nul), Field(json_schema_extra={"pattern": NO_NUL})]
#: An instant as an event's time is read; without a zone it is UTC, and epoch numbers are none.
Instant = Annotated[dt.datetime, BeforeValidator(_instant)]
#: Of an `int`, after its bounds: neither `true` nor a text is a number, 5.0 is one (JSON Schema, 4.2.3).
WHOLE = BeforeValidator(_number)
#: How many of something there are, in 64 bits.
Count = Annotated[int, Field(ge=0, lt=2**63), WHOLE]
