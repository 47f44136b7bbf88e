"""Traversals: the graph is asked for as much as the query selects."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from catalog.keys import DatasetKey, JobKey, NodeId
from graph.model import Completeness, Direction, Edge, Lineage, Node, NodeKind, Want
from web.graphql.cohort import Record, in_cohort
from web.graphql.loaders.datasets import datasets_by_id
from web.graphql.loaders.jobs import jobs_by_id
from web.graphql.records import DatasetRecord, JobRecord
from web.graphql.request import QueryRequest


@dataclass(slots=True, eq=False)
class LineageNodeRecord(Record):
    """A node of the graph."""

    kind: str
    namespace: str
    name: str
    node_field: str

    @property
    def id(self) -> str:
        """The node id."""
        return Node(NodeKind(self.kind), self.namespace, self.name, self.node_field).id

    @property
    def field(self) -> str | None:
        """The name of a field in its dataset."""
        return self.node_field or None

    @property
    def row_id(self) -> uuid.UUID:
        """The identity under which its row is stored; of a field, that of its dataset."""
        key = (
            JobKey(self.namespace, self.name)
            if self.kind == NodeKind.JOB
            else DatasetKey(self.namespace, self.name)
        )
        return key.id


class LineageRecord:
    """The answer of the graph; nodes become records only when they are asked for."""

    def __init__(self, request: QueryRequest, answer: Lineage) -> None:
        self._request = request
        self._answer = answer

    @cached_property
    def nodes(self) -> Sequence[LineageNodeRecord]:
        """What was reached."""
        return in_cohort(self._request, [LineageNodeRecord(*node) for node in self._answer.nodes])

    @property
    def node_ids(self) -> Sequence[str]:
        """The node ids of what was reached."""
        return self._answer.node_ids

    @property
    def edges(self) -> Sequence[Edge]:
        """The edges that were walked."""
        return self._answer.edges

    @property
    def completeness(self) -> Completeness:
        """Whether this is everything."""
        return self._answer.completeness

    @property
    def position(self) -> int:
        """Ledger position that the graph was read at."""
        return self._answer.position


def lineage(
    request: QueryRequest,
    node_id: NodeId,
    direction: Direction,
    *,
    depth: int,
    max_nodes: int,
    want: Want,
) -> LineageRecord:
    """Return what lies up- or downstream of the node; raise `NotFound` where there is no such node."""
    answer = request.graph.lineage(
        node_id,
        direction,
        depth=depth,
        max_nodes=max_nodes,
        seconds=request.traversal_seconds,
        want=want,
    )
    request.positions.append(answer.position)
    return LineageRecord(request, answer)


def datasets_of_nodes(
    request: QueryRequest, members: Sequence[LineageNodeRecord]
) -> Mapping[uuid.UUID, DatasetRecord]:
    """Return the datasets among the nodes, and those of fields among them."""
    return datasets_by_id(request, [member.row_id for member in members if member.kind != NodeKind.JOB])


def jobs_of_nodes(
    request: QueryRequest, members: Sequence[LineageNodeRecord]
) -> Mapping[uuid.UUID, JobRecord]:
    """Return the jobs among the nodes."""
    return jobs_by_id(request, [member.row_id for member in members if member.kind == NodeKind.JOB])
