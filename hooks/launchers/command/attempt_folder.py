"""The folder of one attempt: the only memory that the launcher, the shim and a later launcher share.

| file | written by | says |
|---|---|---|
| `boot` | launcher, before any shim | the start of the kernel that it belongs to; synced before all |
| `trigger.json` | launcher | what the command may read about why it runs |
| `exit` | shim | the exit code and a newline; reserved before, so that a full disk does not swallow it |
| `marker` | the one shim that may run the command | its pid and start time; or a refusal instead |
| `command` | shim | pid and start time of the command, pid of the collector |
| `head`, `tail` | collector | the output, see `collector.py` |
| `stop` | launcher | why the attempt is being stopped |
| `lost` | launcher | why nobody can know how it ended |

No file holds a secret or the command's environment.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hooks.launchers.command.process import ProcessIdentity

_REFUSED = "refused"
#: Bytes reserved for the exit code: at least what `echo 255` writes.
_EXIT_ROOM = " " * 16


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing of an attempt is executed, with the exit code that says so."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Marker:
    """Who took the right to run the attempt; `holder` is None where the shim did not finish writing."""

    holder: ProcessIdentity | Refusal | None
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """The command's exit code as the shim saw it."""

    code: int
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """The process that became the command, and the one that collects its output."""

    command: ProcessIdentity
    collector: int


@dataclass(frozen=True, slots=True)
class AttemptFolder:
    """Reads and writes the files of one attempt; knows nothing of processes."""

    path: Path
    run_id: uuid.UUID
    number: int

    @classmethod
    def of(cls, runs_dir: Path, run_id: uuid.UUID, number: int) -> "AttemptFolder":
        """Return the folder of an attempt, which need not exist."""
        return cls(runs_dir / f"{run_id}.{number}", run_id, number)

    @classmethod
    def all_in(cls, runs_dir: Path) -> Iterator["AttemptFolder"]:
        """Go through the folders of all attempts; what else lies there is passed over."""
        for path in sorted(runs_dir.glob("*.*")):
            run_id, _, number = path.name.partition(".")
            with suppress(ValueError):
                yield cls(path, uuid.UUID(run_id), int(number))

    @property
    def trigger(self) -> Path:
        """File with the JSON that `HEADWATER_TRIGGER` names."""
        return self.path / "trigger.json"

    def prepare(self, boot: str, *, durable: bool) -> None:
        """Create the folder; where `durable`, it says after a power loss that something may have run.

        The entries of folder and file are on disk then. The file's content need not be: whatever a power loss
        makes of it is not the next boot.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        self._replace("boot", f"{boot}\n".encode())
        if durable:
            _sync(self.path)
            _sync(self.path.parent)

    def reserve_exit(self) -> None:
        """Take the disk space of the exit code; a second call changes nothing."""
        self._create_whole("exit", _EXIT_ROOM)

    def write_trigger(self, content: bytes) -> None:
        """Write the trigger file, whole at every instant, readable by the owner alone."""
        self._replace(self.trigger.name, content)

    def boot(self) -> str | None:
        """Return the boot in which the attempt was prepared; None where preparing did not get that far."""
        found = self._read("boot")
        return None if found is None else found[0].strip()

    def marker(self) -> Marker | None:
        """Return who holds the right to run the attempt; None where nobody took it."""
        found = self._read("marker")
        if found is None:
            return None
        text, taken_at = found
        first, _, rest = text.strip().partition(" ")
        if not text.endswith("\n"):
            return Marker(None, taken_at)
        if first == _REFUSED:
            code, _, reason = rest.partition(" ")
            return Marker(Refusal(int(code), reason), taken_at)
        return Marker(ProcessIdentity(int(first), " ".join(rest.split())), taken_at)

    def refuse(self, refusal: Refusal) -> bool:
        """Take the marker so that no shim ever runs the attempt; False where somebody took it before."""
        reason = " ".join(refusal.reason.split())
        return self._create_whole("marker", f"{_REFUSED} {refusal.code} {reason}\n")

    def command(self) -> CommandRecord | None:
        """Return the command's process; None where the shim did not get to start it."""
        found = self._read("command")
        fields = found[0].split() if found is not None and found[0].endswith("\n") else []
        if len(fields) != 3:
            return None
        pid, started, collector = fields
        return CommandRecord(ProcessIdentity(int(pid), started), int(collector))

    def exit(self) -> ExitRecord | None:
        """Return the exit code; None while it is not known."""
        found = self._read("exit")
        if found is None or "\n" not in found[0]:
            return None
        return ExitRecord(int(found[0].split("\n", 1)[0]), found[1])

    def stop_reason(self) -> str | None:
        """Return why the attempt was asked to stop; None where it was not."""
        found = self._read("stop")
        return None if found is None else found[0].strip()

    def write_stop(self, reason: str) -> None:
        """Remember that the attempt was asked to stop; the first reason stays."""
        self._create_whole("stop", f"{reason}\n")

    def lost(self) -> str | None:
        """Return why nobody can know how the attempt ended; None where that was not found."""
        found = self._read("lost")
        return None if found is None else found[0].strip()

    def write_lost(self, reason: str) -> None:
        """Remember that nobody can know how the attempt ended; the first reason stays."""
        self._create_whole("lost", f"{reason}\n")

    def changed_at(self) -> datetime:
        """Return when a file of the folder was last created or removed."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)

    def remove(self) -> None:
        """Remove the folder with all that it says; another may do so at the same time."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)

    def _read(self, name: str) -> tuple[str, datetime] | None:
        """Return a file's text and the instant of its last change (UTC)."""
        try:
            with (self.path / name).open("rb") as file:
                changed = os.fstat(file.fileno()).st_mtime
                return file.read().decode("utf-8", "replace"), datetime.fromtimestamp(changed, UTC)
        except FileNotFoundError:
            return None

    def _replace(self, name: str, content: bytes) -> None:
        self._draft(name, content).replace(self.path / name)

    def _create_whole(self, name: str, text: str) -> bool:
        """Create the file with its content in one step; False where it exists."""
        draft = self._draft(name, text.encode("utf-8", "backslashreplace"))
        try:
            # A link appears with its content or not at all, and never takes another file's place.
            (self.path / name).hardlink_to(draft)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def _draft(self, name: str, content: bytes) -> Path:
        draft = self.path / f".{name}.{uuid.uuid4()}"
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_bytes(content)
        return draft


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
