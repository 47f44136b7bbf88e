"""From a name to addresses, in threads of its own: a name server that hangs must not hold up anything else."""

import asyncio
import concurrent.futures
import functools
import ipaddress
import socket
from collections.abc import Sequence
from typing import Protocol

from hooks.outbound.addresses import Address


class Resolver(Protocol):
    """Finds the addresses of a name."""

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of the name in the order in which to try them; raise `OSError` where there is none."""
        ...

    def close(self) -> None:
        """Let go what it holds."""
        ...


class SystemResolver:
    """Asks the system, as any other program on this machine would."""

    def __init__(self, threads: int = 4) -> None:
        self._threads = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="resolve")

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of the name, each once; raise `OSError` where there is none."""
        ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        # With its scope, which `getaddrinfo` leaves in the text of a link-local address.
        return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))

    def close(self) -> None:
        """Let the threads go; those that wait for a name server end when it answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)
