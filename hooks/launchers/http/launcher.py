"""Sends the requests of an attempt and says what their answers mean."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_never

import httpx

from catalog.documents import http_launcher
from catalog.documents.http_launcher import Poll
from catalog.documents.json_path import NOTHING, value_at
from catalog.documents.pipeline import AirflowLaunch, CommandLaunch, HttpLaunch
from catalog.documents.template import ANSWER, variables_of
from catalog.errors import HeadwaterError
from hooks.engines.port import (
    Absent,
    Accepted,
    AskAnswer,
    CancelAnswer,
    Ended,
    EngineAttempt,
    Going,
    Handle,
    Impossible,
    SendAnswer,
    Stopped,
    Traits,
    Unclear,
    Unreached,
)
from hooks.engines.told import LONGEST_TOLD, printable
from hooks.launchers.answers import CONFLICT, declined, json_of, unanswered
from hooks.launchers.http.requests import Prepared, cancel_request, launch_request, status_request
from hooks.outbound import Answered, Bounds, NotSent, OutboundClient, Unanswered, origin_of

#: A gateway that did not get the engine's answer: the engine may have had the request all the same.
_GATEWAY = frozenset({502, 504})
_NOT_THERE = frozenset({404, 410})
#: Answers to a cancel that mean that there is nothing to end (any more).
_NOTHING_TO_END = frozenset({404, 409, 410})
#: The longest text that is kept of an answer for a URL.
_LONGEST_KEPT = 2000


class HttpLauncher:
    """Starts attempts by requests; the engine is whatever the document's URLs lead to."""

    def __init__(
        self, client: OutboundClient, *, secrets_folder: Path | None, now: Callable[[], dt.datetime]
    ) -> None:
        self._client = client
        self._secrets_folder = secrets_folder
        self._now = now

    def traits(self, attempt: EngineAttempt) -> Traits:
        """Return what the document says that the engine can be asked for."""
        http = _document(attempt)
        poll, cancel = http.poll, http.cancel
        return Traits(
            repeatable=http.idempotency.honoured,
            findable=poll is not None and poll.known_before_the_answer,
            cancellable=cancel is not None,
            cancellable_unseen=cancel is not None
            and not any(name.startswith(ANSWER) for name in variables_of(cancel.url)),
            interval=dt.timedelta(seconds=1) if poll is None else poll.interval,
            patience=http.timeouts.unreachable,
            longest=http.timeouts.answer,
        )

    async def send(self, attempt: EngineAttempt, *, again: bool) -> SendAnswer:
        """Send the request that starts the attempt."""
        http = _document(attempt)
        try:
            prepared = launch_request(http, attempt, self._secrets_folder)
        except HeadwaterError as error:
            return Impossible(printable(error.message))
        exchange = await self._client.send(prepared.request, _bounds(http))
        match exchange:
            case NotSent(reason, permanent):
                return Impossible(printable(reason)) if permanent else Unreached(printable(reason))
            case Unanswered(reason):
                return Unclear(printable(reason))
            case Answered():
                return self._launched(http, prepared, exchange, again=again)
            case _:
                assert_never(exchange)

    def _launched(
        self, http: http_launcher.HttpLauncher, prepared: Prepared, answer: Answered, *, again: bool
    ) -> SendAnswer:
        told = _told(prepared, answer)
        origin = origin_of(answer.url)
        if _successful(http, answer.status):
            if http.poll is None:
                return Ended(origin, True, f"{origin} answered {answer.status}", told)
            try:
                return Accepted(origin, _handle(http, answer), told)
            except ValueError as error:
                return Unclear(printable(f"{origin} answered {answer.status}, but {error}"), told)
        if answer.status in _GATEWAY or (again and answer.status == CONFLICT):
            return Unclear(f"{origin} answered {answer.status}: the engine may have the attempt", told)
        later = declined(answer, told, self._now())
        if later is not None:
            return later
        return Ended(origin, False, f"{origin} answered {answer.status}", told)

    async def ask(self, attempt: EngineAttempt, handle: Handle | None) -> AskAnswer:
        """Ask the status URL."""
        http = _document(attempt)
        if http.poll is None:
            raise ValueError("expected a document with `poll`")
        try:
            prepared = status_request(http, attempt, handle, self._secrets_folder)
        except HeadwaterError as error:
            return Unclear(printable(error.message), lasting=True)
        exchange = await self._client.send(prepared.request, _bounds(http))
        if not isinstance(exchange, Answered):
            return unanswered(exchange)
        return self._asked(http.poll, prepared, exchange)

    def _asked(self, poll: Poll, prepared: Prepared, answer: Answered) -> AskAnswer:
        told = _told(prepared, answer, shown=poll.is_template)
        if answer.status in poll.absent or answer.status in _NOT_THERE:
            return Absent(answer.status in poll.absent, told)
        later = declined(answer, told, self._now())
        if later is not None:
            return later
        if not httpx.codes.is_success(answer.status):
            return Unclear(f"{origin_of(answer.url)} answered {answer.status}", told)
        return _state(poll, prepared, answer, told)

    async def cancel(self, attempt: EngineAttempt, handle: Handle | None) -> CancelAnswer:
        """Send the request that ends the attempt."""
        http = _document(attempt)
        try:
            prepared = cancel_request(http, attempt, handle, self._secrets_folder)
        except HeadwaterError as error:
            return Impossible(printable(error.message))
        exchange = await self._client.send(prepared.request, _bounds(http))
        if not isinstance(exchange, Answered):
            return unanswered(exchange)
        told = _told(prepared, exchange)
        if httpx.codes.is_success(exchange.status) or exchange.status in _NOTHING_TO_END:
            return Stopped(told)
        later = declined(exchange, told, self._now())
        if later is not None:
            return later
        return Unclear(f"{origin_of(exchange.url)} answered {exchange.status} to the cancel", told)


