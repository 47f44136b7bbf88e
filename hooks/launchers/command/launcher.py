"""Starts commands on this host, at most once each, and can be replaced at any instant without losing one.

How an attempt is started: the launcher writes the attempt folder and spawns a small `sh` program
(`shim.sh`) as the leader of a new session. The shim takes the marker, which only one process can ever do,
runs the command, and writes its exit code into the folder the moment it ends.

What a crash does, by the instant at which it strikes:

- The launcher dies before it spawned: there is no marker, so the attempt is `NotStarted` and is started
  again.
- It dies after it spawned, before the shim took the marker: the attempt is `NotStarted` or `Running`,
  depending on when one asks. Whoever starts it again spawns a second shim; one of the two takes the marker,
  the other ends.
- It dies later: the shim, which is not in the launcher's session, goes on. Any launcher with the same
  folder finds marker or exit code.
- The shim dies before the marker was written: the command did not begin. A marker without content is
  `Lost`, unless a process with the attempt's environment lives.
- The shim is killed while the command runs: nobody can learn the exit code any more, so what is left of the
  session is killed first and only then the attempt is `Lost`; while something cannot be killed it counts as
  `Running`.
- The host restarts: without an exit code the attempt is `Lost`. This holds where the marker did not reach
  the disk, too, because the boot of the start is known: the caller kept it (`Attempt.claimed_boot`), or the
  launcher waited for the disk to keep it.

A process that leaves the session (`setsid`) is out of reach, as it is for a terminal.
"""

import asyncio
import os
import signal
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from hooks.launchers.command.attempt_folder import AttemptFolder, Marker, Refusal
from hooks.launchers.command.host import boot_identity
from hooks.launchers.command.output import read_output, wait_for_collector
from hooks.launchers.command.process import ProcessIdentity, identify
from hooks.launchers.command.program import prepare_program
from hooks.launchers.command.session import end_session
from hooks.launchers.command.shim import Shim
from hooks.launchers.command.standing import RESTARTED, Orphaned, look, settle
from hooks.launchers.port import (
    Attempt,
    Exited,
    Lost,
    NotStarted,
    Outcome,
    Output,
    Running,
    Started,
    StartOutcome,
)

#: Seconds between two looks where there is nothing to wait for.
_POLL_SECONDS = 0.01
#: Exit code that `sh` reports for a process that SIGTERM ended.
_TERMINATED = 128 + signal.SIGTERM


