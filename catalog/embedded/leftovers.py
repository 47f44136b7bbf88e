"""Server processes that an earlier Headwater left behind, told from strangers by folder, program and user.

A process id in `postmaster.pid` proves nothing: after a crash it may belong to anybody. Every process of a
cluster has the cluster as its working folder, and PostgreSQL never changes that.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from catalog.embedded.account import ServerAccount

POLL_SECONDS = 0.02
#: Seconds after which a found postmaster is asked to end (with its clients), told to, made to.
POSTMASTER_STEPS = [(0.0, signal.SIGINT), (10.0, signal.SIGQUIT), (15.0, signal.SIGKILL)]
#: The same for processes whose postmaster is dead: they end by themselves as soon as they are idle.
ORPHAN_STEPS = [(5.0, signal.SIGQUIT), (10.0, signal.SIGKILL)]


def recorded_pid(cluster: Path) -> int | None:
    """Return the process id in `postmaster.pid`, whoever has it now; None where there is none."""
    try:
        return int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def server_processes(cluster: Path, account: ServerAccount) -> list[psutil.Process]:
    """Return every live process of the cluster's server."""
    return [process for process in psutil.process_iter() if _belongs_to(process, cluster, account)]


def _belongs_to(process: psutil.Process, cluster: Path, account: ServerAccount) -> bool:
    try:
        return (
            process.name().startswith("postgres")
            and process.uids().effective == account.uid
            and Path(process.cwd()).samefile(cluster)
        )
    except (psutil.Error, OSError):
        # Ended just now, a zombie, or not ours to look at: none of these is a live server of ours.
        return False


def end_leftovers(cluster: Path, account: ServerAccount, progress: Callable[[str], None]) -> Iterator[float]:
    """Yield seconds to wait until no process of the cluster lives; strangers are not touched."""
    file = cluster / "postmaster.pid"
    if not file.exists():
        return
    began = time.monotonic()
    told = 0
    sent: set[tuple[int, signal.Signals]] = set()
    while processes := server_processes(cluster, account):
        waited = time.monotonic() - began
        postmaster = [process for process in processes if process.pid == recorded_pid(cluster)]
        for after, number in POSTMASTER_STEPS if postmaster else ORPHAN_STEPS:
            # The postmaster ends its children itself, unless it is killed.
            targets = postmaster if postmaster and number != signal.SIGKILL else processes
            for process in targets:
                if waited >= after and (process.pid, number) not in sent:
                    sent.add((process.pid, number))
                    _send(process, number)
        if waited >= told:
            pids = ", ".join(str(process.pid) for process in processes)
            progress(f"ends the PostgreSQL that an earlier Headwater left behind (processes {pids})")
            told += 1
        yield POLL_SECONDS
    if recorded_pid(cluster) is None:
        # Cut short by a crash of the machine: the server would refuse to start, and it says nothing.
        file.unlink(missing_ok=True)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)  # psutil refuses where the process id went to another process
