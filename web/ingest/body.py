"""Reading request bodies: never more bytes than allowed, neither of one request nor of all together."""

import asyncio
import contextlib
from collections.abc import Iterator

from starlette.requests import Request

from catalog.errors import BodyTimeout, IngestQueueFull, PayloadTooLarge

#: A body that does not arrive within its first packet may take so long altogether, in seconds.
BODY_SECONDS = 60.0


class Held:
    """Bytes that one request holds in memory."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: "BodyBudget") -> None:
        self._budget = budget
        self.size = 0

    def add(self, size: int) -> None:
        """Hold so many bytes more; raise `IngestQueueFull` if that is more than all requests may hold."""
        budget = self._budget
        # A single request always fits: its own limit bounds it.
        if budget.used + size > budget.limit and budget.used > self.size:
            raise IngestQueueFull
        budget.used += size
        self.size += size


class BodyBudget:
    """Bytes of bodies that all requests together may hold from their receipt to their commit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    @contextlib.contextmanager
    def hold(self) -> Iterator[Held]:
        """Yield what one request holds; it is given back at the end."""
        held = Held(self)
        try:
            yield held
        finally:
            self.used -= held.size


async def read_body(request: Request, limit: int, held: Held | None = None) -> bytes:
    """Return the body as it was sent, at most `limit` bytes.

    Raises `PayloadTooLarge`, before anything is read where Content-Length says so and as soon as it shows elsewhere;
    `IngestQueueFull`; `BodyTimeout` for a sender that stalls; starlette's `ClientDisconnect` for one that is gone.
    """
    length = request.headers.get("content-length")
    if length is not None and length.isdigit() and int(length) > limit:
        raise PayloadTooLarge(f"the body has {length} bytes, the limit is {limit}", limit=limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async with contextlib.aclosing(request.stream()) as stream, asyncio.timeout(BODY_SECONDS):
            async for chunk in stream:
                size += len(chunk)
                if size > limit:
                    raise PayloadTooLarge(f"the body has more bytes than the limit of {limit}", limit=limit)
                if held is not None:
                    held.add(len(chunk))
                chunks.append(chunk)
    except TimeoutError as error:
        raise BodyTimeout(
            f"expected the whole body within {BODY_SECONDS:.0f} s, found {size} bytes"
        ) from error
    return chunks[0] if len(chunks) <= 2 and size == len(chunks[0]) else b"".join(chunks)
