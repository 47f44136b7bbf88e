"""How far an import has come, in a file for each source and server; losing it costs time and nothing else."""

import dataclasses
import datetime as dt
import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from catalog.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ImportCursor:
    """Where to go on: all events before `after` were sent, and of those that tell it the ones with these digests."""

    after: dt.datetime
    seen: frozenset[str] = frozenset()
    #: Events sent so far, over all runs of the command, and how many of them the server refused.
    sent: int = 0
    refused: int = 0


class CursorFile:
    """The file of one source and one server."""

    def __init__(self, folder: Path, source: str, server: str) -> None:
        name = sha256(f"{source}\n{server}".encode()).hexdigest()[:24]
        self.path = folder / "imports" / f"{name}.json"
        self._source, self._server = source, server

    def read(self) -> ImportCursor | None:
        """Return how far the import has come, None where it never began or its file is not readable as one."""
        try:
            found = json.loads(self.path.read_bytes())
            after = dt.datetime.fromisoformat(found["after"])
            refused = int(found.get("refused", 0))  # the former release did not keep it
            return ImportCursor(after, frozenset(found["seen"]), int(found["sent"]), refused)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, cursor: ImportCursor) -> None:
        """Keep how far the import has come; whoever is killed meanwhile leaves the one before.

        Raises `ConfigurationError` where the folder cannot be written.
        """
        kept = {
            "source": self._source,
            "server": self._server,
            **dataclasses.asdict(cursor),
            "after": cursor.after.isoformat(),
            "seen": sorted(cursor.seen),
        }
        draft = self.path.with_suffix(f".{os.getpid()}.draft")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_text(json.dumps(kept), "utf-8")
            draft.replace(self.path)
        except OSError as error:
            raise ConfigurationError(
                f"expected to keep how far the import has come in {self.path}: {error.strerror}"
            ) from error

    def forget(self) -> None:
        """Begin anew next time."""
        self.path.unlink(missing_ok=True)
