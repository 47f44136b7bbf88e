"""The parts of Headwater as real processes against a database of the test's own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADWATER = Path(sys.executable).with_name("headwater")


def free_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def part(
    name: str, *arguments: str, data_dir: Path, url: str, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Run `headwater NAME …` until the block ends; it is killed if it does not end by itself."""
    log = (data_dir / f"{name}-{os.urandom(3).hex()}.log").open("ab")
    process = subprocess.Popen(
        [str(HEADWATER), name, "--data-dir", str(data_dir), *arguments],
        stdout=log,
        stderr=log,
        text=True,
        env={**os.environ, "HEADWATER_DATABASE_URL": url, **environment},
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def post(port: int, path: str, body: Any, token: str | None = None) -> int:
    """Return the status of a POST, 0 where nobody answers."""
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - loopback
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def post_somewhere(ports: list[int], path: str, body: Any, seconds: float = 30.0) -> None:
    """Send the body to one server after another until one says that it is stored."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any(post(port, path, body) == 201 for port in ports):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nobody took the event within {seconds} s")


def wait_for_server(port: int, seconds: float = 30.0) -> None:
    """Return once the server on the port says that it lives."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5),
        ):
            return
        time.sleep(0.05)
    raise TimeoutError(f"no server answered on port {port} within {seconds} s")


def lines(file: Path) -> list[str]:
    """Return the lines of a file that a command appends to; none while it does not exist."""
    return file.read_text("ascii").splitlines() if file.exists() else []


def wait_for_lines(file: Path, count: int, seconds: float) -> float:
    """Return how many seconds it took until the file had so many lines."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if len(lines(file)) >= count:
            return time.monotonic() - started
        time.sleep(0.02)
    raise AssertionError(f"expected {count} lines within {seconds} s, found {len(lines(file))}")
