"""What was kept of an attempt's output, read from the files that the shim and its collector write."""

import time
from datetime import UTC, datetime
from pathlib import Path

from hooks.launchers.command.attempt_folder import AttemptFolder
from hooks.launchers.command.collector import HEADER
from hooks.launchers.command.process import ProcessIdentity, in_session
from hooks.launchers.port import Output

#: Seconds after an attempt's end in which the collector may still be writing what was in the pipe.
_SETTLING_SECONDS = 5.0
#: Longest wait for the collector, in seconds: a process left behind by the attempt may hold the pipe for
#: ever.
_WAIT_SECONDS = 0.25
_POLL_SECONDS = 0.001


def wait_for_collector(folder: AttemptFolder) -> None:
    """Give the collector of an attempt that has just ended a moment to write all that the attempt wrote."""
    ended, record, marker = folder.exit(), folder.command(), folder.marker()
    if ended is None or record is None or marker is None or not isinstance(marker.holder, ProcessIdentity):
        return
    if (datetime.now(UTC) - ended.ended_at).total_seconds() > _SETTLING_SECONDS:
        return
    deadline = time.monotonic() + _WAIT_SECONDS
    while in_session(record.collector, marker.holder.pid) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def read_output(folder: Path) -> Output:
    """Return head and tail as they are now; nothing was written where the files do not exist."""
    try:
        head = (folder / "head").read_bytes()
    except FileNotFoundError:
        return Output(b"", b"", 0)
    try:
        ring = (folder / "tail").read_bytes()
    except FileNotFoundError:
        return Output(head, b"", 0)
    if len(ring) < HEADER.size:
        return Output(head, b"", 0)
    capacity, count = HEADER.unpack_from(ring)
    kept = ring[HEADER.size :]
    if count <= capacity:
        return Output(head, kept[:count], 0)
    oldest = count % capacity
    return Output(head, kept[oldest:] + kept[:oldest], count - capacity)
