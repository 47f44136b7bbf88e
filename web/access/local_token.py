"""The local token: a file in the data folder that only its owner can read, and which opens everything.

A web page can reach a loopback port but not a file, so the token tells the machine's user from the pages they look at.
"""

import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

import structlog

from catalog.errors import ConfigurationError
from catalog.settings import Settings

log = structlog.get_logger(__name__)

PREFIX = "hwl_"
_MAX_BYTES = 256
#: Another process may make or replace the file meanwhile.
_ATTEMPTS = 4


def ensure_local_token(settings: Settings) -> str:
    """Return the local token of the data folder, made there (mode 0600) if it is missing.

    A file that others could read is replaced: its token counts as known to them. Raises `ConfigurationError` where the
    folder cannot be written.
    """
    file = settings.local_token_file
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for _ in range(_ATTEMPTS):
            if (found := _read(file)) is not None:
                return found
            _create(file)
    except OSError as error:
        raise ConfigurationError(f"expected to keep the local token in {file}: {error.strerror}") from error
    raise ConfigurationError(f"expected a file system that keeps {file} from other users, this one does not")


def read_local_token(settings: Settings) -> str | None:
    """Return the local token for a client on this machine, None where there is none that it may read."""
    try:
        token = settings.local_token_file.read_text("ascii").strip()
    except (FileNotFoundError, PermissionError, UnicodeDecodeError):
        return None
    return token or None


def is_same_secret(shown: str, expected: str) -> bool:
    """Return whether the secrets are equal, in a time that does not tell how far they agree."""
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), expected.encode("ascii"))


def _read(file: Path) -> str | None:
    """Return the token; None where there is no file, or one that cannot be trusted, which is gone then."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as opened:
        status = os.fstat(opened.fileno())
        text = opened.read(_MAX_BYTES + 1).decode("ascii", "replace").strip()
    owned = status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if owned and text.startswith(PREFIX) and len(text) <= _MAX_BYTES:
        return text
    log.warning(
        "local_token.replaced", file=str(file), reason="other users could read it, or it holds no token"
    )
    with suppress(FileNotFoundError):
        file.unlink()
    return None


def _create(file: Path) -> None:
    """Put a complete file there, or leave the one that somebody else put there meanwhile."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(f"{PREFIX}{secrets.token_urlsafe(32)}\n".encode())
            opened.flush()
            os.fsync(opened.fileno())
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()
