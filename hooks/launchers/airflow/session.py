"""One step's talk with one Airflow: it shows a token, gets a new one where that has expired, and ends in time."""

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from catalog.documents.airflow_launcher import AirflowLauncher, PasswordCredentials, TokenCredentials
from catalog.errors import SecretUnavailable
from hooks.engines.told import LONGEST_TOLD, printable
from hooks.launchers.airflow.dag_runs import TOKEN_PATH
from hooks.launchers.answers import TOO_MANY, json_of, without_secrets
from hooks.launchers.secret import SecretReference
from hooks.outbound import Answered, Bounds, Exchange, NotSent, OutboundClient, OutboundRequest, Unanswered

UNAUTHORIZED, FORBIDDEN = 401, 403
#: Airflow says 401 of a token that has expired and 403 of one that another key signed, as after its key was changed.
_TOKEN_REFUSED = frozenset({UNAUTHORIZED, FORBIDDEN})
_FIRST_SERVER_FAULT = 500
#: With less time than this, in seconds, no request is begun.
_SHORTEST_SECONDS = 0.05
_MOST_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """Airflow gives no token for these credentials; what was to be asked was not asked."""

    reason: str


class Tokens:
    """Tokens by what they were given for; they are kept in memory alone."""

    def __init__(self) -> None:
        self._tokens: dict[bytes, str] = {}
        self._locks: dict[bytes, asyncio.Lock] = {}

    def get(self, key: bytes) -> str | None:
        """Return the token that is kept."""
        return self._tokens.get(key)

    def keep(self, key: bytes, token: str) -> None:
        """Keep a token in place of an earlier one; the oldest make room."""
        self._tokens.pop(key, None)
        self._tokens[key] = token
        while len(self._tokens) > _MOST_TOKENS:
            oldest = next(iter(self._tokens))
            del self._tokens[oldest]
            self._locks.pop(oldest, None)

    def lock(self, key: bytes) -> asyncio.Lock:
        """Return what lets one at a time log in: the others take its token."""
        return self._locks.setdefault(key, asyncio.Lock())


def _token_key(airflow: AirflowLauncher, username: str, password: str) -> bytes:
    """Return what a token is kept under: whoever names another password gets no token of this one."""
    return hashlib.sha256(json.dumps([airflow.url.rstrip("/"), username, password]).encode()).digest()


class Session:
    """The requests of one step, all of which together take no longer than `timeouts.answer`."""

    def __init__(
        self,
        client: OutboundClient,
        tokens: Tokens,
        airflow: AirflowLauncher,
        secrets_folder: Path | None,
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._airflow = airflow
        self._secrets_folder = secrets_folder
        self._secrets: set[str] = set()
        self._until = time.monotonic() + airflow.timeouts.answer.total_seconds()

    async def call(self, method: str, path: str, body: Any = None) -> Exchange | LoginRefused:
        """Ask Airflow; raise `SecretUnavailable` where the worker lacks the secret."""
        match self._airflow.credentials:
            case None:
                return await self._send(method, path, body, None)
            case TokenCredentials(token=token):
                return await self._send(method, path, body, self._read(token.secret))
            case PasswordCredentials(username=username, password=password):
                return await self._with_login(method, path, body, username, self._read(password.secret))
            case _:
                assert_never(self._airflow.credentials)

    async def _with_login(
        self, method: str, path: str, body: Any, username: str, password: str
    ) -> Exchange | LoginRefused:
        key = _token_key(self._airflow, username, password)
        kept = self._tokens.get(key)
        if kept is not None:
            answer = await self._send(method, path, body, kept)
            # Whoever refuses a token has done nothing: the same may be asked again with another.
            if not isinstance(answer, Answered) or answer.status not in _TOKEN_REFUSED:
                return answer
        token = await self._log_in(key, username, password, refused=kept)
        return await self._send(method, path, body, token) if isinstance(token, str) else token

    async def _log_in(
        self, key: bytes, username: str, password: str, *, refused: str | None
    ) -> str | Answered | NotSent | LoginRefused:
        """Return a token that is not the refused one, or what kept Airflow from giving any."""
        lock = self._tokens.lock(key)
        try:
            async with asyncio.timeout(self._left()):
                await lock.acquire()
        except TimeoutError:
            return NotSent("another request was still waiting for a token", permanent=False)
        try:
            known = self._tokens.get(key)
            if known is not None and known != refused:
                self._secrets.add(known)
                return known
            answer = await self._send("POST", TOKEN_PATH, {"username": username, "password": password}, None)
            token = self._token_of(answer)
            if isinstance(token, str):
                self._tokens.keep(key, token)
            return token
        finally:
            lock.release()

    def _token_of(self, answer: Exchange) -> str | Answered | NotSent | LoginRefused:
        match answer:
            case NotSent():
                return answer
            case Unanswered(reason):
                # Only the token was asked for.
                return NotSent(reason, permanent=False)
            case Answered(status=status) if status == TOO_MANY or status >= _FIRST_SERVER_FAULT:
                return answer
            case Answered(status=201 | 200):
                content = content_of(answer)
                token = content.get("access_token")
                if isinstance(token, str) and token.isascii() and token.isprintable() and token:
                    self._secrets.add(token)
                    return token
                return LoginRefused(f"{TOKEN_PATH} answered {answer.status} without a token")
            case Answered():
                return LoginRefused(f"Airflow gave no token: {TOKEN_PATH} {self.told(answer)}")
            case _:
                assert_never(answer)

    async def _send(self, method: str, path: str, body: Any, token: str | None) -> Exchange:
        left = self._left()
        if left < _SHORTEST_SECONDS:
            return NotSent("there was no time left for it", permanent=False)
        headers = {"Accept": "application/json"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        own = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"{self._airflow.url.rstrip('/')}{path}"
        connect = min(self._airflow.timeouts.connect.total_seconds(), left)
        # Neither the password nor the token is for anybody else, nor is another's word Airflow's.
        request = OutboundRequest(method, url, headers, own, content, own_origin_only=True)
        return await self._client.send(request, Bounds(connect, left))

    def _left(self) -> float:
        return max(self._until - time.monotonic(), 0.0)

    def _read(self, name: str) -> str:
        secret = SecretReference.parse(name).read(self._secrets_folder)
        if not secret or not secret.isascii() or not secret.isprintable():
            raise SecretUnavailable(f"the secret {name} cannot stand in a request to Airflow", secret=name)
        self._secrets.add(secret)
        return secret

    def told(self, answer: Answered) -> str:
        """Return an answer's status and what it says of it, in one line."""
        detail = detail_of(answer)
        return self.plain(f"answered {answer.status}" + (f": {detail}" if detail else ""))

    def plain(self, text: str, longest: int = LONGEST_TOLD) -> str:
        """Return the text printable and without the secrets of this talk."""
        return printable(without_secrets(text, self._secrets), longest)


def content_of(answer: Answered) -> dict[str, Any]:
    """Return the JSON object in the answer, an empty one where it holds none."""
    try:
        content = json_of(answer)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def detail_of(answer: Answered) -> str:
    """Return what Airflow says of an error: a text, the reason of a fault in its database, or fields that are wrong."""
    match content_of(answer).get("detail"):
        case str(text):
            return text
        case {"reason": str(reason)}:
            return reason
        case [*faults]:
            return "; ".join(
                f"{'.'.join(str(part) for part in fault.get('loc', ()))}: {fault.get('msg', '')}"
                for fault in faults[:5]
                if isinstance(fault, dict)
            )
        case _:
            return ""
