"""The quick walk of an impact over a stored graph: `graph.impact_reference` says declaratively what it visits.

Vertices are those of `graph.traversal`, where WHOLE places are the vertices of lineage and fields those of their rows.
Above their bits a mark makes another place of the same node: TOUCHED, or THROUGH with the field that goes through the
job. The row of the node stays in the low bits.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from graph.model import COLUMN_STEPS, Direction, EdgeKind, NodeKind, Trail
from graph.traversal import NODE_BITS, NODE_MASK, Adjacency, Bounds, Edges, Neighbours, Walk, Way

#: A place of a dataset, or of a flow of a job, of whose data only some fields are affected.
TOUCHED = 1 << 63
#: A place of a job that makes something of one field; the row of the field stands above `_SOURCE_BITS`.
_THROUGH = 1 << 127
_SOURCE_BITS = 64
_COLUMN_STEPS = COLUMN_STEPS << NODE_BITS


class ImpactSource(Adjacency, Protocol):
    """What the walk asks of an adapter; every answer is of one snapshot."""

    def first_edges(self, vertices: Sequence[int]) -> Edges:
        """Return edges that leave the vertices: to each vertex beyond one of them, and one that is an alias."""

    def derivations(self, vertices: Sequence[int]) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        """Return three columns: fields or column steps among the vertices, what is made of them, and by which job."""

    def field_aliases(self, vertices: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return two columns: fields among the vertices, and the same fields by other names of their datasets."""

    def datasets_of(self, fields: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return two columns: fields, and the dataset of each."""

    def fields_of(self, datasets: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return two columns: datasets, and fields of them."""

    def told_columns(self, jobs: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return two columns: jobs, and outputs of them of which they say of what columns they make them."""


@dataclass(slots=True)
class _Links:
    """Edges of the walk while they are collected."""

    origins: list[int] = field(default_factory=list)
    destinations: list[int] = field(default_factory=list)
    kinds: list[EdgeKind] = field(default_factory=list)

    def add(self, origin: int, destination: int, kind: EdgeKind = EdgeKind.DERIVES) -> None:
        """Add an edge; an alias is what costs no distance."""
        self.origins.append(origin)
        self.destinations.append(destination)
        self.kinds.append(kind)


@dataclass(frozen=True, slots=True)
class _Flow:
    """What a touched flow of a job leads to, and whether it is reached from a touched dataset."""

    destinations: tuple[int, ...]
    leads_on: bool


class ImpactAdjacency:
    """The places around places, downstream."""

    def __init__(self, source: ImpactSource, kind: NodeKind) -> None:
        self._source = source
        self.names = source.names
        #: Whether everything is asked about that lineage knows, and not one field alone.
        self._asks_all = kind is not NodeKind.FIELD
        #: Rows known to be fields.
        self._fields: set[int] = set()
        #: Vertices known to be flows of a job.
        self._flows: dict[int, _Flow] = {}
        self._started_flows: frozenset[int] = frozenset()
        self._through: defaultdict[int, set[int]] = defaultdict(set)

    def begin(self, vertices: Sequence[int], kind: NodeKind) -> list[int]:
        """Return the places where the walk begins; the vertices are those of the start."""
        match kind:
            case NodeKind.FIELD:
                self._fields.update(vertices)
                return list(vertices)
            case NodeKind.JOB:
                self._started_flows = frozenset(vertices)
                self._learn_flows(vertices)
                return [vertex | TOUCHED for vertex in vertices]
            case NodeKind.DATASET:
                _, fields = self._source.fields_of(self._names_of(vertices))
                self._fields.update(fields)
                return [*(vertex | TOUCHED for vertex in vertices), *fields]

    def neighbours(self, vertices: Sequence[int], direction: Direction) -> Neighbours:
        """Return what lies one step from the places."""
        edges = self.edges(vertices, direction)
        ends = zip(edges.destinations, edges.kinds, strict=True)
        by_alias = {there for there, kind in ends if kind is EdgeKind.ALIAS}
        return Neighbours(set(edges.destinations) - by_alias, by_alias)

    def edges(self, vertices: Sequence[int], direction: Direction) -> Edges:
        """Return what leads on from the places; an alias is what costs no distance."""
        return self._edges(vertices, lambda whole: self._source.edges(whole, direction))

    def first_edges(self, vertices: Sequence[int]) -> Edges:
        """Return as much of what leads on as is needed to find everything, and one way to it."""
        return self._edges(vertices, self._source.first_edges)

    def _edges(self, vertices: Sequence[int], edges_of: Callable[[Sequence[int]], Edges]) -> Edges:
        whole: list[int] = []
        touched: list[int] = []
        fields: list[int] = []
        links = _Links()
        for vertex in vertices:
            if vertex >= _THROUGH:
                for made in self._through[vertex]:
                    links.add(vertex, made)
            elif vertex >= TOUCHED:
                touched.append(vertex - TOUCHED)
            elif vertex in self._fields or vertex >= _COLUMN_STEPS:
                fields.append(vertex)
            else:
                whole.append(vertex)
        if fields:
            self._add_fields(fields, links)
        if touched:
            self._add_touched(touched, links)
        if not whole:
            return Edges(links.origins, links.destinations, links.kinds)
        edges = edges_of(whole)
        if not links.origins:
            return edges
        return Edges(
            [*links.origins, *edges.origins],
            [*links.destinations, *edges.destinations],
            [*links.kinds, *edges.kinds],
        )

    def _names_of(self, datasets: Iterable[int]) -> list[int]:
        """Return the datasets by all of their names."""
        found = wave = set(datasets)
        while wave:
            edges = self._source.edges(list(wave), Direction.DOWNSTREAM)
            ends = zip(edges.destinations, edges.kinds, strict=True)
            wave = {there for there, kind in ends if kind is EdgeKind.ALIAS} - found
            found |= wave
        return list(found)

    def _add_fields(self, vertices: Sequence[int], links: _Links) -> None:
        for origin, made, owner in zip(*self._source.derivations(vertices), strict=True):
            is_field = made <= NODE_MASK
            if is_field:
                self._fields.add(made)
            if is_field and origin <= NODE_MASK:
                through = _THROUGH | origin << _SOURCE_BITS | owner
                self._through[through].add(made)
                links.add(origin, through)
            else:
                links.add(origin, made)
        fields = [vertex for vertex in vertices if vertex <= NODE_MASK]
        for here, other in zip(*self._source.field_aliases(fields), strict=True):
            self._fields.add(other)
            links.add(here, other, EdgeKind.ALIAS)
        for here, dataset in zip(*self._source.datasets_of(fields), strict=True):
            links.add(here, dataset | TOUCHED, EdgeKind.ALIAS)

    def _add_touched(self, vertices: Sequence[int], links: _Links) -> None:
        flows = [vertex for vertex in vertices if vertex in self._flows]
        for flow in flows:
            for destination in self._flows[flow].destinations:
                links.add(flow | TOUCHED, destination)
        datasets = [vertex for vertex in vertices if vertex not in self._flows]
        if not datasets:
            return
        edges = self._source.edges(datasets, Direction.DOWNSTREAM)
        self._learn_flows(
            [
                there
                for there, kind in zip(edges.destinations, edges.kinds, strict=True)
                if kind is EdgeKind.CONSUMES
            ]
        )
        for here, there, kind in zip(*edges, strict=True):
            if kind is EdgeKind.ALIAS:
                links.add(here | TOUCHED, there | TOUCHED, EdgeKind.ALIAS)
            elif kind is not EdgeKind.CONSUMES:
                links.add(here | TOUCHED, there)
            elif self._flows[there].leads_on:
                links.add(here | TOUCHED, there | TOUCHED)

    def _learn_flows(self, vertices: Iterable[int]) -> None:
        """Find out what the flows lead to."""
        new = [vertex for vertex in set(vertices) if vertex not in self._flows]
        if not new:
            return
        told = set(zip(*self._source.told_columns(list({vertex & NODE_MASK for vertex in new})), strict=True))
        onward: defaultdict[int, list[int]] = defaultdict(list)
        open_flows: set[int] = set()
        told_outputs: list[tuple[int, int]] = []
        edges = self._source.edges(new, Direction.DOWNSTREAM)
        leading = set(edges.origins)
        for flow, there, kind in zip(*edges, strict=True):
            if kind is not EdgeKind.PRODUCES or (flow & NODE_MASK, there) not in told:
                open_flows.add(flow)
                onward[flow].append(there)
            elif self._asks_all:
                onward[flow].append(there | TOUCHED)
                told_outputs.append((flow, there))
        for flow, made in self._fields_made(told_outputs):
            onward[flow].append(made)
        for flow in new:
            leads_on = self._asks_all or flow in open_flows or flow not in leading
            self._flows[flow] = _Flow(tuple(onward[flow]), leads_on)

    def _fields_made(self, told_outputs: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int]]:
        """Return the fields of those outputs whose flows are those of the start, with the flow."""
        made = [(flow, output) for flow, output in told_outputs if flow in self._started_flows]
        if not made:
            return []
        fields: defaultdict[int, list[int]] = defaultdict(list)
        for dataset, row in zip(*self._source.fields_of([output for _, output in made]), strict=True):
            fields[dataset].append(row)
            self._fields.add(row)
        return [(flow, row) for flow, output in made for row in fields[output]]


class ImpactWalk(Walk):
    """The walk downstream, which remembers by what way it came to each place."""

    def __init__(self, adjacency: ImpactAdjacency, starts: Iterable[int], bounds: Bounds) -> None:
        super().__init__(adjacency, starts, Direction.DOWNSTREAM, bounds)
        self._places = adjacency
        self._before: dict[int, int] = {}
        #: The nearest place of each node.
        self._nearest: dict[int, int] = {}

    @property
    def visited(self) -> set[int]:
        """The places that were visited."""
        return self.ways[0].visited

    def _look(self, way: Way, part: Sequence[int], *, last: bool) -> Neighbours:
        if last:
            edges = self._places.edges(part, way.direction)
            way.last_edges.append(edges)
        else:
            edges = self._places.first_edges(part)
        visited, before = way.visited, self._before
        by_edge: set[int] = set()
        by_alias: set[int] = set()
        for here, there, kind in zip(*edges, strict=True):
            if kind is EdgeKind.ALIAS:
                # A place that was not visited yet is nearer by an alias than by an edge from this distance.
                if there not in visited:
                    before[there] = here
                by_alias.add(there)
            else:
                if there not in visited:
                    before.setdefault(there, here)
                by_edge.add(there)
        return Neighbours(by_edge, by_alias)

    def _admit(self, candidates: Sequence[Iterable[int]]) -> bool:
        enough = super()._admit(candidates)
        nearest = self._nearest
        for vertex in self.ways[0].wave:
            nearest.setdefault(vertex & NODE_MASK, vertex)
        return enough

    def trail(self, rows: Iterable[int], node_ids: Mapping[int, str]) -> tuple[Trail, list[int]]:
        """Return the trail to the nearest places of the nodes, and where in it the path to each of them ends."""
        names: list[str] = []
        before: list[int] = []
        place: dict[int, int] = {}
        ends: list[int] = []
        for row in rows:
            vertex = self._nearest[row]
            if vertex not in place:
                for step in self._way_to(vertex, place):
                    before.append(place.get(self._before.get(step, -1), -1))
                    place[step] = len(names)
                    names.append(node_ids[step & NODE_MASK])
            ends.append(place[vertex])
        return Trail(tuple(names), tuple(before)), ends

    def _way_to(self, vertex: int, place: Mapping[int, int]) -> list[int]:
        """Return the places on the way to this one, itself included, from the first that is in no trail yet."""
        way = [vertex]
        # Where the walk began nothing was before.
        while (vertex := self._before.get(vertex, -1)) >= 0 and vertex not in place:
            way.append(vertex)
        return way[::-1]
