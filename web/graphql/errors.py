"""Errors in answers: the same stable `code` as everywhere else in `extensions`, and nothing of what nobody expected."""

import re
import uuid
from collections.abc import Iterable
from typing import Any

import structlog
from graphql import GraphQLError

from catalog.errors import HeadwaterError, InvalidQuery, NotUnderstood

log = structlog.get_logger(__name__)

#: How graphql-core says that an enum of the schema has no such word as was found in the database.
_UNKNOWN_WORD = re.compile(r"Enum '\w+' cannot represent value: ")

#: More errors than this do not make an answer clearer.
MOST_ERRORS = 50


def told(errors: Iterable[GraphQLError]) -> list[dict[str, Any]]:
    """Return the errors in the form of the response; what nobody expected is logged, and its text kept back."""
    return [_told(error) for _, error in zip(range(MOST_ERRORS), errors, strict=False)]


def told_alone(error: HeadwaterError) -> dict[str, Any]:
    """Return an error that stands for the whole answer."""
    return {"message": error.message, "extensions": _extensions(error)}


def _told(error: GraphQLError) -> dict[str, Any]:
    cause = _cause(error)
    members: dict[str, Any] = {"message": cause.message}
    if error.locations:
        members["locations"] = [
            {"line": location.line, "column": location.column} for location in error.locations
        ]
    if error.path is not None:
        members["path"] = error.path
    members["extensions"] = _extensions(cause)
    return members


def _cause(error: GraphQLError) -> HeadwaterError:
    """Return our own error behind the one of graphql-core."""
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if isinstance(original, HeadwaterError):
        return original
    # With a path it is about an answer; without one about what was sent.
    if (
        error.path is not None
        and isinstance(original, GraphQLError)
        and _UNKNOWN_WORD.match(original.message)
    ):
        return NotUnderstood(f"the catalog holds what a newer release wrote: {original.message}"[:300])
    if error.path is None and (original is None or isinstance(original, GraphQLError)):
        # graphql-core itself refuses a query or a value in it; its words name the place.
        return InvalidQuery(error.message)
    reference = uuid.uuid4().hex[:12]
    log.error("graphql.unexpected_error", reference=reference, path=error.path, exc_info=original or error)
    return HeadwaterError(f"something went wrong in Headwater; its log has it as {reference}")


def _extensions(error: HeadwaterError) -> dict[str, Any]:
    details = {name: value for name, value in error.details.items() if value not in (None, "")}
    return {**details, "code": error.code, "retryable": error.retryable}
