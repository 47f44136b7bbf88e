"""HTTP/1.1 with bounds: the server's own parser takes heads of any size, and waits for ever."""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of request line and headers.
MAX_HEAD_BYTES = 64 * 1024
#: Seconds within which a connection must have sent a whole head.
HEAD_SECONDS = 10.0
#: Seconds within which the body must follow the head: the largest batch at 4.5 Mbit/s.
BODY_SECONDS = 120.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s"
)
_PROBLEM = orjson.dumps(
    {
        "type": "about:blank",
        "title": "The headers are larger than 64 KiB.",
        "status": 431,
        "code": "headers-too-large",
    }
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends connections whose head or body is too slow, or whose head is too large.

    Costs next to nothing where a request comes in one packet.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        #: Bytes of the head so far, 0 where none is expected.
        self._head_bytes = 0
        self._awaits_body = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent does
        """Expect a head from the start."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Count the bytes of a new head; those of its first packet count when the packet is done."""
        super().on_message_begin()
        self._head_bytes = 1

    def on_headers_complete(self) -> None:
        """Expect the body, whose size the application bounds."""
        self._head_bytes = 0
        self._awaits_body = True
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect nothing more of this request."""
        self._awaits_body = False
        self._stop_timer()
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what came; end the connection if a head grows too large."""
        super().data_received(data)
        if self._head_bytes:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.write(_TOO_LARGE % (len(_PROBLEM), _PROBLEM))
                self._end()
            elif self._timer is None:
                self._timer = self.loop.call_later(HEAD_SECONDS, self._end)
        elif self._awaits_body and self._timer is None:
            self._timer = self.loop.call_later(BODY_SECONDS, self._end)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        self._head_bytes = 0
        if not self.transport.is_closing():
            self.transport.close()
