"""The graph port: what every adapter does, held by one contract suite in `tests/contract`."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from catalog.keys import DatasetKey, NodeId
from catalog.observations import Observation
from graph.model import Direction, HeldEdge, Impact, JobsBeside, Lineage, Node, Want


class GraphReader(Protocol):
    """Answers questions about the graph; each answer comes from one snapshot."""

    def position(self) -> int:
        """Return the ledger position up to which the graph knows everything."""

    def resolve(self, node_id: NodeId) -> Node | None:
        """Return the stored node that the id names, None where there is none.

        Where colons leave it open what is namespace and what is name, the longest stored namespace wins.
        """

    def lineage(
        self,
        node_id: NodeId,
        direction: Direction,
        *,
        depth: int,
        max_nodes: int,
        seconds: float,
        want: Want = Want.IDS,
    ) -> Lineage:
        """Return what lies up- or downstream of the node now, nearest first, and whether that is everything.

        `depth` counts edges (dataset to job is 1, an alias 0). At most `max_nodes` nodes are kept, the start
        among them: the nearest, of equally near ones those that fewer aliases lead to, then the smaller ids.
        `seconds` bounds the walk. Raises `NotFound` where no such node is stored.
        """

    def impact(
        self, node_id: NodeId, *, depth: int, max_nodes: int, seconds: float, want: Want = Want.IDS
    ) -> Impact:
        """Return what a change of the node may change, by columns where they are known.

        `graph.impact_reference` says exactly what that is. `depth`, `max_nodes` and `seconds` bound it as they bound
        `lineage`; the start counts as one node, whatever fields it has. A field that no lineage of columns names is
        asked about as one of which nothing is known to be made. Raises `NotFound` where no such node, or no dataset of
        such a field, is stored.
        """

    def jobs_beside(
        self, datasets: Sequence[DatasetKey], direction: Direction, *, most: int, seconds: float
    ) -> JobsBeside:
        """Return the jobs that write (UPSTREAM) or read (DOWNSTREAM) each of the datasets now; never BOTH.

        What is written or read under another name of a dataset counts. Of each at most `most` jobs are given, those
        with the smallest node ids; where there are more, the frontier names those names of the dataset beyond which
        they lie. A dataset that is not stored has none. `seconds` bounds the whole.
        """


class GraphStore(GraphReader, Protocol):
    """A graph that can be written and compared."""

    def apply(self, observations: Sequence[Observation]) -> None:
        """Make the observations true, all or none, and move the cursor to the last of them.

        Each is absolute: one that is older (by sequence) than what the graph holds of the same identity
        changes nothing, so a repetition is harmless.
        """

    def nodes(self) -> Iterator[Node]:
        """Give every node once, in no order; a snapshot is held until the end, or until the iterator is closed."""

    def edges(self) -> Iterator[HeldEdge]:
        """Give every edge with its interval once, in no order; neighbouring intervals of one edge are one.

        A snapshot is held until the end, or until the iterator is closed.
        """

    def digest(self) -> bytes:
        """Return 16 bytes that are equal for equal graphs (`graph.digest`), whatever way they came about."""
