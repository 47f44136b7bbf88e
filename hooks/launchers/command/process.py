"""Processes that are known by pid and start time, so that a reused pid is never taken for the old process.

Nothing here needs the process to be a child of this one. On Linux the start time is field 22 of
`/proc/PID/stat` (proc_pid_stat(5): clock ticks after the kernel's start); elsewhere it is what `ps` prints.
"""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Seconds between two looks at a process where the kernel cannot tell when it ends.
_POLL_SECONDS = 0.01
#: States of `/proc/PID/stat` and `ps` in which a process has ended and only waits to be reaped.
_ENDED_STATES = frozenset("ZXx")
#: Place of the start time among the fields of `/proc/PID/stat` that follow the name.
_START_TIME = 19
#: What `pidfd_open` answers where it does not exist or a sandbox forbids it.
_NO_DESCRIPTORS = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL})


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process for ever: its pid, and the start time that tells it from later holders of the pid."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Say whether this very process exists and has not ended."""
        return identify(self.pid) == self

    def send(self, signal_number: signal.Signals) -> None:
        """Send the signal to this very process, or to nobody: it has ended, or belongs to another user."""
        with suppress(ProcessLookupError, PermissionError), _descriptor(self.pid) as descriptor:
            # The descriptor is bound to whoever holds the pid now; only then is that process identified.
            if not self.is_alive():
                return
            if sys.platform == "linux" and descriptor is not None:
                signal.pidfd_send_signal(descriptor, signal_number)
            else:
                os.kill(self.pid, signal_number)

    async def ended(self, seconds: float) -> None:
        """Return as soon as this process has ended, or after the given seconds."""
        with suppress(ProcessLookupError), _descriptor(self.pid) as descriptor:
            if descriptor is None:
                await _poll_until_ended(self, seconds)
            elif self.is_alive():
                await _readable(descriptor, seconds)


def identify(pid: int) -> ProcessIdentity | None:
    """Return who holds the pid now; None where nobody does or the process has ended."""
    if pid <= 0:
        return None
    if sys.platform != "linux":
        return identify_by_ps(pid)
    fields = _stat_fields(pid)
    if fields is None or fields[0] in _ENDED_STATES:
        return None
    return ProcessIdentity(pid, fields[_START_TIME])


def identify_by_ps(pid: int) -> ProcessIdentity | None:
    """Do what `identify` does with POSIX means alone; a few milliseconds."""
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC0"}
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    state, _, started = " ".join(found.stdout.split()).partition(" ")
    if not started or state[0] in _ENDED_STATES:
        return None
    return ProcessIdentity(pid, started)


def session_members(session: int) -> list[ProcessIdentity]:
    """Return every process of the session that has not ended, the oldest first."""
    members = [identify(pid) for pid in psutil.pids() if _session_of(pid) == session]
    return sorted((member for member in members if member is not None), key=_age_order)


def in_session(pid: int, session: int) -> bool:
    """Say whether the process exists and is a member of the session."""
    return identify(pid) is not None and _session_of(pid) == session


def parent_of(pid: int) -> int | None:
    """Return the pid of the parent; None where the process is gone."""
    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return None


def works_for(pid: int, run_id: uuid.UUID, number: int) -> bool:
    """Say whether the process was executed with the environment of this attempt."""
    try:
        environment = psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return False
    found = (environment.get("HEADWATER_RUN_ID"), environment.get("HEADWATER_ATTEMPT"))
    return found == (str(run_id), str(number))


def processes_working_for(run_id: uuid.UUID, number: int) -> list[ProcessIdentity]:
    """Return every process that was executed with the environment of this attempt; it reads them all."""
    found = [identify(pid) for pid in psutil.pids() if works_for(pid, run_id, number)]
    return [identity for identity in found if identity is not None]


def _age_order(identity: ProcessIdentity) -> tuple[str, int]:
    return (identity.started.rjust(32), identity.pid)


def _stat_fields(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name is in parentheses and may itself hold blanks and parentheses.
    return text.rpartition(")")[2].split()


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


@contextmanager
def _descriptor(pid: int) -> Iterator[int | None]:
    """Open a pidfd; None where the kernel or a sandbox offers none. Raises `ProcessLookupError`."""
    if sys.platform != "linux":
        yield None
        return
    try:
        descriptor = os.pidfd_open(pid)
    except OSError as exc:
        if exc.errno not in _NO_DESCRIPTORS:
            raise
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _readable(descriptor: int, seconds: float) -> None:
    """Wait for a pidfd, which is readable once its process has ended (pidfd_open(2))."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended.wait()
    finally:
        loop.remove_reader(descriptor)


async def _poll_until_ended(identity: ProcessIdentity, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while identity.is_alive():  # noqa: ASYNC110 - nothing here could set an event
                await asyncio.sleep(_POLL_SECONDS)
