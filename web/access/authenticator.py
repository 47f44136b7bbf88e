"""Authentication: from a request's token to its principal, without a query for most requests."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import structlog

from catalog.errors import Unauthenticated
from web.access.boundary import Boundary, is_forwarded, is_loopback_address, is_same_machine
from web.access.local_token import is_same_secret
from web.access.permissions import LOCAL, LOOPBACK, Principal
from web.access.tokens import TokenStore

log = structlog.get_logger(__name__)

#: An answer to a wrong token waits so long, in seconds.
FAILURE_DELAY = 0.25
#: More waiting answers than this are not kept; those beyond it are answered at once.
MAX_DELAYED = 64
#: Failures are logged at most once in so many seconds, with the number of those between.
LOG_SECONDS = 1.0


class Authenticator:
    """Finds the principal of a request: by its token, or by its place on this machine."""

    def __init__(self, boundary: Boundary, tokens: TokenStore, local_token: str) -> None:
        self._boundary = boundary
        self._tokens = tokens
        self._local_token = local_token
        self._lookup: asyncio.Lock | None = None
        self._delayed = 0
        self._unlogged = 0
        self._logged_at = float("-inf")

    async def principal(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> Principal | None:
        """Return the principal, None where a token is needed and none was shown.

        Raises `Unauthenticated` for a token that is shown and not valid, `DatabaseUnavailable`.
        """
        authorization = headers.get(b"authorization")
        if authorization is None:
            return LOOPBACK if self._is_open(scope, headers) else None
        scheme, _, secret = authorization.decode("latin-1").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise await self._failure(scope, "expected the header Authorization: Bearer TOKEN")
        if is_same_secret(secret, self._local_token) and is_same_machine(scope, headers):
            return LOCAL
        principal = self._tokens.recall(secret)
        if principal is None:
            principal = await self._look_up(secret)
        if principal is None:
            raise await self._failure(scope, "the token is not valid: it is unknown, revoked or expired")
        return principal

    def _is_open(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> bool:
        """Return whether the request needs no token to read and to send events."""
        client = scope.get("client")
        if not client or not self._boundary.loopback_only or is_forwarded(headers):
            return False
        return is_loopback_address(client[0]) and self._boundary.is_own(
            headers.get(b"host", b"").decode("latin-1")
        )

    async def _look_up(self, secret: str) -> Principal | None:
        # One at a time, so that a flood of wrong tokens takes one thread and not all of them.
        if self._lookup is None:
            self._lookup = asyncio.Lock()
        async with self._lookup:
            return await asyncio.to_thread(self._tokens.authenticate, secret)

    async def _failure(self, scope: Mapping[str, Any], message: str) -> Unauthenticated:
        now = time.monotonic()
        self._unlogged += 1
        if now - self._logged_at >= LOG_SECONDS:
            client = scope.get("client")
            log.warning(
                "access.refused",
                reason=message,
                client=client[0] if client else None,
                path=str(scope.get("path"))[:200],
                failures=self._unlogged,
            )
            self._logged_at, self._unlogged = now, 0
        if self._delayed < MAX_DELAYED:
            self._delayed += 1
            try:
                await asyncio.sleep(FAILURE_DELAY)
            finally:
                self._delayed -= 1
        return Unauthenticated(message)
