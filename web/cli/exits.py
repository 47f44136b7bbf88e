"""Exit codes that scripts can trust, and the one line in which an error is told."""

from enum import IntEnum

from catalog.errors import (
    ConfigurationError,
    Conflict,
    DataFolderInUse,
    Forbidden,
    HeadwaterError,
    InvalidDocument,
    InvalidInput,
    LengthRequired,
    NotFound,
    PayloadTooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    UntrustedHost,
    UntrustedOrigin,
)
from web.cli.text import shown


class ExitCode(IntEnum):
    """What the exit code of every command means."""

    OK = 0
    FAILURE = 1
    """Something failed that none of the others describes; also: what was asked about is not well."""
    INVALID = 2
    """The command line, a file or a setting does not have the expected form."""
    REFUSED = 3
    """What was asked is not allowed or not possible as things stand: conflict, not found, forbidden."""
    UNAVAILABLE = 4
    """The server or its database does not answer; the same command may succeed later."""


_CODES: tuple[tuple[ExitCode, tuple[type[HeadwaterError], ...]], ...] = (
    (ExitCode.UNAVAILABLE, (Unavailable,)),
    # A folder that another Headwater holds is a conflict, although its class tells of settings.
    (
        ExitCode.REFUSED,
        (Unauthenticated, Forbidden, NotFound, Conflict, UntrustedHost, UntrustedOrigin, DataFolderInUse),
    ),
    (
        ExitCode.INVALID,
        (InvalidInput, PayloadTooLarge, UnsupportedMediaType, LengthRequired, ConfigurationError),
    ),
)

_HINTS: tuple[tuple[type[HeadwaterError], str], ...] = (
    (Unauthenticated, "set HEADWATER_TOKEN, or give --data-dir if the server runs on this machine"),
    (Forbidden, "ask an administrator for a token with another role"),
    (InvalidDocument, "nothing was changed"),
)


def exit_code(error: HeadwaterError) -> ExitCode:
    """Return the exit code of a command that ended with the error."""
    return next((code for code, kinds in _CODES if isinstance(error, kinds)), ExitCode.FAILURE)


def error_line(error: HeadwaterError) -> str:
    """Return code, message and what to do about it; more than one line only where the message lists faults."""
    hint = next((hint for kind, hint in _HINTS if isinstance(error, kind)), None)
    line = f"headwater: {error.code}: {shown(error.message, lines=True)}"
    if hint is None:
        return line
    return f"{line}\n{hint}" if "\n" in line else f"{line}; {hint}"
