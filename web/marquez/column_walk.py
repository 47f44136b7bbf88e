"""Which columns come from which: from what jobs now say of the columns that they write, along the jobs beside datasets.

Two columns are one edge apart. What every column of a dataset depends on (a filter, a join) is an edge to each column
that is told of. Other names of a dataset are no distance away.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.columns import ColumnLineage, Transformation
from graph.model import Completeness, Direction, Incomplete
from web.graphql.loaders.datasets import classes
from web.graphql.loaders.jobs import jobs_by_id, shapes
from web.graphql.records import JobRecord
from web.graphql.request import QueryRequest

#: Jobs beside one dataset that are looked at.
MOST_JOBS = 1_000

#: What jobs say of the columns of datasets that they write.
Told = Sequence[tuple[DatasetKey, ColumnLineage]]


class Column(NamedTuple):
    """A column of a dataset; one within another is `outer.inner`."""

    dataset: DatasetKey
    name: str

    @property
    def node_id(self) -> str:
        """The column in Marquez's node id form."""
        return f"datasetField:{self.dataset.namespace}:{self.dataset.name}:{self.name}"


class Derivation(NamedTuple):
    """That one column comes from another, and how."""

    origin: Column
    destination: Column


@dataclass(slots=True)
class ColumnWalk:
    """Columns that were reached, nearest first, and which of them comes from which."""

    request: QueryRequest
    max_nodes: int
    columns: dict[Column, int] = field(default_factory=dict)
    derivations: dict[Derivation, set[Transformation]] = field(default_factory=dict)
    _stops: defaultdict[Incomplete, set[str]] = field(default_factory=lambda: defaultdict(set))

    def start(self, columns: Iterable[Column]) -> None:
        """Begin at these columns, as far as so many are allowed."""
        begun = sorted(columns)
        self._reach(begun, 0, dict(zip(begun, begun, strict=True)))

    def walk(self, direction: Direction, depth: int) -> None:
        """Go from where the walk began to everything that is at most so many edges away."""
        seen = {column for column, distance in self.columns.items() if distance == 0}
        wave = sorted(seen)
        # One step more than the depth says whether something lies beyond it.
        for distance in range(1, depth + 2):
            if not wave:
                return
            found = self._beside(wave, direction)
            behind = {_ahead(derivation, direction): _behind(derivation, direction) for derivation in found}
            new = sorted(behind.keys() - seen)
            if distance <= depth:
                self._reach(new, distance, behind)
                wave = [column for column in new if column in self.columns]
                seen.update(wave)
            else:
                wave = []
                self._stops[Incomplete.DEPTH].update(behind[column].node_id for column in new)
            for derivation, transformations in found.items():
                if _ahead(derivation, direction) in seen:
                    self.derivations.setdefault(derivation, set()).update(transformations)

    @property
    def completeness(self) -> Completeness:
        """Whether this is everything; of several reasons the first in their order is given."""
        for reason in Incomplete:
            if self._stops.get(reason):
                return Completeness(reason, tuple(sorted(self._stops[reason])))
        return Completeness()

    def told_beside(self, datasets: Sequence[DatasetKey], direction: Direction) -> Told:
        """Return what the jobs that write (UPSTREAM) or read (DOWNSTREAM) the datasets say of columns."""
        answer = self.request.graph.jobs_beside(
            datasets, direction, most=MOST_JOBS, seconds=self.request.traversal_seconds
        )
        self.request.positions.append(answer.position)
        jobs: set[uuid.UUID] = set()
        for beside in answer.by_dataset.values():
            jobs.update(JobKey(node.namespace, node.name).id for node in beside.jobs)
            if beside.completeness.reason is not None:
                self._stops[beside.completeness.reason].update(beside.completeness.frontier)
        return told_by(self.request, jobs_by_id(self.request, jobs).values())

    def _reach(self, columns: Sequence[Column], distance: int, behind: Mapping[Column, Column]) -> None:
        room = self.max_nodes - len(self.columns)
        fresh = [column for column in columns if column not in self.columns]
        self.columns.update(dict.fromkeys(fresh[:room], distance))
        if left := fresh[room:]:
            self._stops[Incomplete.NODE_LIMIT].update(behind[column].node_id for column in left)

    def _beside(self, wave: Sequence[Column], direction: Direction) -> dict[Derivation, set[Transformation]]:
        """Return what each column of the wave comes from, or what comes from it."""
        datasets = sorted({column.dataset for column in wave})
        told = self.told_beside(datasets, direction)
        keys = {
            *datasets,
            *(output for output, _ in told),
            *(key for _, lineage in told for key in lineage.sources),
        }
        one = classes(self.request, [key.id for key in keys])
        names = {key: one[key.id] for key in keys}
        by_class: defaultdict[tuple[object, str], list[Column]] = defaultdict(list)
        for column in wave:
            by_class[names[column.dataset], column.name].append(column)
        found: defaultdict[Derivation, set[Transformation]] = defaultdict(set)
        for output, lineage in told:
            for name, sources in lineage.fields:
                here = [Column(output, name)]
                targets = by_class.get((names[output], name), []) if direction is Direction.UPSTREAM else here
                for source in (*sources, *lineage.dataset) if targets else ():
                    there = [Column(source.dataset, source.field)]
                    known = by_class.get((names[source.dataset], source.field), [])
                    for origin in there if direction is Direction.UPSTREAM else known:
                        for target in targets:
                            found[Derivation(origin, target)].update(source.transformations)
        return dict(found)


def told_by(request: QueryRequest, jobs: Iterable[JobRecord]) -> Told:
    """Return what the jobs say of the columns of datasets that they write."""
    records = list(jobs)
    return [found for shape in shapes(request, records).values() for found in shape.columns]


def _ahead(derivation: Derivation, direction: Direction) -> Column:
    return derivation.origin if direction is Direction.UPSTREAM else derivation.destination


def _behind(derivation: Derivation, direction: Direction) -> Column:
    return derivation.destination if direction is Direction.UPSTREAM else derivation.origin


def columns_told(told: Told, dataset: DatasetKey) -> set[Column]:
    """Return the columns of the dataset that take part in what was told."""
    found = {
        Column(dataset, name) for output, lineage in told if output == dataset for name, _ in lineage.fields
    }
    for _, lineage in told:
        sources = [*lineage.dataset, *(source for _, sources in lineage.fields for source in sources)]
        found.update(Column(dataset, source.field) for source in sources if source.dataset == dataset)
    return found
