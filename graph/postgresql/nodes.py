"""The rows of nodes of one generation, found or made for one batch."""

import uuid
from collections.abc import Iterable
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
        fields = {node for node in wanted if node.kind is NodeKind.FIELD}
        self._ensure((wanted - fields) | {field.dataset for field in fields})
        # The row of a field names that of its dataset.
        self._ensure(fields)

    def _ensure(self, nodes: Iterable[Node]) -> None:
        nodes_by_key = {node.key: node for node in nodes if node not in self.ids}
        if not nodes_by_key:
            return
        parameters: dict[str, Any] = {"generation": self._generation, "keys": list(nodes_by_key)}
        found = self._read("find_nodes", parameters)
        self.ids.update((nodes_by_key[key], id_) for key, id_ in found.items())
        self.known.update(found.values())
        if missing := {key: node for key, node in nodes_by_key.items() if key not in found}:
            parameters = {
                "generation": self._generation,
                "keys": list(missing),
                "kinds": [node.kind.value for node in missing.values()],
                "namespaces": [node.namespace for node in missing.values()],
                "names": [node.name for node in missing.values()],
                "datasets": [self.ids[node.dataset] if node.field else None for node in missing.values()],
                "fields": [node.field or None for node in missing.values()],
            }
            made = self._read("add_nodes", parameters)
            self.ids.update((nodes_by_key[key], id_) for key, id_ in made.items())

    def _read(self, query: str, parameters: dict[str, Any]) -> dict[uuid.UUID, int]:
        return dict(self._connection.cursor(binary=True).execute(QUERIES[query], parameters).fetchall())
