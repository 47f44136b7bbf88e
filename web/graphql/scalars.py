"""Scalars that GraphQL does not bring along: whole numbers of 64 bits, instants, and JSON as it is."""

import datetime as dt
from typing import Any, NewType

import orjson
import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

#: Ledger positions and counts do not fit GraphQL's Int, which has 32 bits.
Long = NewType("Long", int)

_LONGEST = 2**63


def _long(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise GraphQLError(f"expected a whole number, found {value!r:.100}")
    if not -_LONGEST <= value < _LONGEST:
        raise GraphQLError(f"expected a whole number of 64 bits, found {value!r:.100}")
    return value


def _instant(value: Any) -> dt.datetime:
    if not isinstance(value, str):
        raise GraphQLError(f"expected an instant such as 2026-01-31T12:00:00Z, found {value!r:.100}")
    try:
        instant = dt.datetime.fromisoformat(value)
    except ValueError as error:
        message = f"expected an instant such as 2026-01-31T12:00:00Z, found {value!r:.100}"
        raise GraphQLError(message) from error
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=dt.UTC)


def raw_json(body: bytes) -> Any:
    """Return stored JSON in a form that is put into the answer byte by byte, without reading it."""
    return orjson.Fragment(body)


CONFIG = StrawberryConfig(
    scalar_map={
        Long: strawberry.scalar(
            name="Long",
            description="A whole number of 64 bits, written as a JSON number.",
            serialize=_long,
            parse_value=_long,
        ),
        JSON: strawberry.scalar(
            name="JSON",
            description="Any JSON value.",
            serialize=lambda value: value,
            parse_value=lambda value: value,
        ),
        dt.datetime: strawberry.scalar(
            name="DateTime",
            description="An instant as RFC 3339 writes it; without a zone it is UTC.",
            serialize=dt.datetime.isoformat,
            parse_value=_instant,
        ),
    }
)
