"""Logs: structured, on standard error; readable on a terminal, JSON elsewhere; never a secret in them."""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson
import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from catalog.errors import ConfigurationError
from catalog.redaction import MARK, redact_text
from catalog.settings import Settings

#: Bearer tokens, and Headwater's own wherever they stand.
_TOKEN = re.compile(r"\bhw[tl]_[A-Za-z0-9_-]{16,}|(?<=\bbearer )[A-Za-z0-9._~+/-]{8,}=*", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|secret|token|authorization|api_key|cookie)$", re.IGNORECASE
)
_DEEPEST = 6


class Level(StrEnum):
    """What a process may log from, most first."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


#: Libraries that tell every step; what goes wrong in them still shows.
_QUIET = (
    "procrastinate",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
    "httpx",
    "httpcore",
    "asyncio",
    "alembic",
)


def without_secrets(value: Any, depth: int = 0) -> Any:
    """Return the value with every token, and every password of a URL or connection text, replaced."""
    match value:
        case str():
            return _TOKEN.sub(MARK, redact_text(value))
        case bytes():
            return without_secrets(value.decode("utf-8", "replace"), depth)
        case bool() | int() | float() | None:
            return value
        case Mapping() if depth < _DEEPEST:
            return {
                key: MARK if _is_secret(key) and item else without_secrets(item, depth + 1)
                for key, item in value.items()
            }
        case Sequence() if depth < _DEEPEST:
            return [without_secrets(item, depth + 1) for item in value]
        case _:
            return without_secrets(str(value), depth)


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and _SECRET_NAME.search(name) is not None


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take secrets out of everything that is about to be written; tracebacks are text by then."""
    return {
        # The traceback's own objects are formatted before this; structlog keeps its record here.
        name: value
        if name in {"_record", "_from_structlog"}
        else MARK
        if _is_secret(name) and value
        else without_secrets(value)
        for name, value in event.items()
    }


def _json(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure_logging(settings: Settings) -> None:
    """Send every log of the process, those of libraries too, to standard error in the form that the settings ask for.

    Raises `ConfigurationError` for a form or level that does not exist.
    """
    if settings.log_format not in {"auto", "console", "json"}:
        raise ConfigurationError(f"expected log_format auto, console or json, found {settings.log_format!r}")
    level = level_number(settings.log_level)
    on_terminal = sys.stderr.isatty() if settings.log_format == "auto" else settings.log_format == "console"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=on_terminal and sys.stderr.isatty())
        if on_terminal
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[redact, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.getLogger().handlers = [handler]
    set_level(level)


def level_number(name: str) -> int:
    """Return the number of the level; raise `ConfigurationError` for one that does not exist."""
    try:
        level = Level(name.lower())
    except ValueError as error:
        raise ConfigurationError(
            f"expected log_level debug, info, warning or error, found {name!r}"
        ) from error
    return logging.getLevelNamesMapping()[level.name]


def set_level(level: int) -> None:
    """Let this process log from the level on; libraries that tell every step stay at warnings."""
    logging.getLogger().setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
