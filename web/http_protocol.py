"""HTTP/1.1 with bounds: the server's own parser takes heads of any size, and waits for ever.

A body has no deadline of its own, since an honest batch may be large and its way slow, but it must come at a minimum
rate (as Apache's mod_reqtimeout asks). Where there are too many connections all the same, those are given up that
bring least, so that there is always room for another one.
"""

import asyncio
import heapq
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from catalog.errors import BodyTooSlow, HeadTooLarge, HeadwaterError, ServerBusy
from web.problems import RETRY_AFTER_SECONDS, problem_members

#: Bytes of request line and headers.
MAX_HEAD_BYTES = 64 * 1024
#: Seconds within which a connection must have sent a whole head.
HEAD_SECONDS = 10.0
#: So many bytes at least must pass in so many seconds, in either direction, while there is more to pass.
WINDOW_SECONDS = 10.0
MIN_WINDOW_BYTES = 64 * 1024
#: Seconds within which the body must follow the head, however lively: the largest batch at 0.9 Mbit/s.
BODY_SECONDS = 600.0
#: Share of the connections that are given up when there are too many; each time costs a look at all of them.
GIVEN_UP_SHARE = 0.05
#: Connections beyond the limit, which nobody can be given up for, before requests are refused.
MAX_EXCESS = 500


_PHRASES = {408: "Request Timeout", 431: "Request Header Fields Too Large", 503: "Service Unavailable"}


def _answer(error: HeadwaterError) -> bytes:
    """Return the whole answer that ends a connection."""
    body = orjson.dumps(problem_members(error))
    retry = f"retry-after: {RETRY_AFTER_SECONDS}\r\n" if error.status == 503 else ""
    head = (
        f"HTTP/1.1 {error.status} {_PHRASES[error.status]}\r\ncontent-type: application/problem+json\r\n{retry}"
        f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends connections whose head, body or reader is too slow, or whose head is too large.

    Costs next to nothing where a request comes in one packet. `limit_concurrency` of the configuration is the number
    of connections beyond which the slowest ones are given up.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._max_connections = self.limit_concurrency
        if self._max_connections is not None:
            self.limit_concurrency = self._max_connections + MAX_EXCESS
        #: Bytes of the head so far, 0 where none is expected.
        self._head_bytes = 0
        self._awaits_body = False
        #: When the body's first packet came, by the loop's clock.
        self._body_began = 0.0
        #: Since when, by the loop's clock, the client has sent so many bytes.
        self._since = self.loop.time()
        self._received = 0
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent does
        """Expect a head from the start."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._end)
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            self._make_room(max(1, int(self._max_connections * GIVEN_UP_SHARE)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_timer()
        self._stop_writing_timer()
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

    def on_response_complete(self) -> None:
        """Wait for the client from now on."""
        self._since, self._received = self.loop.time(), 0
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what came; end the connection if a head grows too large."""
        super().data_received(data)
        if self._head_bytes:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.write(_answer(HeadTooLarge()))
                self._end()
            elif self._timer is None:
                self._timer = self.loop.call_later(HEAD_SECONDS, self._end)
        elif self._awaits_body:
            self._received += len(data)
            if self._timer is None:
                self._body_began = self.loop.time()
                self._begin_window()

    def pause_writing(self) -> None:
        """Expect the client to read what was written."""
        super().pause_writing()
        self._stop_writing_timer()
        self._unsent = self.transport.get_write_buffer_size()
        self._writing_timer = self.loop.call_later(WINDOW_SECONDS, self._check_writing)

    def resume_writing(self) -> None:
        """Expect nothing more of the client."""
        super().resume_writing()
        self._stop_writing_timer()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that rested for long, or whose last answer nobody reads."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    @property
    def waits(self) -> bool:
        """Whether the next thing to happen is the client's: it sends, or it rests."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete or self._awaits_body

    def standing(self, now: float) -> tuple[float, float]:
        """Return what is least for whoever is given up first: bytes of body in a second, and since when it counts."""
        # A second is the least that is looked at.
        rate = self._received / max(now - self._since, 1.0) if self._awaits_body else 0.0
        return rate, self._since

    def give_up(self) -> None:
        """End the connection in favour of another; who was sending a request is told to come back."""
        self._stop_timer()
        # Whoever asks for room next does not count it.
        self.connections.discard(self)
        if self.transport.get_write_buffer_size():
            # An orderly end would wait for a reader who does not read.
            self.transport.abort()
            return
        if self._awaits_body:
            self._refuse_body(ServerBusy())
        self._end()

    def _make_room(self, count: int) -> None:
        """Give up the connections that wait for their clients and get least from them, the oldest first."""
        now = self.loop.time()
        waiting = [
            one
            for one in self.connections
            if isinstance(one, BoundedHttpProtocol) and one.waits and one is not self
        ]
        for one in heapq.nsmallest(count, waiting, key=lambda one: one.standing(now)):
            one.give_up()

    def _begin_window(self) -> None:
        self._since, self._received = self.loop.time(), 0
        self._timer = self.loop.call_later(WINDOW_SECONDS, self._check_body)

    def _check_body(self) -> None:
        """End the connection unless enough of the body came in the window that is over."""
        self._timer = None
        # What the server itself does not take is no fault of the sender.
        is_slow = self._received < MIN_WINDOW_BYTES and not self.flow.read_paused
        if is_slow or self.loop.time() - self._body_began > BODY_SECONDS:
            self._refuse_body(BodyTooSlow())
            self._end()
        else:
            self._begin_window()

    def _refuse_body(self, error: HeadwaterError) -> None:
        """Answer in place of the application, if it has not begun to."""
        cycle = self.cycle
        if not (cycle.response_started or self.pipeline or self.transport.is_closing()):
            # What the application says from now on goes nowhere.
            cycle.disconnected = True
            cycle.message_event.set()
            self.transport.write(_answer(error))

    def _check_writing(self) -> None:
        """Cut the connection off unless enough was read in the window that is over."""
        unsent = self.transport.get_write_buffer_size()
        if self._unsent - unsent < MIN_WINDOW_BYTES:
            # An orderly end would wait for the reader.
            self.transport.abort()
        else:
            self._unsent = unsent
            self._writing_timer = self.loop.call_later(WINDOW_SECONDS, self._check_writing)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_writing_timer(self) -> None:
        if self._writing_timer is not None:
            self._writing_timer.cancel()
            self._writing_timer = None

    def _end(self) -> None:
        self._timer = None
        self._head_bytes = 0
        if not self.transport.is_closing():
            self.transport.close()
