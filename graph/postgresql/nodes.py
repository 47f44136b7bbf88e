"""The rows of nodes of one generation, found or made for one batch."""

import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg

from catalog.queries import load_queries
from graph.model import Node, NodeKind

QUERIES = load_queries(Path(__file__).with_name("write.sql"))


class NodeRows:
    """Ids of nodes by node; `known` are those that were there before this batch."""

    def __init__(self, connection: psycopg.Connection[Any], generation: int) -> None:
        self._connection = connection
        self._generation = generation
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
            found = self._read("find_nodes", {"generation": self._generation, "keys": sought})
            self.ids.update((keys.pop(key), id_) for key, id_ in found.items())
            self.known.update(found.values())
        if keys:
            missing = keys.values()
            parameters = {
                "generation": self._generation,
                "keys": list(keys),
                "kinds": [node.kind.value for node in missing],
                "namespaces": [node.namespace for node in missing],
                "names": [node.name for node in missing],
                "datasets": [nodes[node] for node in missing],
                "fields": [node.field or None for node in missing],
            }
            made = self._read("add_nodes", parameters)
            self.ids.update((keys[key], id_) for key, id_ in made.items())

    def _read(self, query: str, parameters: dict[str, Any]) -> dict[uuid.UUID, int]:
        return dict(self._connection.cursor(binary=True).execute(QUERIES[query], parameters).fetchall())
