"""The command line as a user has it: the installed program, in a process, against a server and a worker of its own."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).with_name("headwater")
SECONDS = 60


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """Runs commands with an environment of their own."""

    environment: dict[str, str] = field(default_factory=dict)

    def with_environment(self, **more: str) -> "CommandLine":
        return CommandLine(self.environment | more)

    def __call__(self, *arguments: str, stdin: str = "") -> Said:
        done = subprocess.run(
            [PROGRAM, *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def done(self, *arguments: str, stdin: str = "") -> Said:
        """Run a command that must succeed."""
        said = self(*arguments, stdin=stdin)
        assert said.code == 0, said
        return said

    def on_terminal(self, *arguments: str, columns: int = 80, **environment: str) -> Said:
        """Run a command on a terminal of its own; what it prints comes as one text, colours and all."""
        shown, device = pty.openpty()
        environment = {"TERM": "xterm-256color", "COLUMNS": str(columns), **self.environment, **environment}
        process = subprocess.Popen(
            [PROGRAM, *arguments], env=environment, stdin=device, stdout=device, stderr=device
        )
        os.close(device)
        try:
            text = _read_all(shown, process)
        finally:
            os.close(shown)
            process.wait()
        return Said(process.returncode, text.replace("\r\n", "\n"), "")


def _read_all(shown: int, process: "subprocess.Popen[bytes]") -> str:
    parts = []
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if not select.select([shown], [], [], 0.05)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            part = os.read(shown, 65536)
        except OSError:  # Linux says so when nobody holds the other side any more
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode()


def clean_environment(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment in which nothing of this machine's user is found."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        # The program may be installed from another checkout.
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HEADWATER_DATA_DIR": str(folder / "data"),
        **more,
    }


@dataclass(frozen=True)
class Installation:
    """A server and a worker on one database, and the command line of whoever started them."""

    url: str
    folder: Path
    database_url: str
    headwater: CommandLine

    def stranger(self, **more: str) -> CommandLine:
        """Return the command line of somebody who does not have the local token."""
        return CommandLine(clean_environment(self.folder / "stranger", HEADWATER_URL=self.url, **more))


@contextmanager
def running_process(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[str]:
    """Start a part of Headwater and yield the first line that it prints; it ends orderly afterwards."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().decode()
        assert line, log.read_text()
        yield line
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        process.stdout.close()
        code = process.wait(SECONDS)
    assert code == 0, log.read_text()


@contextmanager
def installation(database_url: str, folder: Path, **more: str) -> Iterator[Installation]:
    """Yield a server and a worker on a migrated database; commands may run in `folder`/commands.

    `more` are variables of both.
    """
    (folder / "commands").mkdir()
    environment = clean_environment(folder, HEADWATER_DATABASE_URL=database_url, **more)
    with ExitStack() as stack:
        ready = stack.enter_context(
            running_process(["serve", "--port", "0"], environment, folder / "serve.log")
        )
        url = ready.split()[1]
        environment |= {"HEADWATER_PUBLIC_URL": url}
        worker = ["worker", "--allow-commands", str(folder / "commands")]
        stack.enter_context(running_process(worker, environment, folder / "worker.log"))
        headwater = CommandLine(clean_environment(folder, HEADWATER_URL=url))
        yield Installation(url, folder, database_url, headwater)


def pipeline_yaml(name: str, when: str, *argv: str, **spec: Any) -> str:
    """Return a Pipeline document that waits for a dataset of the namespace `ns`; JSON is YAML."""
    return json.dumps(
        {
            "apiVersion": "headwater/v1",
            "kind": "Pipeline",
            "metadata": {"name": name, "owner": "team"},
            "spec": {
                "when": {"dataset": {"namespace": "ns", "name": when}},
                "launch": {"command": {"argv": list(argv)}},
                **spec,
            },
        }
    )
