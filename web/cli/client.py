"""The one client of a server: HTTP and GraphQL, its token, repetition of what may be repeated, errors as ours."""

import ipaddress
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import stamina

from catalog.errors import (
    ConfigurationError,
    Forbidden,
    HeadwaterError,
    PositionNotReached,
    QueryTimedOut,
    RefusedByServer,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    UntrustedHost,
)
from catalog.settings import Settings
from web.access.local_token import read_local_token
from web.cli.logs import log_to_stderr
from web.cli.options import DEFAULT_URL, client_settings, settings_of
from web.cli.output import say

CONNECT_SECONDS = 5.0
#: A server waits ten seconds for the verdict on a command and fifteen for an answer.
ANSWER_SECONDS = 60.0
#: How long an idempotent request is repeated while the server says that it is not able to; a person waits.
PATIENCE_SECONDS = 10.0
#: How long while nobody answers: long enough for a process that is replaced.
UNREACHABLE_SECONDS = 2.0

JSON = "application/json"


def errors_by_code() -> dict[str, type[HeadwaterError]]:
    """Return every class of the error tree by its stable code."""
    found: dict[str, type[HeadwaterError]] = {}
    waiting: list[type[HeadwaterError]] = [HeadwaterError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind)
        waiting.extend(kind.__subclasses__())
    return found


def error_of(code: object, message: str, *, status: int | None = None) -> HeadwaterError:
    """Return the error that the server named; where its code is unknown here, the HTTP status gives the kind."""
    kind = errors_by_code().get(code) if isinstance(code, str) else None
    if kind is None:
        by_status = {401: Unauthenticated, 403: Forbidden, 421: UntrustedHost, 503: Unavailable}
        kind = by_status.get(status or 0, RefusedByServer)
        message = f"{message} ({code})" if code else message
    return kind(message)


def is_loopback(host: str) -> bool:
    """Return whether the host of a URL is this machine and nothing else."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def server_url(url: str | None, settings: Settings) -> httpx.URL:
    """Return the URL to ask: the one given, else the one that `headwater up` announced in its lock, else the default.

    Raises `ConfigurationError` for what is no URL of a server.
    """
    text = url or _announced_url(settings.data_dir) or DEFAULT_URL
    try:
        parsed = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"expected the URL of a server such as {DEFAULT_URL}: {error}") from error
    if (
        parsed.scheme not in ("http", "https")
        or not parsed.host
        or parsed.userinfo
        or parsed.query
        or parsed.fragment
    ):
        message = f"expected the URL of a server such as {DEFAULT_URL}, with no user and no query"
        raise ConfigurationError(message)
    return parsed


def _announced_url(data_dir: Path) -> str | None:
    # The form is that of catalog.embedded.FolderHolder, whose package brings the database along.
    try:
        url = json.loads((data_dir / "lock").read_bytes())["url"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return url if isinstance(url, str) else None


def token_for(url: httpx.URL, settings: Settings) -> str | None:
    """Return the token to show: the one that the settings name, else the local one if the server is this machine."""
    token = client_settings().token
    if token is not None and token.get_secret_value().strip():
        return token.get_secret_value().strip()
    return read_local_token(settings) if is_loopback(url.host) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; raise `UnexpectedAnswer` where it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnexpectedAnswer(
                f"expected JSON, found {self.body[:80]!r} with status {self.status}"
            ) from error


class Client:
    """Asks one server."""

    def __init__(self, url: httpx.URL, token: str | None) -> None:
        self.url = url
        self.token = token
        headers = {"user-agent": f"headwater/{version('headwater')}", "accept": JSON}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        # Redirects are not followed and, on this machine, no proxy is asked: the token is for this server alone.
        self._http = httpx.Client(
            base_url=url,
            headers=headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            trust_env=not is_loopback(url.host),
        )

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of a GraphQL operation; it is repeated while the server is away for a moment.

        A mutation must bear an idempotency key, so that repeating it is safe. Raises the first error of the answer.
        """
        body = json.dumps({"query": query, "variables": variables}).encode()
        for attempt in self._attempts():
            with attempt:
                return _data(self._send("POST", "/graphql", body))
        raise UnexpectedAnswer

    def post(self, path: str, body: bytes) -> Answer:
        """Return the answer to an idempotent POST; it is repeated while the server is away for a moment."""
        return self._repeated("POST", path, body)

    def put(self, path: str, body: bytes) -> Answer:
        """Return the answer to a PUT; it is repeated while the server is away for a moment."""
        return self._repeated("PUT", path, body)

    def delete(self, path: str) -> Answer:
        """Return the answer to a DELETE; it is repeated while the server is away for a moment."""
        return self._repeated("DELETE", path, None)

    def _repeated(self, method: str, path: str, body: bytes | None) -> Answer:
        for attempt in self._attempts():
            with attempt:
                return _checked(self._send(method, path, body))
        raise UnexpectedAnswer

    def get(self, path: str, *, accepted: tuple[int, ...] = ()) -> Answer:
        """Return the answer to a GET, of an accepted status too."""
        for attempt in self._attempts():
            with attempt:
                answer = self._send("GET", path, None)
                return answer if answer.status in accepted else _checked(answer)
        raise UnexpectedAnswer

    def _attempts(self) -> Iterator[Any]:
        began = time.monotonic()

        def may_pass(error: Exception) -> bool:
            if isinstance(error, Unreachable):
                return time.monotonic() - began < UNREACHABLE_SECONDS
            # What took its whole time will take it again.
            return isinstance(error, Unavailable) and not isinstance(
                error, PositionNotReached | QueryTimedOut
            )

        waits = {"wait_initial": 0.1, "wait_max": 1.0, "wait_jitter": 0.1}
        return iter(stamina.retry_context(on=may_pass, attempts=None, timeout=PATIENCE_SECONDS, **waits))

    def _send(self, method: str, path: str, body: bytes | None) -> Answer:
        try:
            response = self._http.request(
                method, path, content=body, headers={"content-type": JSON} if body is not None else {}
            )
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Unreachable(self._unreachable(error)) from error
        return Answer(response.status_code, response.headers, response.content)

    def _unreachable(self, error: httpx.HTTPError) -> str:
        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.ConnectError):
            return f"nothing answers at {self.url} ({reason}): start a server with `headwater up`, or give its --url"
        return f"the server at {self.url} did not answer ({reason}); send the command again later"


