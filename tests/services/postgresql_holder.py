"""The embedded PostgreSQL in a process of its own, which a test may kill and which may be another user's.

Run as a script it speaks JSON, a line each: what became of the start, then the rows of each SQL statement
that it is sent. The end of its input means an orderly stop.
"""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from catalog.embedded import EmbeddedPostgreSQL
from catalog.errors import HeadwaterError
from tests.services.postgresql import connect

ROOT = Path(__file__).parents[2]


def main(data_dir: str, user: str | None = None) -> int:
    if user is not None:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    database = EmbeddedPostgreSQL(
        Path(data_dir), progress=lambda message: print(message, file=sys.stderr, flush=True)
    )
    try:
        url = database.start()
    except HeadwaterError as exc:
        say({"error": exc.code, "message": exc.message})
        return 1
    say({"url": url, "postmaster": database.pid})
    for line in sys.stdin:
        with connect(url) as connection:
            cursor = connection.execute(json.loads(line))
            say(cursor.fetchall() if cursor.description else [])
    database.stop()
    return 0


def say(answer: Any) -> None:
    print(json.dumps(answer, default=str), flush=True)


class Holder:
    """That process, seen from the test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.answer = self._read()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    @property
    def postmaster(self) -> psutil.Process:
        return psutil.Process(self.answer["postmaster"])

    @property
    def guard(self) -> psutil.Process:
        children = psutil.Process(self.process.pid).children()
        [guard] = [child for child in children if "headwater-guard" in child.cmdline()]
        return guard

    def execute(self, statement: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(statement) + "\n")
        self.process.stdin.flush()
        return self._read()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def holder_command(data_dir: Path, user: str | None = None) -> list[str]:
    """The command of that process; its working folder is the root of the project."""
    command = [sys.executable, "-m", "tests.services.postgresql_holder", str(data_dir)]
    return [*command, user] if user else command


@contextmanager
def holder_of(data_dir: Path, user: str | None = None, **environment: str) -> Iterator[Holder]:
    """Start the process; it is stopped orderly afterwards, unless it was killed."""
    kept = {name: value for name, value in os.environ.items() if name not in {"HOME", "TMPDIR"}}
    with subprocess.Popen(
        holder_command(data_dir, user),
        cwd=ROOT,
        env=kept | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield Holder(process)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
