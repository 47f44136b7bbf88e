"""A Headwater that the demo asks through its command line and GraphQL, and perhaps starts and ends itself."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from demo_year import PipelineRun

PROGRAM = Path(sys.executable).with_name("headwater")
PORT = 8642
READY_SECONDS = 60.0
END_SECONDS = 30.0

RUNS = """
query ($after: String) {
  pipelineRuns(first: 50, after: $after) {
    nodes {
      id number pipelineName state reason attempt dueAt startedAt endedAt
      transitions { toState at }
      consumedVersions(first: 100) { nodes { id partition } }
      outputs(first: 100) { nodes { id dataset { id } } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""


class Headwater:
    """A server, asked through its command line and GraphQL."""

    def __init__(self, url: str, data_dir: Path | None) -> None:
        self.url = url
        self._data_dir = data_dir

    def command(self, *arguments: str) -> str:
        """Return what a command printed; raise where it failed."""
        environment = os.environ | {"HEADWATER_URL": self.url}
        if self._data_dir is not None:
            environment["HEADWATER_DATA_DIR"] = str(self._data_dir)
        done = subprocess.run(
            [PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"headwater {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.rstrip()

    def runs(self) -> list[PipelineRun]:
        """Return all pipeline runs."""
        found: list[PipelineRun] = []
        after: str | None = None
        while True:
            answer = httpx.post(
                f"{self.url}/graphql", json={"query": RUNS, "variables": {"after": after}}, timeout=30
            )
            body = answer.raise_for_status().json()
            if body.get("errors"):
                raise SystemExit(f"GraphQL: {body['errors'][0]['message']}")
            page = body["data"]["pipelineRuns"]
            found.extend(PipelineRun.of(node) for node in page["nodes"])
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]


@contextmanager
def started_headwater(folder: Path, allowed: Path, tell: Callable[[str], None]) -> Iterator[Headwater]:
    """Give a Headwater that keeps its data in the folder and may run commands in the allowed one; end it after.

    `tell` is given the command that starts it.
    """
    data_dir, log = folder / "headwater", folder / "headwater.log"
    arguments = [
        "up",
        "--data-dir",
        str(data_dir),
        "--allow-commands",
        str(allowed),
        "--port",
        str(_free_port()),
    ]
    tell(shlex.join(["headwater", *arguments]))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield Headwater(_ready(process, log), data_dir)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"^ready (\S+)", log.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1]
        time.sleep(0.05)
    raise SystemExit(f"headwater up did not get ready:\n{log.read_text(encoding='utf-8')}")


def _free_port() -> int:
    """Return the usual port, or 0, which takes a free one, where somebody answers there."""
    try:
        httpx.get(f"http://127.0.0.1:{PORT}/healthz", timeout=2)
    except httpx.ConnectError:
        return PORT
    except httpx.HTTPError:
        return 0
    return 0
