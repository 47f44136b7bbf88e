"""The lock on a data folder: one Headwater at a time, and the second one is told who the first is."""

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from catalog.errors import ConfigurationError, DataFolderInUse

#: Seconds that the last children of a killed Headwater get to end before its folder counts as held.
INHERITED_SECONDS = 10.0
#: Seconds between taking the lock and having written who took it, at the very most.
UNNAMED_SECONDS = 1.0
RETRY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class FolderHolder:
    """Who holds a data folder, as its lock file says."""

    pid: int
    command: str
    url: str | None
    #: When the lock was taken, ISO 8601 in UTC.
    started_at: str
    #: Start of the process in seconds since 1970, which tells it from another with the same pid.
    process_started: float

    @classmethod
    def current(cls, url: str | None = None) -> "FolderHolder":
        """Describe this process."""
        command = " ".join([Path(sys.argv[0] or sys.executable).name, *sys.argv[1:]])
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(os.getpid(), command[:500], url, started_at, psutil.Process().create_time())

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.process_started) < 5.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        where = f" at {self.url}" if self.url else ""
        return f"process {self.pid} ({self.command}){where}, since {self.started_at}"


class DataFolderLock:
    """An exclusive `flock` on `lock` in the data folder, which says who holds it.

    The kernel lets go when the last process that inherited it has ended, so a folder is free only when
    nothing of an earlier Headwater runs any more, however it was killed.
    """

    def __init__(self, data_dir: Path, file: Path | None = None) -> None:
        self.data_dir = data_dir
        self.file = file if file is not None else data_dir / "lock"
        self._descriptor: int | None = None
        self._holder: FolderHolder | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, progress: Callable[[str], None] | None = None) -> None:
        """Hold the lock afterwards; make the folder (0700) if it is missing.

        Raises `DataFolderInUse`, which names the holder, or `ConfigurationError` where the folder cannot be
        used. Waits some seconds where the holder is dead and its children have not all ended yet.
        """
        descriptor = self._open()
        try:
            self._wait_for_lock(descriptor, progress)
            self._holder = FolderHolder.current()
            _write(descriptor, self._holder)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def announce(self, url: str) -> None:
        """Write into the lock file under which URL the holder can be reached."""
        if self._descriptor is None or self._holder is None:
            raise ConfigurationError(f"the lock {self.file} is not held, so no URL can be announced in it")
        self._holder = FolderHolder(**(asdict(self._holder) | {"url": url}))
        _write(self._descriptor, self._holder)

    def release(self) -> None:
        """Let go of the lock if it is held. The file stays, because its removal would be a race."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> FolderHolder | None:
        """Return who holds, or last held, the folder as far as the file can be read."""
        try:
            return FolderHolder(**json.loads(self.file.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _open(self) -> int:
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as exc:
            raise ConfigurationError(
                f"the data folder {self.data_dir} cannot be used: {exc.strerror}; choose another --data-dir",
                data_dir=str(self.data_dir),
            ) from exc

    def _wait_for_lock(self, descriptor: int, progress: Callable[[str], None] | None) -> None:
        began = time.monotonic()
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = self.holder()
                patience = UNNAMED_SECONDS if holder is None else 0.0 if holder.alive else INHERITED_SECONDS
                if time.monotonic() - began >= patience:
                    raise self._in_use(holder) from None
                if holder is not None and not told and progress is not None:
                    progress(f"waits for the last processes of the Headwater that was {holder}")
                    told = True
                time.sleep(RETRY_SECONDS)
            else:
                return

    def _in_use(self, holder: FolderHolder | None) -> DataFolderInUse:
        who = str(holder) if holder is not None else "another process"
        message = f"the data folder {self.data_dir} is held by {who}; stop that, or choose another --data-dir"
        details = asdict(holder) if holder is not None else {}
        return DataFolderInUse(message, data_dir=str(self.data_dir), **details)


def _write(descriptor: int, holder: FolderHolder) -> None:
    content = json.dumps(asdict(holder)).encode()
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))
