"""A supervisor with children that keep a journal, in a process of its own, which a test may kill.

As a script: JOURNAL DATA_DIR BEHAVIOUR…, where an empty DATA_DIR means no database. A behaviour is the name of a
function below, and of the child.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import structlog

from catalog.embedded import EmbeddedPostgreSQL
from catalog.errors import ConfigurationError
from tests.services.postgresql import connect
from web.supervisor import ChildProcess, Supervisor

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Entry:
    at: float
    event: str
    child: str
    pid: int


class Journal:
    """Lines that several processes append to one file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def note(self, event: str, child: str) -> None:
        line = json.dumps([time.monotonic(), event, child, os.getpid()]) + "\n"
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    def entries(self, event: str, child: str | None = None) -> list[Entry]:
        if not self.file.exists():
            return []
        entries = [Entry(*json.loads(line)) for line in self.file.read_text().splitlines()]
        return [entry for entry in entries if entry.event == event and child in {None, entry.child}]


def until_terminated() -> None:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    while not ended:
        time.sleep(0.02)


def obedient(journal: Journal, _: str) -> None:
    until_terminated()
    journal.note("ended", "obedient")


def slow(journal: Journal, _: str) -> None:
    until_terminated()
    time.sleep(0.3)
    journal.note("ended", "slow")


def stubborn(_: Journal, _url: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def crashing(_: Journal, _url: str) -> None:
    raise RuntimeError("crashes at once")


def misconfigured(_: Journal, _url: str) -> None:
    raise ConfigurationError("the port is not a number")


def client(journal: Journal, url: str) -> None:
    """Ask the database again and again, as a child does that connects by itself when it is back."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    while not ended:
        with contextlib.suppress(psycopg.OperationalError), connect(url) as connection:
            connection.execute("SELECT 1")
            journal.note("answered", "client")
        time.sleep(0.02)
    with contextlib.suppress(psycopg.OperationalError), connect(url) as connection:
        connection.execute("SELECT 1")
        journal.note("ended", "client")  # so the database outlives its clients


BEHAVIOURS = {run.__name__: run for run in (obedient, slow, stubborn, crashing, misconfigured, client)}


def main(journal_file: str, data_dir: str, *names: str) -> int:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    journal = Journal(Path(journal_file))
    database = EmbeddedPostgreSQL(Path(data_dir), progress=lambda _: None) if data_dir else None
    url = database.start() if database is not None else ""

    def child(name: str) -> ChildProcess:
        def run() -> None:
            journal.note("started", name)
            BEHAVIOURS[name](journal, url)

        return ChildProcess(name, run)

    if database is not None and database.pid is not None:
        print(database.pid, flush=True)
    return Supervisor([child(name) for name in names], database=database).run()


@contextmanager
def supervised(
    folder: Path, *names: str, data_dir: Path | None = None, session: bool = False
) -> Iterator[tuple[subprocess.Popen[str], Journal]]:
    """Start the script; it is killed afterwards if it still runs, and all that it started ends then."""
    journal = Journal(folder / "journal")
    command = [sys.executable, "-W", "error", "-m", "tests.services.supervised", str(journal.file)]
    command += [str(data_dir or ""), *names]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=session
    ) as process:
        try:
            yield process, journal
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
