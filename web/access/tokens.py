"""Tokens: made once, shown once, kept as digests.

A secret is 256 random bits, so one round of SHA-256 is the right digest: nobody can guess such a secret or search the
space for it, and a slow password hash, which protects secrets that people choose, would only cost every request.
"""

import datetime as dt
import re
import secrets
import shlex
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from catalog.database import translated_errors
from catalog.errors import ConfigurationError, Conflict, InvalidInput, NotFound
from catalog.settings import Settings
from web.access.boundary import Boundary
from web.access.permissions import Principal, Role

#: Makes a token recognisable: to the redaction of logs, and to scanners that look for secrets in repositories.
PREFIX = "hwt_"
SECRET_BYTES = 32
#: No secret is longer; anything longer is not even hashed.
MAX_SECRET_CHARACTERS = 128
SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43,{MAX_SECRET_CHARACTERS - len(PREFIX)}}}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")

#: How old the remembered tokens may be, in seconds: a revoked token works no longer than this (plus one query).
REMEMBER_SECONDS = 2.0
#: An unknown secret may be a new token, so it is looked up again, but no more often than this, in seconds.
UNKNOWN_SECONDS = 0.25
#: All valid tokens are remembered, so there may not be more than this.
MAX_VALID_TOKENS = 10_000

#: The columns as statements here name them; the migrations make the table.
token_table = sa.table(
    "token",
    sa.column("name", sa.Text),
    sa.column("role", sa.Text),
    sa.column("hash", sa.LargeBinary),
    sa.column("created_at", sa.DateTime(timezone=True)),
    sa.column("expires_at", sa.DateTime(timezone=True)),
    sa.column("revoked_at", sa.DateTime(timezone=True)),
)

_NOW = sa.func.clock_timestamp()
_IS_VALID = sa.and_(
    token_table.c.revoked_at.is_(None),
    sa.or_(token_table.c.expires_at.is_(None), token_table.c.expires_at > _NOW),
)


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; its secret is not among it. Times are UTC. `valid` by the database's clock."""

    name: str
    role: Role
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    valid: bool


@dataclass(frozen=True, slots=True)
class _Remembered:
    """The valid tokens by digest, each with the instant (monotonic seconds) at which it expires."""

    read_at: float
    tokens: Mapping[bytes, tuple[Principal, float]]


