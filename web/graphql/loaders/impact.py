"""Impact: what the graph says of a change, and the pipelines that would start."""

import itertools
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from catalog.errors import NotFound, QueryTooExpensive
from catalog.keys import DatasetKey, NodeId
from catalog.queries import load_queries
from graph.model import Affected, Completeness, Impact, ImpactLevel, Node, NodeKind, Want
from hooks.deciding.planning import read_seen_uses
from policies.consequences import Consequence, WaitingPipeline, consequences
from web.graphql.cohort import Record, in_cohort
from web.graphql.loaders.datasets import dataset_fields, datasets_by_id
from web.graphql.loaders.jobs import jobs_by_id
from web.graphql.loaders.pipelines import pipelines_by_name, queues
from web.graphql.records import DatasetRecord, FieldRecord, JobRecord, PipelineRecord
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("impact.sql"))

#: Node ids in all paths of one answer; paths of many nodes far away would be longer than any answer.
MOST_IN_PATHS = 1_000_000


@dataclass(slots=True, eq=False)
class ImpactNodeRecord(Record):
    """Something that is affected."""

    id: str
    kind: NodeKind
    distance: int
    level: ImpactLevel | None
    #: Where its path ends in the trail of the answer.
    step: int
    answer: "ImpactRecord"
    #: What it is called, where that was asked for.
    node: Node | None

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self._node.namespace

    @property
    def name(self) -> str:
        """Its name there."""
        return self._node.name

    @property
    def field(self) -> str | None:
        """The name of a field in its dataset."""
        return self._node.field or None

    @property
    def row_id(self) -> uuid.UUID:
        """The identity under which its row is stored; of a field, that of its dataset."""
        return (self._node.dataset if self._node.field else self._node).key

    @property
    def path(self) -> list[str]:
        """The node ids of a shortest path to it."""
        return self.answer.path(self.step)

    @property
    def _node(self) -> Node:
        if self.node is None:
            raise TypeError("expected the nodes to be asked for")
        return self.node


@dataclass(slots=True, eq=False)
class ConsequenceRecord(Record):
    """A pipeline whose condition names what is affected."""

    row_id: str
    consequence: Consequence

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.row_id

    @property
    def starts(self) -> bool:
        """Whether it would start."""
        return self.consequence.starts

    @property
    def round(self) -> int:
        """How many pipelines, itself included, would start one after another."""
        return self.consequence.round

    @property
    def because(self) -> list[str]:
        """Node ids of the datasets in its condition that would have a new version."""
        return [key.node_id for key in self.consequence.because]

    @property
    def waiting_for(self) -> str | None:
        """What else it waits for."""
        return self.consequence.waiting_for


@dataclass(frozen=True, slots=True)
class ImpactCounts:
    """How much is affected, by kind."""

    datasets: int
    datasets_by_columns: int
    fields: int
    jobs: int


class ImpactRecord:
    """The answer of the graph; nodes become records only when they are asked for."""

    def __init__(self, request: QueryRequest, answer: Impact) -> None:
        self._request = request
        self._answer = answer
        self._told = 0
        self.trail = answer.trail

    @property
    def node_id(self) -> str:
        """The node id that was asked about."""
        return self._answer.start.id

    @cached_property
    def nodes(self) -> Sequence[ImpactNodeRecord]:
        """What is affected."""
        nodes = self._answer.nodes or itertools.repeat(None)
        found = [
            ImpactNodeRecord(*each, self, node)
            for each, node in zip(self._answer.affected, nodes, strict=False)
        ]
        return in_cohort(self._request, found)

    @property
    def counts(self) -> ImpactCounts:
        """How much is affected."""
        return counted(self._answer.affected)

    @property
    def completeness(self) -> Completeness:
        """Whether this is everything."""
        return self._answer.completeness

    @property
    def position(self) -> int:
        """Ledger position that the graph was read at."""
        return self._answer.position

    @cached_property
    def pipelines(self) -> Sequence[ConsequenceRecord]:
        """The active pipelines that wait for any of it."""
        found = pipelines_reached(self._request, changed_datasets(self._answer))
        return in_cohort(self._request, [ConsequenceRecord(one.pipeline, one) for one in found])

    def path(self, step: int) -> list[str]:
        """Return the path that ends there; raise `QueryTooExpensive` where all paths together get too long."""
        self._request.check_time()
        path = self._answer.trail.path(step)
        self._told += len(path)
        if self._told > MOST_IN_PATHS:
            raise QueryTooExpensive(
                f"expected paths of at most {MOST_IN_PATHS} nodes in all: ask for fewer nodes or a smaller depth",
                limit=MOST_IN_PATHS,
            )
        return path


