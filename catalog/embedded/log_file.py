"""The log of the server: one file in the data folder that never grows without bound."""

import os
import shutil
from pathlib import Path

#: Bytes from which the log is moved to `….1`, which replaces an older one.
LIMIT_BYTES = 8 * 1024 * 1024


class ServerLog:
    """A file that the server appends to; two of them, `postgresql.log` and `postgresql.log.1`, are kept."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._begin = 0

    def open(self) -> int:
        """Return a descriptor that appends; `tail` begins here."""
        self.rotate()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.file, flags, 0o600)
        self._begin = os.fstat(descriptor).st_size
        return descriptor

    def rotate(self) -> None:
        """Copy the log away and empty it if it is over the limit: the server keeps its descriptor."""
        try:
            if self.file.stat().st_size < LIMIT_BYTES:
                return
        except FileNotFoundError:
            return
        older = self.file.with_name(f"{self.file.name}.1")
        older.unlink(missing_ok=True)
        shutil.copyfile(self.file, older)
        os.truncate(self.file, 0)
        self._begin = 0

    def tail(self, size: int = 2000) -> str:
        """Return the last bytes that were written since `open`, as text."""
        with self.file.open("rb") as opened:
            end = opened.seek(0, os.SEEK_END)
            opened.seek(max(self._begin, end - size))
            return opened.read().decode(errors="replace").strip()
