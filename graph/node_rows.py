"""The rows of nodes of one generation, found or made for one batch."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from graph.model import Node, NodeKind


class NodeTable(Protocol):
    """Where one generation keeps its nodes; each has a number, its row."""

    def find_nodes(self, keys: Collection[uuid.UUID]) -> Mapping[uuid.UUID, int]:
        """Return the rows of those keys that are there."""

    def add_nodes(self, nodes: Mapping[uuid.UUID, tuple[Node, int | None]]) -> Mapping[uuid.UUID, int]:
        """Add nodes that are not there, each with the row of its dataset where it is a field; return their rows."""


class NodeRows:
    """Ids of nodes by node; `known` are those that were there before this batch."""

    def __init__(self, table: NodeTable) -> None:
        self._table = table
        self.ids: dict[Node, int] = {}
        self.known: set[int] = set()

    def ensure(self, nodes: Iterable[Node]) -> None:
        """Make sure that every node, and the dataset of every field, has a row and that its id is known here."""
        wanted = set(nodes).difference(self.ids)
        fields = [node for node in wanted if node.kind is NodeKind.FIELD]
        wanted.difference_update(fields)
        # The row of a field names that of its dataset.
        datasets = {names: Node(NodeKind.DATASET, *names) for names in {field[1:3] for field in fields}}
        wanted.update(node for node in datasets.values() if node not in self.ids)
        self._ensure(dict.fromkeys(wanted))
        rows = {names: self.ids[dataset] for names, dataset in datasets.items()}
        self._ensure({field: rows[field[1:3]] for field in fields})

    def _ensure(self, nodes: Mapping[Node, int | None]) -> None:
        """Find or add these nodes, each with the row of its dataset where it is a field."""
        keys = {node.key: node for node in nodes}
        # Of a dataset that is new there is no field yet.
        sought = [key for key, node in keys.items() if (row := nodes[node]) is None or row in self.known]
        if sought:
            found = self._table.find_nodes(sought)
            self.ids.update((keys.pop(key), id_) for key, id_ in found.items())
            self.known.update(found.values())
        if keys:
            made = self._table.add_nodes({key: (node, nodes[node]) for key, node in keys.items()})
            self.ids.update((keys[key], id_) for key, id_ in made.items())
