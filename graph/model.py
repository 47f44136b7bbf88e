"""What the graph holds, declared once: kinds of nodes and edges, and the values in which answers are given.

A job whose events say which input feeds which output (the `lineage` facet) has hidden steps, one for each
such flow, so that a walk from one of its inputs reaches only what that input feeds. Steps are shown as their
job.

Fields of datasets are nodes of their own, and walks between them never meet those between datasets: what a job
derives from which field stands in edges from field to field, and what every field of an output depends on (a filter,
a join) goes through a column step of the job.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, Flag, StrEnum, auto
from typing import NamedTuple

from catalog.keys import DatasetKey, JobKey, digest_uuid, digest_uuid_once


class NodeKind(StrEnum):
    """Every kind of node."""

    DATASET = "dataset"
    JOB = "job"
    FIELD = "datasetField"

    # That of enums is a function of Python's, and an answer may hash many thousands.
    __hash__ = str.__hash__


#: Looked up once: a batch makes many thousands of fields.
_FIELD = NodeKind.FIELD


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
    #: The origin has been called the destination since then: data goes on under the new name.
    RENAMED = "renamed"
    #: The job makes the field from the field, or by way of one of its column steps.
    DERIVES = "derives"
    #: The job says of which columns it makes the dataset.
    COLUMNS = "columns"

    # As for kinds of nodes.
    __hash__ = str.__hash__


#: The kinds of edge along which data moves, so that a walk takes them.
CARRIES_DATA = frozenset(EdgeKind) - {EdgeKind.PARENT, EdgeKind.COLUMNS}

#: Steps of a job from this number on are between columns; a walk from the job itself begins at none of them.
COLUMN_STEPS = 1 << 19


class Node(NamedTuple):
    """A node as answers show it; a tuple, because an answer may hold many thousands."""

    kind: NodeKind
    namespace: str
    name: str
    #: Of a field: its name in the dataset that namespace and name say, nested ones joined by dots; else empty.
    field: str = ""

    @property
    def id(self) -> str:
        """The node id in Marquez's form."""
        plain = f"{self.kind}:{self.namespace}:{self.name}"
        return f"{plain}:{self.field}" if self.field else plain

    @property
    def key(self) -> uuid.UUID:
        """The identity of its row; that of a dataset or a job is the same everywhere."""
        if self.field:
            return digest_uuid_once(_FIELD.value, self.namespace, self.name, self.field)
        return digest_uuid(*self[:3])

    @property
    def dataset(self) -> "Node":
        """The dataset of a field."""
        return Node(NodeKind.DATASET, self.namespace, self.name)

    @classmethod
    def of(cls, key: DatasetKey | JobKey) -> "Node":
        """Return the node that the key names."""
        kind = NodeKind.DATASET if isinstance(key, DatasetKey) else NodeKind.JOB
        return cls(kind, key.namespace, key.name)

    @classmethod
    def of_field(cls, dataset: DatasetKey, field: str) -> "Node":
        """Return the node of a field."""
        namespace, name = dataset
        return cls(_FIELD, namespace, name, field)


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
    #: Of an alias its type; of a derivation the transformations as JSON (`transformations_of`); else empty.
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
    #: Of an impact, a shortest path to everything that is affected.
    PATHS = auto()


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


class ImpactLevel(StrEnum):
    """How precisely it is known what of a dataset is affected."""

    #: All of it may be.
    TABLE = "TABLE"
    #: The fields that are affected are known, and stand beside it.
    COLUMNS = "COLUMNS"


class Affected(NamedTuple):
    """Something that a change of the start may change; a tuple, because an answer may hold many thousands."""

    node_id: str
    kind: NodeKind
    #: Edges from the start, as lineage counts them; from field to field it is two.
    distance: int
    #: Of a dataset; None for jobs and fields.
    level: ImpactLevel | None
    #: Where in the trail a shortest path to it ends; -1 unless paths were asked for.
    step: int


@dataclass(frozen=True, slots=True)
class Trail:
    """Steps of shortest paths, which share their beginnings: at the same place a node id, and the step before it."""

    node_ids: tuple[str, ...] = ()
    #: -1 where a path begins.
    before: tuple[int, ...] = ()

    def path(self, step: int) -> list[str]:
        """Return the node ids from the beginning to the step."""
        found = []
        while step >= 0:
            found.append(self.node_ids[step])
            step = self.before[step]
        return found[::-1]


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change of `start` may change, by (distance, node id); its own names and fields are not repeated.

    `nodes` are the affected ones in the same order, `trail` has one shortest path to each (which of several is not
    said); both are empty unless asked for. `position` is the ledger position of the answer.
    """

    start: Node
    affected: tuple[Affected, ...]
    nodes: tuple[Node, ...]
    trail: Trail
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
