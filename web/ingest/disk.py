"""The disk guard: ingest stops before the disk is full, so that the database never breaks on it."""

import os
import time
from pathlib import Path

from catalog.errors import DiskFull

#: How long one look at the disk counts, in seconds.
LOOK_SECONDS = 1.0
MIB = 1024 * 1024


class DiskGuard:
    """Watches the free bytes of the data folder, and of the embedded database where that lies elsewhere."""

    def __init__(self, folder: Path, minimum: int) -> None:
        self.minimum = minimum
        # As root the cluster lies outside the data folder, behind this link.
        self._places = (folder, folder / "postgresql")
        self._free = 0
        self._looked_at = float("-inf")

    def free_bytes(self) -> int:
        """Return the bytes that an ordinary user may still write, of the fullest of the places; a second old at most.

        Of a folder that does not exist yet its nearest existing parent counts.
        """
        now = time.monotonic()
        if now - self._looked_at > LOOK_SECONDS:
            self._free = min(_free_at(place) for place in self._places)
            self._looked_at = now
        return self._free

    def check(self) -> None:
        """Raise `DiskFull` if less is free than the minimum."""
        free = self.free_bytes()
        if free < self.minimum:
            message = (
                f"{free // MIB} MiB of disk are free, ingest needs {self.minimum // MIB} MiB; nothing was stored:"
                " make room and send the request again"
            )
            raise DiskFull(message, free_bytes=free, minimum_bytes=self.minimum)


def _free_at(place: Path) -> int:
    for folder in (place, *place.absolute().parents):
        try:
            found = os.statvfs(folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return found.f_bavail * found.f_frsize
    return 0
