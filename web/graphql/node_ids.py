"""Node ids and UUIDs as callers write them."""

import uuid

from catalog.errors import InvalidInput, InvalidNodeId
from catalog.keys import NodeId, uuids_beginning_with

#: Shortest beginning of a UUID that is looked for, in characters.
SHORTEST_PREFIX = 4


def named(kind: str, namespace: str | None, name: str | None, node_id: str | None) -> list[tuple[str, str]]:
    """Return every (namespace, name) that the arguments may mean, the longest namespace first.

    Raises `InvalidInput` unless either both names or a node id of the kind are given.
    """
    if node_id is None and namespace is not None and name is not None:
        return [(namespace, name)]
    if node_id is None or namespace is not None or name is not None:
        raise InvalidInput("expected either `namespace` and `name`, or `nodeId`")
    parsed = NodeId.parse(node_id)
    if parsed.kind != kind:
        raise InvalidNodeId(f"expected a node id such as {kind}:NAMESPACE:NAME, found {node_id!r}"[:500])
    return [(namespace, name) for namespace, name in parsed.candidates()]


def run_id(text: str) -> uuid.UUID:
    """Return the UUID of a run, written alone or as a node id; raise `InvalidNodeId`."""
    try:
        return uuid.UUID(text.removeprefix("run:"))
    except ValueError as error:
        raise InvalidNodeId(f"expected a UUID, or run:UUID, found {text!r}"[:500]) from error


def run_id_range(prefix: str) -> tuple[uuid.UUID, uuid.UUID]:
    """Return the least and the greatest UUID that begins so; raise `InvalidInput`."""
    try:
        found = uuids_beginning_with(prefix) if len(prefix) >= SHORTEST_PREFIX else None
    except ValueError:
        found = None
    if found is None:
        expected = f"the beginning of a UUID, {SHORTEST_PREFIX} characters at least"
        raise InvalidInput(f"expected {expected}, found {prefix!r}"[:300], pointer="/idPrefix")
    return found
