"""Another server whose events are read: Marquez, or a Headwater, which gives them in the same form."""

import datetime as dt
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import httpx
import stamina

from catalog.errors import (
    ConfigurationError,
    Forbidden,
    QueryTooExpensive,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from web.cli.client import CONNECT_SECONDS, is_loopback
from web.cli.event_pages import Page, read_page
from web.cli.text import parsed_instant

PATH = "api/v1/events/lineage"
ANSWER_SECONDS = 120.0
#: How long a server that is away is asked again.
PATIENCE_SECONDS = 60.0
#: Bytes of one page beyond which fewer events are asked for at once.
MOST_PAGE_BYTES = 64 * 1024 * 1024
#: Events of one page beyond which a server may refuse.
MOST_LIMIT = 10_000
#: A Headwater says in it that it has no events any more that it received before an instant.
REMOVED_HEADER = "headwater-events-removed-before"
#: A Headwater says in it where it was read; Marquez does not know it.
POSITION_HEADER = "headwater-position"
#: Before and after every event. Without them Marquez leaves out what lies before 1970 or after 2029.
EARLIEST = dt.datetime.min.replace(tzinfo=dt.UTC)
LATEST = dt.datetime.max.replace(tzinfo=dt.UTC)


class _TooLargeError(Exception):
    """A page is larger than may be read at once."""


def source_url(text: str) -> httpx.URL:
    """Return the URL of a server, whether or not its API's path is given; raise `ConfigurationError` for others."""
    try:
        url = httpx.URL(text.rstrip("/").removesuffix("/api/v1") + "/")
    except httpx.InvalidURL as error:
        raise ConfigurationError(
            f"expected the URL of a server such as http://127.0.0.1:5000: {error}"
        ) from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise ConfigurationError(
            "expected the URL of a server such as http://127.0.0.1:5000, with no user and no query"
        )
    return url


class EventSource:
    """Reads events in the order of their instants, so that none is lost where many tell the same one."""

    def __init__(self, url: httpx.URL, token: str | None, *, limit: int) -> None:
        self.url = url
        headers = {"user-agent": f"headwater/{version('headwater')}", "accept": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        # Redirects are not followed: the token is for this server alone.
        self._http = httpx.Client(
            base_url=url,
            headers=headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            trust_env=not is_loopback(url.host),
        )
        self._limit = limit
        #: Events that the server received before this may be gone from it, as its latest answer says.
        self.removed_before: dt.datetime | None = None
        #: Whether the latest answer came from a Headwater, which gives events of all kinds as producers wrote them.
        self.is_headwater = False
        #: More events than this may not be asked for at once.
        self._most = MOST_LIMIT

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def count(self, after: dt.datetime) -> int | None:
        """Return how many events tell the instant or a later one, None where the server does not say.

        Marquez counts DatasetEvents and JobEvents too, which its pages do not have.
        """
        return self._page(after, LATEST, limit=1, total=True).total

    def not_given(self, after: dt.datetime) -> int:
        """Return how many of the events that the server counts from the instant on its pages do not have."""
        counted = given = self.count(after) or 0
        known = 0
        place = counted
        while known < given:
            if self._page(after, LATEST, limit=1, offset=place - 1).events:
                known = place
            else:
                given = place - 1
            place = (known + given + 1) // 2
        return counted - given

    def pages(self, after: dt.datetime) -> Iterator[tuple[Page, dt.datetime]]:
        """Yield pages of the events that tell the instant or a later one, each with the instant to go on from.

        Every page holds all that lies between the instants, besides some that the page before it held.
        """
        limit = self._limit
        while True:
            try:
                page = self._page(after, LATEST, limit=limit)
            except _TooLargeError:
                limit = self._fewer(limit)
                continue
            instants = [event.at for event in page.events if event.at is not None]
            last = max(instants, default=after)
            if len(page.events) < limit:
                yield page, last
                return
            if last > after:
                yield page, last
                after, limit = last, self._limit
            elif 2 * limit <= self._most:
                # All of one instant: a page must reach beyond it, because nobody promises an order among them.
                limit = 2 * limit
            else:
                yield from ((each, after) for each in self._of_instant(after))
                after += dt.timedelta(microseconds=1)
                limit = self._limit

    def _of_instant(self, instant: dt.datetime) -> Iterator[Page]:
        """Yield pages of more events of one instant than one answer may hold."""
        until = instant + dt.timedelta(microseconds=1)
        limit, offset = self._limit, 0
        while True:
            try:
                page = self._page(instant, until, limit=limit, offset=offset)
            except _TooLargeError:
                limit = self._fewer(limit)
                continue
            yield page
            offset += len(page.events)
            if len(page.events) < limit:
                return

    def _fewer(self, limit: int) -> int:
        """Return how many events to ask for where so many were too large, from now on."""
        if limit == 1:
            raise UnexpectedAnswer(
                f"expected an event of at most {MOST_PAGE_BYTES} bytes, found a larger one"
            )
        self._most = limit - 1
        self._limit = min(self._limit, limit // 2)
        return limit // 2

    def _page(
        self,
        after: dt.datetime,
        before: dt.datetime,
        *,
        limit: int,
        offset: int = 0,
        total: bool = False,
    ) -> Page:
        query = {
            "after": _written(after),
            "before": _written(before),
            "sortDirection": "asc",
            "limit": limit,
            "offset": offset,
            # Marquez knows neither, and gives RunEvents alone.
            "kind": ["run", "dataset", "job"],
            "totalCount": "true" if total else "false",
        }
        return read_page(self._get(query))

    def _get(self, query: dict[str, Any]) -> bytes:
        for attempt in self._attempts():
            with attempt:
                return self._get_once(query)
        raise Unreachable

    def _attempts(self) -> Iterator[Any]:
        began = time.monotonic()

        def may_pass(error: Exception) -> bool:
            return isinstance(error, Unavailable) and time.monotonic() - began < PATIENCE_SECONDS

        waits = {"wait_initial": 0.2, "wait_max": 5.0, "wait_jitter": 0.2}
        return iter(stamina.retry_context(on=may_pass, attempts=None, timeout=PATIENCE_SECONDS, **waits))

    def _get_once(self, query: dict[str, Any]) -> bytes:
        try:
            with self._http.stream("GET", PATH, params=query) as response:
                body = _bounded(response)
        except (httpx.TransportError, httpx.DecodingError) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{self.url} does not answer ({reason})") from error
        _check(response.status_code, body, self.url)
        self.removed_before = _removed_before(response)
        self.is_headwater = POSITION_HEADER in response.headers
        return body


def _bounded(response: httpx.Response) -> bytes:
    """Return the body; raise `_TooLargeError` where it has more bytes than may be read at once."""
    parts = []
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MOST_PAGE_BYTES:
            raise _TooLargeError
        parts.append(part)
    return b"".join(parts)


def _removed_before(response: httpx.Response) -> dt.datetime | None:
    """Return the instant before which received events may be missing; None where the server names none."""
    try:
        return parsed_instant(response.headers[REMOVED_HEADER])
    except (KeyError, ValueError):
        return None


def _check(status: int, body: bytes, url: httpx.URL) -> None:
    """Raise for an answer that is no page."""
    if status == 200:
        return
    told = body[:200].decode("utf-8", "replace")
    if status in (429, 500, 502, 503, 504):
        raise Unavailable(f"{url} answers with status {status}: {told}")
    if status == 400 and QueryTooExpensive.code in told:
        raise _TooLargeError
    if status == 401:
        raise Unauthenticated(f"{url} wants a token: set HEADWATER_IMPORT_TOKEN")
    if status == 403:
        raise Forbidden(f"{url} does not let this token read events")
    raise UnexpectedAnswer(f"expected a server with /{PATH} at {url}, found status {status}: {told}")


def _written(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
