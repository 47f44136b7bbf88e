"""The graph as one transaction sees it: what every question of one answer is asked of."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, LiteralString

from catalog.keys import DatasetKey, NodeId
from graph.log import LogStanding, ObservationLog
from graph.model import COLUMN_STEPS, Direction, EdgeKind, HeldEdge, Node, NodeKind, Span, Vertex
from graph.neo4j.connection import Transaction, ask, ask_one, ask_rows
from graph.neo4j.generations import READ, Standing
from graph.neo4j.instants import instant
from graph.neo4j.schema import KIND_OF_TYPE
from graph.neo4j.vertices import bounds_of
from graph.snapshot import Found
from graph.traversal import NODE_BITS, NODE_MASK, Edges, Neighbours

_KINDS = {kind.value: kind for kind in NodeKind}

Pairs = tuple[Sequence[int], Sequence[int]]


class Neo4jSnapshot:
    """The current generation within one transaction; that it stayed the same, whoever opened it makes sure of."""

    def __init__(self, transaction: Transaction, standing: Standing, log: ObservationLog) -> None:
        self._transaction = transaction
        self._standing = standing
        self._log = log

    @cached_property
    def _against_log(self) -> LogStanding:
        return self._log.standing(self._standing.sequence)

    @property
    def position(self) -> int:
        """Ledger position up to which the graph knows everything."""
        return self._against_log.position

    def find(self, node_id: NodeId) -> Found | None:
        """Return the stored node that the id names, that with the longest namespace if there are several."""
        if node_id.kind not in set(NodeKind):
            return None
        kind = NodeKind(node_id.kind)
        nodes = [Node(kind, *names) for names in node_id.candidates()]
        found = self._find(nodes)
        return next((Found(found[node], node) for node in nodes if node in found), None)

    def find_dataset_of(self, node_id: NodeId) -> tuple[Found, Node] | None:
        """Return the stored dataset of a field that is not stored, and the field."""
        fields = [Node(NodeKind.FIELD, *names) for names in node_id.candidates()]
        found = self._find([field.dataset for field in fields])
        named = (field for field in fields if field.dataset in found)
        return next(((Found(found[field.dataset], field.dataset), field) for field in named), None)

    def find_datasets(self, datasets: Iterable[DatasetKey]) -> Mapping[DatasetKey, int]:
        """Return the vertices of those datasets that are stored."""
        found = self._find([Node.of(key) for key in set(datasets)])
        return {DatasetKey(node.namespace, node.name): vertex for node, vertex in found.items()}

    def _find(self, nodes: Iterable[Node]) -> dict[Node, int]:
        keys = {f"{self._standing.number}/{node.key.hex}": node for node in nodes}
        rows = ask(self._transaction, READ["find"], keys=list(keys))
        return {keys[row["key"]]: row["vertex"] for row in rows}

    def vertices_of(self, found: Found) -> list[int]:
        """Return where a walk from the node starts: at the node and, for a job, at every step of it."""
        if found.node.kind is not NodeKind.JOB:
            return [found.id]
        (steps,) = self._one("steps", vertex=found.id, columns=COLUMN_STEPS)
        return [found.id, *steps]

    def neighbours(self, vertices: Sequence[int], direction: Direction) -> Neighbours:
        """Return what lies one step from the vertices in the direction."""
        query = READ["downstream"] if direction is Direction.DOWNSTREAM else READ["upstream"]
        by_edge, by_alias = self._columns(query, vertices=list(vertices))
        return Neighbours(by_edge, by_alias)

    def edges(self, vertices: Sequence[int], direction: Direction) -> Edges:
        """Return the edges that leave or enter the vertices, and their aliases."""
        down = direction is Direction.DOWNSTREAM
        query = READ["edges_downstream"] if down else READ["edges_upstream"]
        here: list[int] = []
        there: list[int] = []
        kinds: list[EdgeKind] = []
        for type_, origins, destinations in ask_rows(self._transaction, query, vertices=list(vertices)):
            here += origins
            there += destinations
            kinds += [KIND_OF_TYPE[type_]] * len(origins)
        return Edges(here, there, kinds) if down else Edges(there, here, kinds)

    def first_edges(self, vertices: Sequence[int]) -> Edges:
        """Return edges that leave the vertices: to each vertex beyond one of them, and one that is an alias."""
        here, there, aliases = self._one("first_edges", vertices=list(vertices))
        # An edge is of some kind that costs a distance; which one, a walk does not ask.
        return Edges(here, there, [EdgeKind.ALIAS if alias else EdgeKind.CONSUMES for alias in aliases])

    def field_aliases(self, vertices: Sequence[int]) -> Pairs:
        """Return two columns: fields among the vertices, and the same fields by other names of their datasets."""
        fields, datasets = self.datasets_of(vertices)
        names = self._names_of_datasets(set(datasets))
        if all(len(found) == 1 for found in names.values()):
            return (), ()
        nodes = self.nodes([*fields, *names, *{other for found in names.values() for other in found}])
        sought: dict[Node, list[int]] = defaultdict(list)
        for field, dataset in zip(fields, datasets, strict=True):
            for other in names[dataset] - {dataset}:
                named = nodes[other]
                sought[Node(NodeKind.FIELD, named.namespace, named.name, nodes[field].field)].append(field)
        pairs = [(here, there) for node, there in self._find(sought).items() for here in sought[node]]
        return [here for here, _ in pairs], [there for _, there in pairs]

    def _names_of_datasets(self, datasets: set[int]) -> dict[int, set[int]]:
        """Return for each dataset all of its names, itself among them."""
        around: dict[int, set[int]] = defaultdict(set)
        seen = set(datasets)
        wave = seen
        while wave:
            for here, there in zip(*self._pairs("aliases", list(wave)), strict=True):
                around[here].add(there)
            wave = {there for here in wave for there in around[here]} - seen
            seen |= wave
        names: dict[int, set[int]] = {}
        for dataset in seen:
            if dataset not in names:
                together = {dataset}
                waiting = [dataset]
                while waiting:
                    new = around[waiting.pop()] - together
                    together |= new
                    waiting += new
                names.update(dict.fromkeys(together, together))
        return names

    def derivations(self, vertices: Sequence[int]) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        """Return three columns: fields or column steps among the vertices, what is made of them, and by which job."""
        here, made, owners = self._one("derivations", vertices=list(vertices))
        return here, made, owners

    def datasets_of(self, fields: Sequence[int]) -> Pairs:
        """Return two columns: fields, and the dataset of each."""
        return self._pairs("datasets_of", fields)

    def fields_of(self, datasets: Sequence[int]) -> Pairs:
        """Return two columns: datasets, and fields of them."""
        return self._pairs("fields_of", datasets)

    def told_columns(self, jobs: Sequence[int]) -> Pairs:
        """Return two columns: jobs, and outputs of them of which they say of what columns they make them."""
        return self._pairs("told_columns", jobs)

    def names(self, nodes: Sequence[int]) -> Mapping[int, str]:
        """Return the node id, as users write it, of each of the nodes."""
        vertices, names = self._one("names", vertices=list(nodes))
        return dict(zip(vertices, names, strict=True))

    def nodes(self, nodes: Sequence[int]) -> Mapping[int, Node]:
        """Return the nodes by their vertices."""
        vertices, kinds, *names = self._one("nodes", vertices=list(nodes))
        kinds = [_KINDS[kind] for kind in kinds]
        return dict(zip(vertices, map(Node, kinds, *names), strict=True))

    def parked_nodes(self) -> set[str] | None:
        """Return the node ids that observations and facts name which could not be applied; None as in the protocol."""
        return self._log.parked_nodes() if self._against_log.has_parked else set()

    def all_nodes(self) -> Iterator[Node]:
        """Give every node once."""
        for _, *names in self._of_generation("all_nodes"):
            yield Node(_KINDS[names[0]], *names[1:])

    def all_edges(self) -> Iterator[HeldEdge]:
        """Give every edge with its interval once; every node is in memory meanwhile."""
        nodes = {
            vertex: Node(_KINDS[kind], *names) for vertex, kind, *names in self._of_generation("all_nodes")
        }

        def end(vertex: int) -> Vertex:
            return Vertex(nodes[vertex & NODE_MASK], vertex >> NODE_BITS)

        for type_, owner, origin, destination, start, ended, text in self._of_generation("all_edges"):
            span = Span(instant(start), ended and instant(ended))
            yield HeldEdge(KIND_OF_TYPE[type_], nodes[owner], end(origin), end(destination), span, text)

    def _of_generation(self, query: str) -> Iterator[Any]:
        low, high = bounds_of(self._standing.number)
        return ask_rows(self._transaction, READ[query], low=low, high=high)

    def _pairs(self, query: str, vertices: Sequence[int]) -> Pairs:
        if not vertices:
            return (), ()
        here, there = self._one(query, vertices=list(vertices))
        return here, there

    def _one(self, query: str, **parameters: object) -> Sequence[Any]:
        return self._columns(READ[query], **parameters)

    def _columns(self, query: LiteralString, **parameters: object) -> Sequence[Any]:
        row = ask_one(self._transaction, query, **parameters)
        return () if row is None else row.values()
