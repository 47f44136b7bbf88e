"""A server under load: clients that post, what their events made, and commands beside it."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.crash import Posted, post_many
from benchmarks.server import HEADWATER, Server


def headwater(*arguments: str) -> str:
    """Run a command that must succeed; return what it prints."""
    done = subprocess.run([HEADWATER, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@contextmanager
def load(server: Server, events: int) -> Iterator[Posted]:
    """Let clients post while the block runs, and until they have posted everything."""
    posted = Posted()
    clients = post_many(server.port, events, posted, 0.01, time.monotonic() + 120)
    try:
        yield posted
    finally:
        for client in clients:
            client.join()


#: Every version of what clients post about.
VERSIONS = """{ dataset(nodeId: "dataset:benchmark:input") {
    versions(first: 1000) { nodes { id position time state } } } }"""


def versions(server: Server) -> Any:
    """Every version that the clients' events made."""
    return server.graphql(VERSIONS)["dataset"]["versions"]["nodes"]
