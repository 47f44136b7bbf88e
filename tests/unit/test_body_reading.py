import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from catalog.errors import IngestQueueFull, PayloadTooLarge
from web.ingest.body import BodyBudget, read_body


def request_of(messages: Iterable[Any], headers: dict[str, str] | None = None) -> Request:
    """Return a request that receives these messages, and then nothing more."""
    remaining = list(messages)

    async def receive() -> Any:
        if not remaining:
            await asyncio.Event().wait()
        return remaining.pop(0)

    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def read(messages: Iterable[Any], limit: int = 100, headers: dict[str, str] | None = None) -> bytes:
    return asyncio.run(read_body(request_of(messages, headers), limit))


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"abcdef", more=False)],
        [part(b"abc"), part(b"def"), part(b"", more=False)],
        [part(b""), part(b"abcdef", more=False)],
        [part(b"abcdef"), part(b"", more=False)],
    ],
)
def test_a_body_is_read_whole(messages: list[Any]) -> None:
    assert read(messages, limit=6) == b"abcdef"


def test_an_empty_body_is_empty() -> None:
    assert read([part(b"", more=False)]) == b""


def test_a_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    with pytest.raises(PayloadTooLarge):
        # Nothing would ever arrive.
        read([], headers={"Content-Length": "101"})


def test_bytes_over_the_limit_are_refused_as_soon_as_they_show() -> None:
    with pytest.raises(PayloadTooLarge, match="100"):
        read([part(b"x" * 60), part(b"x" * 41)])


@pytest.mark.parametrize("length", ["5", "abc", "-1"])
def test_a_length_that_is_wrong_does_not_lift_the_limit(length: str) -> None:
    with pytest.raises(PayloadTooLarge):
        read([part(b"x" * 101)], headers={"Content-Length": length})


def test_a_sender_that_is_gone_is_no_error_of_ours() -> None:
    with pytest.raises(ClientDisconnect):
        read([part(b"x"), {"type": "http.disconnect"}])


def test_all_requests_together_hold_no_more_than_the_budget() -> None:
    budget = BodyBudget(100)
    with budget.hold() as first:
        first.add(60)
        with budget.hold() as second:
            second.add(40)
            with pytest.raises(IngestQueueFull):
                second.add(1)
        assert budget.used == 60
        with budget.hold() as third, pytest.raises(IngestQueueFull):
            third.add(41)
    assert budget.used == 0


def test_a_single_request_fits_whatever_the_budget() -> None:
    budget = BodyBudget(100)
    with budget.hold() as held:
        held.add(90)
        held.add(500)
        with budget.hold() as other, pytest.raises(IngestQueueFull):
            other.add(1)
    assert budget.used == 0


def test_what_was_read_is_given_back_although_the_request_fails() -> None:
    budget = BodyBudget(1000)

    async def scenario() -> None:
        with budget.hold() as held:
            await read_body(request_of([part(b"x" * 60), part(b"x" * 60)]), 100, held)

    with pytest.raises(PayloadTooLarge):
        asyncio.run(scenario())
    assert budget.used == 0
