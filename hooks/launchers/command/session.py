"""The processes of one attempt, found by their session and never mistaken for somebody else's."""

import signal
import time
from dataclasses import dataclass

from hooks.launchers.command.attempt_folder import AttemptFolder, CommandRecord
from hooks.launchers.command.process import ProcessIdentity, parent_of, session_members, works_for

#: Seconds between two looks at processes that are being ended.
_POLL_SECONDS = 0.01
#: Seconds for which killed processes may linger before they count as impossible to kill.
KILL_SECONDS = 2.0
#: Longest wait for a shim that has the marker to start the command, in seconds.
_BIRTH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Session:
    """The session that an attempt's shim leads; it outlives the shim as long as it has members."""

    shim: ProcessIdentity
    folder: AttemptFolder

    def members(self) -> list[ProcessIdentity]:
        """Return the living processes of the command, the oldest first: neither the shim nor the collector.

        While the shim lives the session is its own. Afterwards its number may belong to somebody else,
        unless it still has a member that provably works for the attempt: a number is not given away while
        its session lives.
        """
        found, record = session_members(self.shim.pid), self.folder.command()
        if not self.shim.is_alive() and not any(self._is_ours(member, record) for member in found):
            return []
        collector = None if record is None else record.collector
        return [member for member in found if not self._is_witness(member, collector)]

    def kill(self, seconds: float) -> list[ProcessIdentity]:
        """End every member by force, also those born meanwhile; return who is left after these seconds."""
        deadline = time.monotonic() + seconds
        while members := self.members():
            if time.monotonic() >= deadline:
                return members
            for member in members:
                member.send(signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
        return []

    def _is_ours(self, member: ProcessIdentity, record: CommandRecord | None) -> bool:
        if record is not None and member == record.command:
            return True
        return works_for(member.pid, self.folder.run_id, self.folder.number)

    def _is_witness(self, member: ProcessIdentity, collector: int | None) -> bool:
        if member == self.shim or member.pid == collector:
            return True
        return collector is not None and parent_of(member.pid) == collector


def end_session(shim: ProcessIdentity, folder: AttemptFolder, *, grace_seconds: float) -> None:
    """End the command and its descendants: SIGTERM, and SIGKILL once the grace is over.

    They are gone on return. The shim lives on to record the exit code. What cannot be killed is left alone
    after another `KILL_SECONDS`.
    """
    session = Session(shim, folder)
    begun = time.monotonic()
    told = False
    while (members := session.members()) or shim.is_alive():
        waited = time.monotonic() - begun
        if waited >= grace_seconds + KILL_SECONDS:
            return
        if waited >= grace_seconds:
            session.kill(KILL_SECONDS)
            # A shim that somebody stopped could not record what it saw.
            shim.send(signal.SIGCONT)
        # Once, and not to those born later: they may be what the command does to clean up. A process that
        # has yet to become the command would catch the signal with the shim's own handler, and forget it.
        elif not told and (folder.command() is not None or waited >= _BIRTH_SECONDS):
            told = True
            # The oldest first, so that no script goes on to its next line.
            for member in members:
                member.send(signal.SIGTERM)
        time.sleep(_POLL_SECONDS)