class CommandLauncher:
    """Starts, asks and stops commands of this host; works on the folders below `runs_dir` alone.

    `allowed_folders` are the only ones in or below which a command's working directory may be.
    """

    def __init__(
        self,
        runs_dir: Path,
        *,
        output_bytes: int,
        allowed_folders: Sequence[Path],
        secrets_folder: Path | None,
    ) -> None:
        self._runs_dir = runs_dir.absolute()
        self._allowed_folders = tuple(folder.resolve() for folder in allowed_folders)
        self._secrets_folder = secrets_folder
        self._shim = Shim(output_bytes)
        #: Shims that this launcher spawned and has not reaped, so that their pids are not given away.
        self._spawned: dict[tuple[uuid.UUID, int], Started] = {}
        self._reaping = threading.Lock()

    def start(self, attempt: Attempt) -> StartOutcome:
        """Start the attempt, or say how it stands where it was started before.

        An attempt that cannot be executed has `Exited` with 126 or 127 and the reason, once and for all.
        Raises `Unavailable` where the host cannot start a process now: nothing was started then.
        """
        known = self.ask(attempt.run_id, attempt.number)
        if not isinstance(known, NotStarted):
            return known
        if attempt.claimed_boot not in {None, boot_identity()}:
            return Lost(RESTARTED)
        folder = self._folder(attempt.run_id, attempt.number)
        folder.prepare(boot_identity(), durable=attempt.claimed_boot is None)
        program = prepare_program(
            attempt,
            folder.trigger,
            allowed_folders=self._allowed_folders,
            secrets_folder=self._secrets_folder,
        )
        if not isinstance(program, Refusal):
            folder.write_trigger(attempt.trigger)
            folder.reserve_exit()
            # Files tell the end, so they tell the start: their clock is some milliseconds behind the precise one.
            started_at = folder.changed_at()
            pid = self._shim.spawn(folder.path, program)
            if not isinstance(pid, Refusal):
                started = Started(pid, started_at)
                self._spawned[attempt.run_id, attempt.number] = started
                return started
            program = pid
        folder.refuse(program)
        # Somebody holds the marker now: this refusal, or a shim that another call spawned meanwhile.
        return self.start(attempt)

    def ask(self, run_id: uuid.UUID, number: int) -> Outcome:
        """Say how the attempt stands; before saying `Lost`, end what is left in its session."""
        outcome = self._look(run_id, number)
        return settle(self._folder(run_id, number), outcome) if isinstance(outcome, Orphaned) else outcome

    async def wait(self, run_id: uuid.UUID, number: int, seconds: float) -> Outcome:
        """Say how the attempt stands as soon as it has ended, or after the given seconds."""
        deadline = time.monotonic() + seconds
        while True:
            found = self._look(run_id, number)
            # Ending processes takes a moment, looking at files does not: only the former leaves the loop.
            outcome = (
                await asyncio.to_thread(self.ask, run_id, number) if isinstance(found, Orphaned) else found
            )
            left = deadline - time.monotonic()
            if not isinstance(outcome, Running) or left <= 0:
                return outcome
            process = identify(outcome.pid)
            if process is None:
                await asyncio.sleep(min(left, _POLL_SECONDS))
            else:
                await process.ended(left)

    def stop(self, run_id: uuid.UUID, number: int, *, reason: str, grace_seconds: float = 5.0) -> None:
        """End every process of the attempt: SIGTERM, and SIGKILL after the grace; it blocks for as long.

        One that was not started never will be. One that had ended is left alone, with the processes that it
        left behind. Safe to repeat, also by another launcher after a crash; the first reason stays.
        """
        folder = self._folder(run_id, number)
        if not isinstance(self.ask(run_id, number), Exited | Lost):
            folder.prepare(boot_identity(), durable=False)
            if folder.refuse(Refusal(_TERMINATED, reason)):
                return
            folder.write_stop(reason)
        elif folder.stop_reason() is None:
            return
        while isinstance(marker := folder.marker(), Marker):
            if isinstance(marker.holder, ProcessIdentity):
                end_session(marker.holder, folder, grace_seconds=grace_seconds)
                return
            if not isinstance(self.ask(run_id, number), Running):
                return
            # The shim has taken the marker and is about to write its name.
            time.sleep(_POLL_SECONDS)

    def output(self, run_id: uuid.UUID, number: int) -> Output:
        """Return what was kept of the output up to now; after the end of the attempt, all that will be kept.

        A process that outlives the attempt and holds its output open may still add to it.
        """
        folder = self._folder(run_id, number)
        wait_for_collector(folder)
        return read_output(folder.path)

    def running(self) -> list[tuple[uuid.UUID, int]]:
        """Return the attempts that were started on this host and have not ended."""
        return [
            (folder.run_id, folder.number)
            for folder in AttemptFolder.all_in(self._runs_dir)
            if isinstance(self._look(folder.run_id, folder.number), Running | Orphaned)
        ]

    def finished(self, older_than: datetime) -> list[tuple[uuid.UUID, int]]:
        """Return the attempts with a folder here that ended, or came to nothing, before the instant."""
        found = []
        for folder in AttemptFolder.all_in(self._runs_dir):
            outcome = self._look(folder.run_id, folder.number)
            if isinstance(outcome, Running | Orphaned):
                continue
            ended_at = outcome.ended_at if isinstance(outcome, Exited) else folder.changed_at()
            if ended_at < older_than:
                found.append((folder.run_id, folder.number))
        return found

    def remove(self, run_id: uuid.UUID, number: int) -> None:
        """Remove the folder of an attempt that ended, with its output; safe to repeat.

        The attempt counts as `NotStarted` from then on: the caller must know for good that it has ended.
        """
        self._folder(run_id, number).remove()

    def _folder(self, run_id: uuid.UUID, number: int) -> AttemptFolder:
        return AttemptFolder.of(self._runs_dir, run_id, number)

    def _look(self, run_id: uuid.UUID, number: int) -> Outcome | Orphaned:
        """Say how the attempt stands; a shim of this launcher that has yet to take the marker counts."""
        self._reap()
        found = look(self._folder(run_id, number))
        spawned = self._spawned.get((run_id, number))
        if not isinstance(found, NotStarted) or spawned is None:
            return found
        if identify(spawned.pid) is not None:
            return Running(spawned.pid, spawned.started_at)
        # It may have taken the marker and ended between the two looks.
        return look(self._folder(run_id, number))

    def _reap(self) -> None:
        """Let the kernel forget the shims that have ended; an earlier launcher's are not our children."""
        # One thread at a time: a pid that another thread has just reaped may be anybody's.
        with self._reaping:
            for attempt, started in list(self._spawned.items()):
                try:
                    ended, _ = os.waitpid(started.pid, os.WNOHANG)
                except ChildProcessError:
                    ended = started.pid
                if ended:
                    del self._spawned[attempt]