def _checked(answer: Answer) -> Answer:
    if 200 <= answer.status < 300:
        return answer
    if "json" not in answer.headers.get("content-type", ""):
        reason = f"expected a Headwater server, found an answer with status {answer.status}"
        raise (
            error_of(None, reason, status=answer.status) if answer.status == 503 else UnexpectedAnswer(reason)
        )
    problem = answer.json()
    if not isinstance(problem, dict):
        raise UnexpectedAnswer(f"expected a problem document, found status {answer.status}")
    message = str(problem.get("detail") or problem.get("title") or f"status {answer.status}")
    raise error_of(problem.get("code"), message, status=answer.status)


def _data(answer: Answer) -> dict[str, Any]:
    found = answer.json() if "json" in answer.headers.get("content-type", "") else None
    if not isinstance(found, dict) or not (found.keys() & {"data", "errors"}):
        if answer.status != 404:
            _checked(answer)
        raise UnexpectedAnswer(
            f"expected an answer of GraphQL, found status {answer.status}: is this a Headwater?"
        )
    if errors := found.get("errors"):
        first = errors[0]
        raise error_of(
            (first.get("extensions") or {}).get("code"), str(first.get("message")), status=answer.status
        )
    if not isinstance(found.get("data"), dict):
        raise UnexpectedAnswer("expected data, found none")
    return dict(found["data"])


@contextmanager
def connected(url: str | None, data_dir: Path | None) -> Iterator[Client]:
    """Yield a client of the server that options and environment name; nothing is asked yet."""
    log_to_stderr()
    stamina.instrumentation.set_on_retry_hooks([_tell_retry])
    settings = settings_of(data_dir)
    found = server_url(url, settings)
    client = Client(found, token_for(found, settings))
    try:
        yield client
    finally:
        client.close()


def _tell_retry(details: stamina.instrumentation.RetryDetails) -> None:
    if details.retry_num == 1:
        say("the server does not answer yet; tries again")
