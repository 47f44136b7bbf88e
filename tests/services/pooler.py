"""Poolers between clients and a real PostgreSQL, as PgBouncer is with pool_mode = transaction, and = session.

In the first a client has a session of the server from the first statement of a transaction to its end, and another one
for the next. Like PgBouncer they refuse options at the start of a session. They know no passwords and serve one
database.
"""

import asyncio
import contextlib
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST, PROTOCOL_3 = 80877103, 80877104, 80877102, 196608
#: Messages of a client that the server answers with ReadyForQuery: Query, Sync, FunctionCall.
ASKS = b"QSF"


class Session:
    """A session of the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, greeting: bytes) -> None:
        self.reader = reader
        self.writer = writer
        self.greeting = greeting


class TransactionPooler:
    def __init__(self, url: str, sessions: int) -> None:
        address = make_url(url)
        self._user, self._database = str(address.username), str(address.database)
        self._socket = f"{address.query['host']}/.s.PGSQL.{address.query['port']}"
        self._wanted = sessions
        self._idle: asyncio.LifoQueue[Session] = asyncio.LifoQueue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, ready: "threading.Event", stop: asyncio.Event, ports: list[int]) -> None:
        sessions = [await self._open() for _ in range(self._wanted)]
        for session in sessions:
            self._idle.put_nowait(session)
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in sessions:
            await _close(session.writer)

    async def _open(self) -> Session:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        members = ("user", self._user, "database", self._database, "application_name", "pooler")
        body = b"".join(member.encode() + b"\0" for member in members) + b"\0"
        writer.write(struct.pack("!II", len(body) + 8, PROTOCOL_3) + body)
        greeting = b""
        while not greeting.endswith(b"Z\0\0\0\x05I"):
            kind, message = await _message(reader)
            assert kind != b"E", message
            greeting += message
        return Session(reader, writer, greeting)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                if await self._greet(reader, writer):
                    await self._serve_client(reader, writer)
        finally:
            self._tasks.discard(task)
            await _close(writer)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        while True:
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            (code,) = struct.unpack("!I", body[:4])
            if code in (SSL_REQUEST, GSS_REQUEST):
                writer.write(b"N")
                continue
            if code == CANCEL_REQUEST:
                return False
            if b"\0options\0" in body:
                text = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
                writer.write(b"E" + struct.pack("!I", len(text) + 4) + text)
                return False
            session = await self._idle.get()
            self._idle.put_nowait(session)
            writer.write(session.greeting)
            return True

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            kind, message = await _message(reader)
            if kind == b"X":
                return
            session = await self._idle.get()
            try:
                await self._transaction(reader, writer, session, kind, message)
            finally:
                self._idle.put_nowait(session)

    async def _transaction(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session: Session,
        kind: bytes,
        message: bytes,
    ) -> None:
        """Carry messages both ways until the server says that no transaction is open."""
        asked = 0
        while True:
            session.writer.write(message)
            if kind in ASKS:
                asked += 1
                while asked:
                    answer, content = await _message(session.reader)
                    writer.write(content)
                    if answer == b"Z":
                        asked -= 1
                        status = content[-1:]
                await writer.drain()
                if status == b"I":
                    return
            kind, message = await _message(reader)
            if kind == b"X":
                raise ConnectionError("a client left within its transaction")


class SessionPooler(TransactionPooler):
    """A client keeps its session until it leaves; what it set is then undone (server_reset_query of PgBouncer)."""

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = await self._idle.get()
        try:
            while True:
                kind, message = await _message(reader)
                if kind == b"X":
                    return
                await self._transaction(reader, writer, session, kind, message)
        finally:
            for statement in (b"ROLLBACK\0", b"DISCARD ALL\0"):
                session.writer.write(b"Q" + struct.pack("!I", len(statement) + 4) + statement)
                while (await _message(session.reader))[0] != b"Z":
                    pass
            self._idle.put_nowait(session)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!I", head[1:])
    return head[:1], head + await reader.readexactly(length - 4)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@contextmanager
def transaction_pooler(url: str, *, sessions: int = 2) -> Iterator[str]:
    """Yield the URL of the same database through a pooler that has so many sessions of the server."""
    with _serving(url, TransactionPooler(url, sessions)) as pooled:
        yield pooled


@contextmanager
def session_pooler(url: str, *, sessions: int) -> Iterator[str]:
    """Yield the URL of the same database through a pooler of sessions."""
    with _serving(url, SessionPooler(url, sessions)) as pooled:
        yield pooled


@contextmanager
def _serving(url: str, pooler: TransactionPooler) -> Iterator[str]:
    ready, ports = threading.Event(), list[int]()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(pooler.serve(ready, stop, ports)))
    thread.start()
    assert ready.wait(20)
    try:
        address = make_url(url)
        yield f"postgresql://{address.username}@127.0.0.1:{ports[0]}/{address.database}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