def _document(attempt: EngineAttempt) -> http_launcher.HttpLauncher:
    launch = attempt.run.document.spec.launch
    match launch:
        case HttpLaunch(http=http):
            return http
        case CommandLaunch() | AirflowLaunch():
            raise ValueError(f"expected run {attempt.run.run_id} to be launched by a request")
        case _:
            assert_never(launch)


def _bounds(http: http_launcher.HttpLauncher) -> Bounds:
    times = http.timeouts
    return Bounds(times.connect.total_seconds(), times.answer.total_seconds())


def _successful(http: http_launcher.HttpLauncher, status: int) -> bool:
    return status in http.success if http.success else httpx.codes.is_success(status)


def _handle(http: http_launcher.HttpLauncher, answer: Answered) -> dict[str, Any]:
    """Return what is kept of the answer; raise `ValueError` that says what it lacks."""
    poll = http.poll
    if poll is None:
        raise ValueError("nothing is to be asked")
    by_path = not poll.is_template and poll.url.startswith("$")
    content = json_of(answer) if by_path or http.answer else None
    kept = {name: _kept(value_at(path, content), path) for name, path in http.answer.items()}
    handle: dict[str, Any] = {"answer": kept, "zone": int(answer.zone)}
    if by_path:
        handle["statusUrl"] = _joined(answer, _kept(value_at(poll.url, content), poll.url))
    elif not poll.is_template:
        location = answer.headers.get("location")
        if location is None:
            raise ValueError("without the header Location")
        handle["statusUrl"] = _joined(answer, location)
    return handle


def _kept(value: Any, path: str) -> str | int | bool:
    if not isinstance(value, str | int | bool):
        raise ValueError(f"without a text or a whole number at {path}")  # noqa: TRY004 - the answer is wrong, not a call
    if isinstance(value, str) and (len(value) > _LONGEST_KEPT or printable(value, _LONGEST_KEPT) != value):
        raise ValueError(f"what stands at {path} is too long or not printable")
    return value


def _joined(answer: Answered, reference: str | int | bool) -> str:
    try:
        return str(httpx.URL(answer.url).join(str(reference)))
    except (httpx.InvalidURL, ValueError):
        raise ValueError("its status URL is no URL") from None


def _state(poll: Poll, prepared: Prepared, answer: Answered, told: str) -> Going | Ended | Unclear:
    origin = origin_of(answer.url)
    try:
        content = json_of(answer)
    except ValueError as error:
        return Unclear(printable(f"{origin} answered {answer.status}, but {error}"), told)
    state = value_at(poll.state, content)
    if state is NOTHING:
        return Unclear(f"{origin} answered without a state at {poll.state}", told)
    for states, succeeded in ((poll.succeeded, True), (poll.failed, False)):
        # In Python True equals 1; in JSON it does not.
        if any(type(state) is type(known) and state == known for known in states):
            why = "" if poll.reason is None else value_at(poll.reason, content)
            parts = [f"state {state}", why if isinstance(why, str) else ""]
            reason = prepared.without_secrets(": ".join(part for part in parts if part))
            return Ended(origin, succeeded, printable(reason), told)
    return Going(origin, told)


def _told(prepared: Prepared, answer: Answered, *, shown: bool = True) -> str:
    """Return the answer for people: what was asked, the status, and the beginning of the body."""
    url = httpx.URL(prepared.request.url)
    # What an engine names as its status URL may hold a credential of its own.
    asked = f"{origin_of(str(url))}{url.path if shown else '/…'}"
    # All of it: a secret that were cut through would be found no more.
    text = answer.body.decode("utf-8", "replace")
    lines = [f"{prepared.request.method} {asked} answered {answer.status}", text]
    lines += [answer.cut] if answer.cut else []
    return printable(prepared.without_secrets("\n".join(line for line in lines if line)), LONGEST_TOLD)
