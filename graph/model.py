"""What the graph holds, declared once: kinds of nodes and edges, and the values in which answers are given.

A job whose events say which input feeds which output (the `lineage` facet) has hidden steps, one for each
such flow, so that a walk from one of its inputs reaches only what that input feeds. Steps are shown as their
job.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, Flag, StrEnum, auto
from typing import NamedTuple

from catalog.keys import DatasetKey, JobKey


class NodeKind(StrEnum):
    """Every kind of node."""

    DATASET = "dataset"
    JOB = "job"


class EdgeKind(StrEnum):
    """Every kind of edge; each edge has an interval [valid_from, valid_to), whose open end says that it holds now."""

    #: The job reads the dataset.
    CONSUMES = "consumes"
    #: The job writes the dataset.
    PRODUCES = "produces"
    #: Data goes from job to job, no dataset is named.
    FEEDS = "feeds"
    #: Runs of the origin are started within runs of the destination.
    PARENT = "parent"
    #: Both names mean one dataset; lineage crosses from one to the other at no distance.
    ALIAS = "alias"


#: The kinds of edge along which data moves, so that a walk takes them.
CARRIES_DATA = frozenset(EdgeKind) - {EdgeKind.PARENT}


class Node(NamedTuple):
    """A node as answers show it; a tuple, because an answer may hold many thousands."""

    kind: NodeKind
    namespace: str
    name: str

    @property
    def id(self) -> str:
        """The node id in Marquez's form."""
        return f"{self.kind}:{self.namespace}:{self.name}"

    @classmethod
    def of(cls, key: DatasetKey | JobKey) -> "Node":
        """Return the node that the key names."""
        kind = NodeKind.DATASET if isinstance(key, DatasetKey) else NodeKind.JOB
        return cls(kind, key.namespace, key.name)


class Edge(NamedTuple):
    """An edge between two node ids, as data moves; an alias, which has no direction, from the earlier node."""

    origin: str
    destination: str
    kind: EdgeKind


class Vertex(NamedTuple):
    """Where edges really end: a node (step 0), or one of the hidden steps of a job."""

    node: Node
    step: int = 0


class Span(NamedTuple):
    """An interval [start, end) of event time in UTC; no end means that it lasts."""

    start: dt.datetime
    end: dt.datetime | None


class HeldEdge(NamedTuple):
    """An edge as the graph keeps it: with the interval in which it held and the node that it was observed of.

    Two nodes may say the same edge (`feeds`: either job), each for its own time.
    """

    kind: EdgeKind
    owner: Node
    origin: Vertex
    destination: Vertex
    span: Span
    #: The property of an alias; empty for every other kind.
    type: str = ""


class Direction(StrEnum):
    """Which way a walk goes; BOTH is the union of the two walks, so it never holds siblings or cousins."""

    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"
    BOTH = "BOTH"


class Incomplete(Enum):
    """Why an answer is not the whole one; where several reasons hold, the first in this order is given."""

    #: An observation that touches the answer could not be applied.
    PARKED = "PARKED"
    #: The caller may not see everything.
    RESTRICTED = "RESTRICTED"
    #: The time allowed was over.
    TIME = "TIME"
    #: The number of nodes allowed was reached.
    NODE_LIMIT = "NODE_LIMIT"
    #: Something lies beyond the depth asked for.
    DEPTH = "DEPTH"


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether the answer is the whole one, else why not and at which node ids the walk stopped, in order.

    Beyond each of them lies something (for TIME: may lie). For PARKED they are the nodes that may be wrong.
    """

    reason: Incomplete | None = None
    frontier: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        return self.reason is None


class Want(Flag):
    """What a caller asks of an answer; node ids are always given."""

    IDS = 0
    NODES = auto()
    EDGES = auto()


@dataclass(frozen=True, slots=True)
class Lineage:
    """The answer to a lineage question: what was reached, by (distance, node id), the start first.

    `nodes` and `edges`, in the order of the ids, are empty unless asked for. `position` is the ledger position of
    the answer.
    """

    node_ids: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    completeness: Completeness
    position: int


@dataclass(frozen=True, slots=True)
class Beside:
    """The jobs one edge away from a dataset, aliases crossed, by node id; and whether these are all."""

    jobs: tuple[Node, ...] = ()
    completeness: Completeness = Completeness()


@dataclass(frozen=True, slots=True)
class JobsBeside:
    """What lies beside each dataset that was asked about, all of it read at one ledger position."""

    by_dataset: Mapping[DatasetKey, Beside]
    position: int
