"""A relay between a client and a server on this machine, whose connections a test may break."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 20.0


class Relay:
    """Passes everything on, both ways."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        #: Connections that came so far.
        self.connections = 0
        #: What the server has sent so far.
        self.answered = bytearray()

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://127.0.0.1:{self._port}"

    def cut(self) -> None:
        """Break every connection."""
        self._loop.call_soon_threadsafe(self._cut)

    def wait_for_connections(self, count: int) -> None:
        """Return once so many connections have come in all."""
        deadline = time.monotonic() + SECONDS
        while self.connections < count:
            assert time.monotonic() < deadline, f"{self.connections} connections"
            time.sleep(0.01)

    def wait_for_first_message(self) -> None:
        """Return once the server has sent something behind the header with which it took the WebSocket."""
        deadline = time.monotonic() + SECONDS
        while not self.answered.partition(b"\r\n\r\n")[2]:
            assert time.monotonic() < deadline, bytes(self.answered)
            time.sleep(0.01)

    def run(self) -> None:
        """Serve until told to stop."""
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    def stop(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def wait_until_ready(self) -> None:
        """Return once it listens."""
        assert self._ready.wait(SECONDS)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        self._cut()
        pending = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*pending, return_exceptions=True)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._target)
        both = {writer, onward}
        self._writers |= both
        # Counted once it can be cut.
        self.connections += 1
        try:
            await asyncio.gather(_pump(reader, onward), _pump(onward_reader, writer, self.answered))
        finally:
            self._writers -= both
            for each in both:
                each.transport.abort()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: bytearray | None = None
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
            if passed is not None:
                passed += data
    writer.transport.abort()


@contextmanager
def relay(target: int) -> Iterator[Relay]:
    """Yield a relay to the port."""
    found = Relay(target)
    thread = threading.Thread(target=found.run, name="relay")
    thread.start()
    found.wait_until_ready()
    try:
        yield found
    finally:
        found.stop()
        thread.join()
