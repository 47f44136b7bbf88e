"""What operators do with a graph, whatever stores it: make it anew, hold it against its log, ask how it stands."""

from dataclasses import dataclass
from typing import Protocol

from catalog.progress import ShowProgress, no_progress
from graph.verification import Verification


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The generation that is current now, how many observations were read, and how many could not be applied."""

    generation: int
    observations: int
    parked: int


@dataclass(frozen=True, slots=True)
class GraphStatus:
    """How the graph stands against its log.

    `cursor` and `log_end` are sequences of observations, `waiting` and `parked` count them; `rebuilding_at` is the
    cursor of a rebuild that is under way or was left behind.
    """

    generation: int
    cursor: int
    log_end: int
    waiting: int
    parked: int
    nodes: int
    edges: int
    rebuilding_at: int | None


class GraphMaintenance(Protocol):
    """The work of an operator on one graph store."""

    def rebuild(self, progress: ShowProgress = no_progress) -> Rebuilt:
        """Make the graph anew from the whole log; readers use the old one until it is done.

        Phases: build, remove. Raises `Conflict` when another rebuild is under way.
        """

    def verify(self, progress: ShowProgress = no_progress) -> Verification:
        """Compare the graph with what the log up to its cursor makes of the reference model."""

    def status(self) -> GraphStatus:
        """Return how the graph stands."""
