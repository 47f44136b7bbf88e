"""Reading request bodies: never more bytes than allowed, neither of one request nor of all together."""

import contextlib
from collections.abc import Iterator

from starlette.requests import ClientDisconnect, Request

from catalog.errors import IngestQueueFull, PayloadTooLarge


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
    `IngestQueueFull`; starlette's `ClientDisconnect` for a sender that is gone, or was given up by the server.
    """
    length = request.headers.get("content-length")
    if length is not None and length.isdigit() and int(length) > limit:
        raise PayloadTooLarge(f"the body has {length} bytes, the limit is {limit}", limit=limit)
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        # The framework's own stream does the same at several times the cost.
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise PayloadTooLarge(f"the body has more bytes than the limit of {limit}", limit=limit)
        if held is not None:
            held.add(len(chunk))
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
