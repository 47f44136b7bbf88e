"""A server on this machine that stands for an outside engine: a double, with the manners that a test gives it."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hooks.outbound.addresses import Address, OutboundPolicy, Refused, Zone


@dataclass(frozen=True)
class Heard:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Reply:
    """How a handler answers: whole answers, or whatever bytes it likes."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler

    def send(self, status: int, body: Any = b"", **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.send_header("Content-Length", str(len(content)))
        self._handler.end_headers()
        self._handler.wfile.write(content)

    def raw(self, data: bytes) -> None:
        self._handler.wfile.write(data)
        self._handler.wfile.flush()


Manners = Callable[[Heard, Reply], None]


class TwoZones(OutboundPolicy):
    """Takes 127.0.0.1 for a public address, so that a test can be led from there to 127.0.0.2, which is near."""

    def check(self, address: Address, nearest: Zone | None = None) -> Zone | Refused:
        if str(address) == "127.0.0.1":
            return Zone.PUBLIC
        return super().check(address, nearest)


class HttpDouble:
    """Hears requests and answers as its manners say; `heard` keeps all of them."""

    def __init__(self, manners: Manners, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.heard: list[Heard] = []
        self.arrived = threading.Condition()
        self.manners = manners
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                heard = Heard(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
                self.close_connection = True
                with double.arrived:
                    double.heard.append(heard)
                    double.arrived.notify_all()
                try:
                    double.manners(heard, Reply(self))
                except (ConnectionError, ssl.SSLError):
                    return  # Whoever asked has left: that is what some tests are about.

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = False
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server((host, port), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.host = host
        self.port: int = self._server.server_address[1]
        self.scheme = "https" if tls is not None else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def wait_for(self, count: int, seconds: float = 20.0) -> list[Heard]:
        """Return what was heard as soon as it is so much."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.heard) >= count, seconds), self.heard
            return list(self.heard)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def http_double(
    manners: Manners, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[HttpDouble]:
    """Run a double until the end of the block; its handlers must have returned by then."""
    double = HttpDouble(manners, host, port, tls)
    try:
        yield double
    finally:
        double.close()
