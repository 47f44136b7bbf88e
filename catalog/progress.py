"""How far a long work has come, told to whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long work has come: `done` of `total` (which may grow) in one of its phases."""

    phase: str
    done: int
    total: int


ShowProgress = Callable[[Progress], None]


def no_progress(_: Progress) -> None:
    """Tell nobody."""
