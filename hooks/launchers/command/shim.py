"""Spawns the shim: the one process of an attempt that this package starts itself."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from catalog.errors import Unavailable
from hooks.launchers.command import collector
from hooks.launchers.command.attempt_folder import Refusal
from hooks.launchers.command.program import CANNOT_EXECUTE, Program

_SHELL = "/bin/sh"
#: Bytes that the shim's `dd` reads at once; it ends after as many reads as could fill the head.
_BLOCK = 512
#: Signals that the shim traps.
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def do_not_bequeath_ignored_signals() -> None:
    """Let signals that this process ignores since its start, by `nohup` or `&`, have their effect in commands.

    It goes on ignoring them. Only the main thread may call this.
    """
    # A shell cannot trap what it was started to ignore, nor give it back its default; handlers are not inherited.
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


class Shim:
    """The shim's text and its fixed arguments.

    The text is passed with `sh -c`, so that an upgrade of the installed files never meets a running launcher.
    """

    def __init__(self, output_bytes: int) -> None:
        self._half = max(output_bytes // 2, 1)
        self._dd = shutil.which("dd") or "dd"
        lines = Path(__file__).with_name("shim.sh").read_text("utf-8").splitlines()
        self._text = "\n".join(line.strip() for line in lines if not line.lstrip().startswith("#"))

    def spawn(self, folder: Path, program: Program) -> int | Refusal:
        """Start the shim in its own session and return its pid, or why the system refuses this program.

        Raises `Unavailable` where the host cannot start any process now.
        """
        reading, writing = os.pipe()
        try:
            # No preexec_fn, user or group: then subprocess spawns by vfork(), which costs the same at any
            # size.
            process = subprocess.Popen(
                self._command(folder, program),
                stdin=reading,
                stdout=writing,
                stderr=writing,
                cwd=str(program.working_directory),
                env=program.environment,
                close_fds=True,
                start_new_session=True,
            )
        except OSError as exc:
            if exc.errno == errno.E2BIG:
                return Refusal(CANNOT_EXECUTE, "arguments and environment are longer than the system allows")
            if exc.filename == str(program.working_directory):
                return Refusal(CANNOT_EXECUTE, f"the working directory cannot be entered: {exc.strerror}")
            raise Unavailable(f"no process can be started on this host now: {exc.strerror}") from exc
        finally:
            os.close(reading)
            os.close(writing)
        # The launcher reaps by pid; the object would otherwise warn, when it goes, that its process still
        # runs.
        process.returncode = 0
        return process.pid

    def _command(self, folder: Path, program: Program) -> list[str]:
        return [
            _SHELL,
            "-c",
            self._text,
            "headwater-shim",
            str(folder),
            self._dd,
            str(self._half // _BLOCK),
            sys.executable or "python3",
            str(Path(collector.__file__)),
            str(self._half),
            *program.argv,
        ]