def impact(request: QueryRequest, node_id: NodeId, *, depth: int, max_nodes: int, want: Want) -> ImpactRecord:
    """Return what a change of the node may change; raise `NotFound` where nobody ever told of such a node."""
    answer = request.graph.impact(
        node_id, depth=depth, max_nodes=max_nodes, seconds=request.traversal_seconds, want=want
    )
    if answer.start.kind is NodeKind.FIELD and request.graph.resolve(node_id) is None:
        _check_field(request, answer.start)
    request.positions.append(answer.position)
    return ImpactRecord(request, answer)


def counted(affected: Iterable[Affected]) -> ImpactCounts:
    """Return how much is affected."""
    counts = Counter((each.kind, each.level) for each in affected)
    by_columns = counts[NodeKind.DATASET, ImpactLevel.COLUMNS]
    return ImpactCounts(
        datasets=by_columns + counts[NodeKind.DATASET, ImpactLevel.TABLE],
        datasets_by_columns=by_columns,
        fields=counts[NodeKind.FIELD, None],
        jobs=counts[NodeKind.JOB, None],
    )


def changed_datasets(answer: Impact) -> set[DatasetKey]:
    """Return the datasets that a change reaches, the start's own among them."""
    start = answer.start
    own = set() if start.kind is NodeKind.JOB else {DatasetKey(start.namespace, start.name)}
    return own | {
        DatasetKey(node.namespace, node.name) for node in answer.nodes if node.kind is NodeKind.DATASET
    }


def pipelines_reached(request: QueryRequest, changed: set[DatasetKey]) -> list[Consequence]:
    """Return the active pipelines that wait for any of the datasets, or for what pipelines so started write."""
    records = in_cohort(request, [PipelineRecord(*row) for row in request.rows(QUERIES["active_pipelines"])])
    if not records:
        return []
    documents = {record.name: record.document for record in records}
    seen = request.read(lambda connection: read_seen_uses(connection, documents))
    queued = queues(request, records)
    named = {key for record in records for key in record.reads}
    waiting = [
        WaitingPipeline(
            record.name, record.condition, queued[record.name], seen[record.name].writes.union(record.writes)
        )
        for record in records
    ]
    aliases = _aliases(request, named)
    return consequences(waiting, changed.intersection(named.union(aliases)), aliases, request.snapshot.now)


def datasets_of_impact(
    request: QueryRequest, members: Sequence[ImpactNodeRecord]
) -> Mapping[uuid.UUID, DatasetRecord]:
    """Return the datasets among what is affected, and those of fields among it."""
    return datasets_by_id(request, [member.row_id for member in members if member.kind != NodeKind.JOB])


def jobs_of_impact(
    request: QueryRequest, members: Sequence[ImpactNodeRecord]
) -> Mapping[uuid.UUID, JobRecord]:
    """Return the jobs among what is affected."""
    return jobs_by_id(request, [member.row_id for member in members if member.kind == NodeKind.JOB])


def pipelines_of_consequences(
    request: QueryRequest, members: Sequence[ConsequenceRecord]
) -> Mapping[str, PipelineRecord]:
    """Return the pipelines by name."""
    return pipelines_by_name(request, [member.name for member in members])


def _aliases(request: QueryRequest, keys: Iterable[DatasetKey]) -> dict[DatasetKey, DatasetKey]:
    """Return for every name of the datasets that have several the one that stands for all of them."""
    classes: defaultdict[uuid.UUID, list[DatasetKey]] = defaultdict(list)
    for class_id, namespace, name in request.rows(QUERIES["names_of"], ids=[key.id for key in keys]):
        classes[class_id].append(DatasetKey(namespace, name))
    return {name: min(names) for names in classes.values() for name in names}


def _check_field(request: QueryRequest, field: Node) -> None:
    """Raise `NotFound` where neither lineage nor the newest schema of its dataset has the field."""
    dataset = DatasetKey(field.namespace, field.name).id
    record = datasets_by_id(request, [dataset]).get(dataset)
    columns = [] if record is None else record.cohort.ask(dataset_fields).get(dataset, [])
    if field.field not in _names(columns):
        raise NotFound(f"expected a field that somebody told of, found none with the id {field.id}"[:500])


def _names(columns: Iterable[FieldRecord], prefix: str = "") -> Iterator[str]:
    for column in columns:
        yield prefix + column.name
        yield from _names(column.fields, f"{prefix}{column.name}.")
