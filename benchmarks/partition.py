"""A network between a worker and its database that can be cut without anybody being told."""

import contextlib
import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import make_url

CHUNK = 64 * 1024


class DatabaseProxy:
    """Forwards a Unix socket to the database's; while it is cut, nothing passes and no connection closes."""

    def __init__(self, url: str) -> None:
        target = make_url(url)
        self._port = str(target.query["port"]) if "port" in target.query else "5432"
        self._target = f"{target.query['host']}/.s.PGSQL.{self._port}"
        self._folder = tempfile.TemporaryDirectory(prefix="hw-proxy-")
        self.url = target.set(query={"host": self._folder.name, "port": self._port}).render_as_string(
            hide_password=False
        )
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener.bind(str(Path(self._folder.name) / f".s.PGSQL.{self._port}"))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.set()
        for found in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
            found.close()
        self._folder.cleanup()

    def cut(self) -> None:
        """Let nothing pass any more."""
        self._open.clear()

    def mend(self) -> None:
        """Let everything pass again, what was held back first."""
        self._open.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._target)
            except OSError:
                client.close()
                server.close()
                continue
            self._sockets += [client, server]
            for origin, destination in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(origin, destination), daemon=True).start()

    def _forward(self, origin: socket.socket, destination: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := origin.recv(CHUNK):
                self._open.wait()
                destination.sendall(data)
        for found in (origin, destination):
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
