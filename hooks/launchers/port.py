"""What an attempt of a pipeline run is, what a launcher can say of it, and what every launcher can do.

A launcher starts an attempt on an engine and can be asked how it stands, also by another process than the one
that started it. It stores nothing in the database: its caller records what it says as facts.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from hooks.launchers.secret import SecretReference


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one pipeline run: everything a launcher needs to start it.

    Its parent in OpenLineage is the pipeline run: job `parent_job_name` in `parent_job_namespace`, run
    `run_id`. The root is the parent itself where no other is given. Secrets in `environment` are read at
    the start. `claimed_boot` is the boot of the host when the attempt was bound to it, where the caller keeps
    that through a power loss; without it the launcher has to wait for the disk.
    """

    run_id: uuid.UUID
    number: int
    pipeline: str
    argv: tuple[str, ...]
    openlineage_url: str
    openlineage_namespace: str
    parent_job_namespace: str
    parent_job_name: str
    trigger: bytes
    claimed_boot: str | None = None
    working_directory: str | None = None
    environment: Mapping[str, str | SecretReference] = field(default_factory=dict)
    timeout: timedelta | None = None
    root_job_namespace: str | None = None
    root_job_name: str | None = None
    root_run_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """This call started the attempt."""

    pid: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Running:
    """The attempt was started, by this or an earlier call, and has not ended."""

    pid: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Exited:
    """The attempt has ended and its exit code is known.

    `code` is what `sh` reports: for a signal 128 and its number. `reason` says why it ended where that is
    known: it could not be executed (126, 127; `started_at` is None), or somebody asked it to stop.
    """

    code: int
    signal: int | None
    started_at: datetime | None
    ended_at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The attempt may have done work, does no more, and nobody can know how it ended."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Nothing of the attempt was ever executed; it can be started."""


StartOutcome = Started | Running | Exited | Lost
Outcome = Running | Exited | Lost | NotStarted


@dataclass(frozen=True, slots=True)
class Output:
    """What an attempt wrote to stdout and stderr: `dropped` bytes are missing between `head` and `tail`."""

    head: bytes
    tail: bytes
    dropped: int


class Launcher(Protocol):
    """Starts attempts on one kind of engine."""

    def start(self, attempt: Attempt) -> StartOutcome:
        """Start the attempt unless an earlier call did; safe to repeat after a crash at any instant."""
        ...

    def ask(self, run_id: uuid.UUID, number: int) -> Outcome:
        """Say how the attempt stands now."""
        ...

    async def wait(self, run_id: uuid.UUID, number: int, seconds: float) -> Outcome:
        """Say how the attempt stands as soon as it has ended, or after the given seconds."""
        ...

    def stop(self, run_id: uuid.UUID, number: int, *, reason: str, grace_seconds: float = 5.0) -> None:
        """End the attempt, by force once the grace is over; one that was not started never will be."""
        ...

    def output(self, run_id: uuid.UUID, number: int) -> Output:
        """Return what was kept of the attempt's output up to now."""
        ...

    def finished(self, older_than: datetime) -> list[tuple[uuid.UUID, int]]:
        """Return the attempts that ended before the instant and of which something is still kept."""
        ...

    def remove(self, run_id: uuid.UUID, number: int) -> None:
        """Keep nothing of the attempt, whose end the caller knows for good; safe to repeat."""
        ...
