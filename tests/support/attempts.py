"""Attempts of real commands, and a launcher in a process of its own that can be killed at a chosen instant.

As a program: `python -m tests.support.attempts RUNS_DIR ALLOWED RUN_ID HOW COMMAND…` starts the attempt,
prints the outcome's class, and dies by SIGKILL where HOW says: `before-spawn`, `before-marker` (its shim
sleeps first), `after-marker`, or not at all (`whole`).
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hooks.launchers.command import CommandLauncher, boot_identity
from hooks.launchers.command.shim import Shim
from hooks.launchers.port import Attempt, Running

PROJECT = Path(__file__).parent.parent.parent
#: Seconds that the shim of `before-marker` sleeps first.
SLOW_SHIM_SECONDS = 0.6


def make_attempt(*argv: str, **fields: Any) -> Attempt:
    """Return the first attempt of a new run, bound to this boot."""
    attempt = Attempt(
        run_id=uuid.uuid4(),
        number=1,
        pipeline="orders",
        argv=argv,
        openlineage_url="http://127.0.0.1:8642",
        openlineage_namespace="orders-team",
        parent_job_namespace="headwater",
        parent_job_name="orders",
        trigger=b'{"versions":[]}',
        claimed_boot=boot_identity(),
    )
    return replace(attempt, **fields)


def make_launcher(runs_dir: Path, allowed: Path, output_bytes: int = 1 << 20) -> CommandLauncher:
    """Return a launcher that knows nothing but its folder, as after a restart."""
    return CommandLauncher(
        runs_dir, output_bytes=output_bytes, allowed_folders=[allowed], secrets_folder=allowed / "secrets"
    )


def eventually(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Return once the condition holds; fail after the given seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        time.sleep(0.01)


def starter(runs_dir: Path, allowed: Path, attempt: Attempt, how: str) -> "subprocess.Popen[str]":
    """Start the attempt from another process."""
    command = [sys.executable, "-m", "tests.support.attempts"]
    arguments = [str(runs_dir), str(allowed), str(attempt.run_id), how, *attempt.argv]
    return subprocess.Popen([*command, *arguments], cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _main(runs_dir: Path, allowed: Path, run_id: uuid.UUID, how: str, argv: tuple[str, ...]) -> None:
    launcher = make_launcher(runs_dir, allowed)
    attempt = make_attempt(*argv, run_id=run_id)
    shim: Shim = launcher._shim
    if how == "before-spawn":
        shim.spawn = lambda *_: _die()  # type: ignore[method-assign, assignment]
    if how == "before-marker":
        shim._text = f"sleep {SLOW_SHIM_SECONDS}\n{shim._text}"
    print(type(launcher.start(attempt)).__name__, flush=True)
    if how == "after-marker":
        eventually(launcher._folder(run_id, attempt.number).marker)
    if how != "whole":
        _die()
    eventually(lambda: not isinstance(launcher.ask(run_id, attempt.number), Running))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]), uuid.UUID(sys.argv[3]), sys.argv[4], tuple(sys.argv[5:]))
