"""Logs of a command that runs and ends: warnings, on stderr, so that stdout holds data alone."""

import sys

import structlog


def log_to_stderr() -> None:
    """Write log records from warnings on to stderr from now on."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
