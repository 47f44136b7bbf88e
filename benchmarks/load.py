"""A lean client: requests made beforehand, one in flight for each connection; the server is what is measured."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


def request(path: str, body: bytes, *, token: str | None = None) -> bytes:
    """Return the bytes of a POST with a JSON body."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{authorization}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Answers:
    """What came back: status of each request and how long it took, in seconds."""

    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def check(self) -> None:
        """Raise unless every request succeeded."""
        wrong = [status for status in self.statuses if status not in (200, 201)]
        if wrong:
            raise RuntimeError(
                f"{len(wrong)} of {len(self.statuses)} requests failed, the first with {wrong[0]}"
            )


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Sequence[bytes], answers: Answers, done: "asyncio.Future[None]") -> None:
        self._requests = iter(requests)
        self._answers = answers
        self._done = done
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        following = next(self._requests, None)
        if following is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(following)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        self._answers.statuses.append(int(head[9:12]))
        self._answers.seconds.append(time.perf_counter() - self._sent)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))


async def _run(port: int, shares: Sequence[Sequence[bytes]]) -> Answers:
    loop = asyncio.get_running_loop()
    answers = Answers()
    waiting = []
    for share in shares:
        done: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda s=share, d=done: _Connection(s, answers, d), "127.0.0.1", port)
        waiting.append(done)
    await asyncio.gather(*waiting)
    return answers


def post_all(port: int, requests: Sequence[bytes], connections: int) -> tuple[Answers, float]:
    """Send all requests over so many connections; return the answers and the seconds that it took."""
    shares = [requests[index::connections] for index in range(connections)]
    started = time.perf_counter()
    answers = asyncio.run(_run(port, shares))
    return answers, time.perf_counter() - started


def events_body(events: Sequence[object]) -> bytes:
    """Return the JSON of a batch."""
    return json.dumps(events, separators=(",", ":")).encode()
