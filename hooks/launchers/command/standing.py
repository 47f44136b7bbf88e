"""How an attempt stands, judged from its folder and the process table alone."""

from dataclasses import dataclass
from datetime import datetime

from hooks.launchers.command.attempt_folder import AttemptFolder, ExitRecord, Marker, Refusal
from hooks.launchers.command.host import boot_identity
from hooks.launchers.command.process import ProcessIdentity, processes_working_for
from hooks.launchers.command.session import KILL_SECONDS, Session
from hooks.launchers.port import Exited, Lost, NotStarted, Outcome, Running

#: `sh` reports a process that a signal ended as 128 and the signal's number; 64 is Linux's last.
_SIGNAL_BASE = 128
_LARGEST_SIGNAL = 64

RESTARTED = "the host was restarted while the attempt may have been running"
_SHIM_KILLED = "the process that watched the command was killed; what was left of the command was ended"
_SHIM_KILLED_EARLY = "the process that was to watch the command was killed before it started the command"


@dataclass(frozen=True, slots=True)
class Orphaned:
    """Nobody will write the exit code; `shim` is None where it did not get to write who it is."""

    shim: ProcessIdentity | None
    started_at: datetime


def look(folder: AttemptFolder) -> Outcome | Orphaned:
    """Say how the attempt stands and change nothing; a spawned shim without a marker is not seen."""
    marker = folder.marker()
    if marker is None:
        return Lost(RESTARTED) if folder.boot() not in {None, boot_identity()} else NotStarted()
    match marker.holder:
        case Refusal(code, reason):
            return Exited(code, None, None, marker.taken_at, reason)
        case ProcessIdentity() as shim:
            return _end_of(folder, marker) or _look_at_shim(folder, marker, shim)
        case None:
            return _end_of(folder, marker) or _look_at_nameless(folder, marker)


def _end_of(folder: AttemptFolder, marker: Marker) -> Exited | Lost | None:
    """Return how the attempt ended, where that is decided."""
    record, lost = folder.exit(), folder.lost()
    if record is not None:
        return _exited(folder, marker, record)
    if lost is not None:
        return Lost(lost)
    return None if folder.boot() == boot_identity() else Lost(RESTARTED)


def _look_at_shim(
    folder: AttemptFolder, marker: Marker, shim: ProcessIdentity
) -> Running | Exited | Orphaned:
    if shim.is_alive():
        return Running(shim.pid, marker.taken_at)
    # It may have written the exit code and ended between the two looks.
    record = folder.exit()
    return Orphaned(shim, marker.taken_at) if record is None else _exited(folder, marker, record)


def settle(folder: AttemptFolder, orphaned: Orphaned) -> Lost | Running:
    """Declare an attempt lost once nothing is left of it in its session; before that, it is running."""
    if orphaned.shim is None:
        reason = _SHIM_KILLED_EARLY
    else:
        left = Session(orphaned.shim, folder).kill(KILL_SECONDS)
        if left:
            return Running(left[0].pid, orphaned.started_at)
        reason = _SHIM_KILLED
    folder.write_lost(reason)
    return Lost(folder.lost() or reason)


def _look_at_nameless(folder: AttemptFolder, marker: Marker) -> Running | Orphaned:
    """Judge a marker that is empty: its shim is writing it, or was killed before running the command."""
    at_work = processes_working_for(folder.run_id, folder.number)
    named = folder.marker()
    if named is not None and isinstance(named.holder, ProcessIdentity):
        return Running(named.holder.pid, marker.taken_at)
    return Running(at_work[0].pid, marker.taken_at) if at_work else Orphaned(None, marker.taken_at)


def _exited(folder: AttemptFolder, marker: Marker, record: ExitRecord) -> Exited:
    by_signal = _SIGNAL_BASE < record.code <= _SIGNAL_BASE + _LARGEST_SIGNAL
    return Exited(
        code=record.code,
        signal=record.code - _SIGNAL_BASE if by_signal else None,
        started_at=marker.taken_at,
        ended_at=record.ended_at,
        reason=folder.stop_reason(),
    )
