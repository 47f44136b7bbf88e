"""The web process: a bound socket, the event loop, and an end within five seconds, in order where that can be."""

import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

import psutil
import structlog
import uvicorn

from catalog.collecting import spare_collections
from catalog.errors import ConfigurationError
from catalog.settings import Settings
from web.access.boundary import resolve
from web.app import create_app
from web.bootstrap import web_services
from web.http_protocol import BoundedHttpProtocol
from web.log_level import followed_log_level

log = structlog.get_logger(__name__)

BACKLOG = 1024
#: Connections beyond this are taken in place of the slowest ones.
MAX_CONNECTIONS = 2_000
#: Files that the process needs beside its connections: database, log, disk.
OTHER_FILES = 200
#: Seconds that requests under way have when the server is told to end.
GRACE_SECONDS = 2
#: Seconds after which the process ends whatever still hangs in it: threads that wait for a silent database, above all.
LAST_SECONDS = 4.0
#: Seconds that an idle connection is kept; longer than the pools of usual clients keep theirs.
KEEP_ALIVE_SECONDS = 75


def bind(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say; port 0 takes a free one.

    Raises `ConfigurationError` that says who has the port.
    """
    family, address = resolve(settings.host, settings.port)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and address[0] == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(_why_not(settings, error)) from error
    listener.set_inheritable(True)
    return listener


def _why_not(settings: Settings, error: OSError) -> str:
    place = f"{settings.host}, port {settings.port}"
    if isinstance(error, PermissionError):
        return f"expected to listen on {place}, but this user may not: choose a port of 1024 or higher with --port"
    holder = _holder_of(settings.port)
    if holder is not None:
        return f"{place} is in use by {holder}: stop it, or choose another port with --port"
    return f"expected to listen on {place}: {error.strerror}; choose another with --host and --port"


def _holder_of(port: int) -> str | None:
    """Return who listens on the port, as far as this user may know."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return None
    found = [
        one
        for one in connections
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port
    ]
    for connection in found:
        if connection.pid is None:
            return "a process of another user"
        try:
            process = psutil.Process(connection.pid)
            command = " ".join(process.cmdline())[:200]
            return f"process {process.pid} ({command or process.name()})"
        except psutil.Error:
            return f"process {connection.pid}"
    return None


class _Server(uvicorn.Server):
    """Says when it takes requests, and ends on a signal without raising it again."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            spare_collections()
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        last = threading.Timer(LAST_SECONDS, _end_by_force)
        # The interpreter waits for other threads at its end, and not for this one.
        last.daemon = True
        last.start()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the parent's form
        # A second one does not wait for requests under way.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def _connections_allowed() -> int:
    """Return how many connections this process may have; the system is asked for as many as are wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Uvicorn closes a connection a moment after the next one was taken.
    wanted = 2 * MAX_CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, (soft - OTHER_FILES) // 2))


def _end_by_force() -> None:
    """End the process now. Everybody was answered: nothing is lost that was acknowledged."""
    log.warning("web.ended_by_force", seconds=LAST_SECONDS)
    sys.stderr.flush()
    os._exit(1)


def serve(
    settings: Settings,
    database_url: str,
    ready: Callable[[], None],
    *,
    listener: socket.socket | None = None,
) -> None:
    """Answer requests until SIGINT or SIGTERM; `ready` is called once they are answered.

    What was acknowledged is committed by then; what was taken in and not acknowledged is committed or refused.
    The process ends within five seconds of the signal, if need be by force with exit code 1.
    Raises `ConfigurationError`.
    """
    listener = listener if listener is not None else bind(settings)
    try:
        services = web_services(settings, database_url)
        app = create_app(services)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=BoundedHttpProtocol,
            ws="websockets-sansio",
            ws_max_size=1024 * 1024,
            lifespan="on",
            log_config=None,
            access_log=False,
            # The address of the sender decides what it may do, so nobody else may tell it.
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_connections_allowed(),
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        with followed_log_level(services.engine, settings.log_level):
            _Server(config, ready).run(sockets=[listener])
    finally:
        listener.close()
