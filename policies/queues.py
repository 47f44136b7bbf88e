"""The versions that the inputs of a pipeline have not consumed yet."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class QueuedVersion:
    """A dataset version that an input has not consumed yet."""

    sequence: int
    """Position in the version log."""
    version: uuid.UUID
    at: datetime
    """When the version was published, UTC."""


Queues = Mapping[int, Sequence[QueuedVersion]]
"""Queue by number of the leaf, each ordered by sequence; a leaf that is missing has nothing queued.

Queues may be cut off at one sequence for all leaves alike, never at a number of entries: else the choice of
an `any` would depend on where they were cut.
"""