def digest(secret: str) -> bytes:
    """Return the form in which a secret is stored."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


class TokenStore:
    """The tokens in the database, with a memory of the valid ones that is a few seconds old at most."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._remembered = _Remembered(float("-inf"), {})
        self._reading = threading.Lock()

    # -- making and ending

    def create(
        self, name: str, role: Role, expires: dt.datetime | None = None, *, secret: str | None = None
    ) -> str:
        """Return the secret of a new token, which is shown this once; `expires` has a time zone, None is never.

        With a `secret` that was made elsewhere the token has that one; the same again changes nothing.

        Raises `InvalidInput` for a bad name or secret or a time that has passed, `Conflict` for a name that was ever
        used: facts name their actor, and two actors may not share a name.
        """
        if NAME.fullmatch(name) is None:
            message = f"expected a name of letters, digits, '.', '_', '@' and '-', at most 64, found {name!r}"
            raise InvalidInput(message[:500], pointer="/name")
        ends = None if expires is None else _future(expires)
        if secret is not None and SECRET.fullmatch(secret) is None:
            # It is not repeated: it may be a secret of something else.
            raise InvalidInput(
                f"expected a secret of {PREFIX} and 43 to 124 random letters, digits, '_' and '-'"
            )
        if secret is not None and self._is_there(name, role, secret):
            return secret
        secret = secret or PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        row = {"name": name, "role": role.value, "hash": digest(secret), "expires_at": ends}
        try:
            with translated_errors(), self._engine.begin() as connection:
                valid = sa.select(sa.func.count()).select_from(token_table).where(_IS_VALID)
                if connection.execute(valid).scalar_one() >= MAX_VALID_TOKENS:
                    raise Conflict(f"there are {MAX_VALID_TOKENS} valid tokens already: revoke some first")
                connection.execute(token_table.insert().values(row))
        except IntegrityError as error:
            message = f"a token named {name!r} exists or existed: choose another name, such as {name}-2"
            raise Conflict(message, name=name) from error
        return secret

    def _is_there(self, name: str, role: Role, secret: str) -> bool:
        statement = sa.select(sa.func.count()).select_from(token_table)
        same = (
            token_table.c.name == name,
            token_table.c.role == role.value,
            token_table.c.hash == digest(secret),
            token_table.c.revoked_at.is_(None),
        )
        with translated_errors(), self._engine.connect() as connection:
            return bool(connection.execute(statement.where(*same)).scalar_one())

    def list(self) -> list[Token]:
        """Return every token that was ever made, the newest first."""
        columns = [column for column in token_table.c if column.name != "hash"]
        statement = sa.select(*columns, _IS_VALID.label("valid")).order_by(
            token_table.c.created_at.desc(), token_table.c.name
        )
        with translated_errors(), self._engine.connect() as connection:
            rows = connection.execute(statement).all()
        return [
            Token(
                row.name,
                Role(row.role),
                row.created_at,
                row.expires_at,
                row.revoked_at,
                bool(row.valid),
            )
            for row in rows
        ]

    def revoke(self, name: str) -> None:
        """End the token: within 5 seconds every server refuses it. Revoking again changes nothing.

        Raises `NotFound`.
        """
        missing = NotFound(f"there is no token named {name!r}"[:200])
        # What no token is called is not asked for: the database refuses some characters.
        if NAME.fullmatch(name) is None:
            raise missing
        statement = (
            token_table.update()
            .where(token_table.c.name == name)
            .values(revoked_at=sa.func.coalesce(token_table.c.revoked_at, _NOW))
        )
        with translated_errors(), self._engine.begin() as connection:
            if connection.execute(statement).rowcount == 0:
                raise missing
        self._remembered = _Remembered(float("-inf"), {})

    def any_valid(self) -> bool:
        """Return whether a token exists that opens the server."""
        with translated_errors(), self._engine.connect() as connection:
            return bool(connection.execute(sa.select(sa.exists().where(_IS_VALID))).scalar_one())

    # -- recognising

    def recall(self, secret: str) -> Principal | None:
        """Return whose secret it is if that is known without a query; None says to ask `authenticate`."""
        remembered = self._remembered
        now = time.monotonic()
        if now - remembered.read_at > REMEMBER_SECONDS or len(secret) > MAX_SECRET_CHARACTERS:
            return None
        return _holder(remembered, secret, now)

    def authenticate(self, secret: str) -> Principal | None:
        """Return whose secret it is, None for nobody's; raises `DatabaseUnavailable`.

        At most one query runs at a time and at most four run in a second, whoever asks how often.
        """
        if not secret.startswith(PREFIX) or len(secret) > MAX_SECRET_CHARACTERS:
            return None
        asked_at = time.monotonic()
        with self._reading:
            remembered = self._remembered
            known = _holder(remembered, secret, asked_at)
            fresh_for = REMEMBER_SECONDS if known is not None else UNKNOWN_SECONDS
            if asked_at - remembered.read_at > fresh_for:
                self._remembered = remembered = self._read()
                known = _holder(remembered, secret, time.monotonic())
        return known

    def _read(self) -> _Remembered:
        # The age counts from before the query, so that a revocation during it is not remembered for longer.
        read_at = time.monotonic()
        left = sa.func.extract("epoch", token_table.c.expires_at - _NOW)
        statement = sa.select(token_table.c.hash, token_table.c.name, token_table.c.role, left.label("left"))
        with translated_errors(), self._engine.connect() as connection:
            rows = connection.execute(statement.where(_IS_VALID)).all()
        tokens = {
            bytes(row.hash): (
                Principal.in_role(f"token:{row.name}", Role(row.role)),
                float("inf") if row.left is None else read_at + float(row.left),
            )
            for row in rows
        }
        return _Remembered(read_at, tokens)


def _future(expires: dt.datetime) -> dt.datetime:
    """Return the instant in UTC, in which it can be read back; raise `InvalidInput`."""
    try:
        ends = None if expires.tzinfo is None else expires.astimezone(dt.UTC)
    except OverflowError:
        ends = None
    if ends is None or ends <= dt.datetime.now(dt.UTC):
        raise InvalidInput(
            f"expected a time in the future with a time zone, before the year 10000, found {expires.isoformat()}",
            pointer="/expires",
        )
    return ends


def _holder(remembered: _Remembered, secret: str, now: float) -> Principal | None:
    found = remembered.tokens.get(digest(secret))
    return found[0] if found is not None and now < found[1] else None


def refuse_to_start(settings: Settings, tokens: TokenStore) -> None:
    """Raise `ConfigurationError` if others could reach the server and no valid token exists."""
    if Boundary.of(settings).loopback_only or tokens.any_valid():
        return
    # The embedded database is that of a folder; another one the command finds as the server does.
    where = f" --data-dir {shlex.quote(str(settings.data_dir))}" if settings.database_url is None else ""
    message = (
        f"expected a token before listening on {settings.host}, which other machines may reach, found none:"
        f" run `headwater token create NAME --role admin{where}`, or listen on 127.0.0.1"
    )
    raise ConfigurationError(message)
