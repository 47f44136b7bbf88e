"""A shell that waits at a pipe and ends PostgreSQL when the process that started it is gone."""

import os
import subprocess
from pathlib import Path

from catalog.embedded.account import ServerAccount

SCRIPT = (Path(__file__).parent / "guard.sh").read_text()


class Guard:
    """Watches this process for the postmaster; costs less than a megabyte.

    The pipe closes when every copy of its end is gone, so a forked child calls `forget`.
    """

    def __init__(self, postmaster: int, cluster: Path, account: ServerAccount) -> None:
        self._postmaster = postmaster
        self._cluster = cluster
        self._account = account
        self._start()

    def _start(self) -> None:
        reader, self._writer = os.pipe()
        try:
            command = ["/bin/sh", "-c", SCRIPT, "headwater-guard", str(self._postmaster), str(self._cluster)]
            self._process: subprocess.Popen[bytes] | None = self._account.popen(command, stdin=reader)
        except BaseException:
            os.close(self._writer)
            raise
        finally:
            os.close(reader)

    def renew(self) -> None:
        """Start another guard if this one was ended."""
        if self._process is not None and self._process.poll() is not None:
            os.close(self._writer)
            self._start()

    def dismiss(self) -> None:
        """End the guard; PostgreSQL is not touched."""
        if self._process is not None:
            self._process.kill()  # before the pipe closes, so that it cannot act any more
            self._process.wait()
            os.close(self._writer)
            self._process = None

    def forget(self) -> None:
        """In a forked child: close the copy of the pipe, so that only the parent's life counts."""
        if self._process is not None:
            os.close(self._writer)
            self._process.returncode = 0  # it is no child of this process
            self._process = None
