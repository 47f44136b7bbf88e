"""A digest of a whole graph that does not depend on the order in which its parts are named."""

import datetime as dt
from collections.abc import Iterable
from hashlib import blake2b

from graph.model import HeldEdge, Node, Vertex

SIZE = 16
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def node_digest(node: Node) -> bytes:
    """Return the 16 bytes that stand for the node."""
    return _digest("node", *node)


def edge_digest(edge: HeldEdge) -> bytes:
    """Return the 16 bytes that stand for the edge and the interval in which it held."""
    return _digest(
        "edge",
        edge.kind,
        *edge.owner,
        *_parts(edge.origin),
        *_parts(edge.destination),
        _microseconds(edge.span.start),
        _microseconds(edge.span.end),
        edge.type,
    )


def fold(digests: Iterable[bytes]) -> bytes:
    """Return the digest of the set: the sum of its members' digests modulo 2**128."""
    total = sum(int.from_bytes(digest) for digest in digests)
    return (total % (1 << (8 * SIZE))).to_bytes(SIZE)


def graph_digest(nodes: Iterable[Node], edges: Iterable[HeldEdge]) -> bytes:
    """Return 16 bytes that are equal for equal graphs."""
    return fold([fold(map(node_digest, nodes)), fold(map(edge_digest, edges))])


def _parts(vertex: Vertex) -> tuple[str, ...]:
    return (*vertex.node, str(vertex.step))


def _microseconds(instant: dt.datetime | None) -> str:
    return "" if instant is None else str((instant - _EPOCH) // _MICROSECOND)


def _digest(*parts: str) -> bytes:
    # Parts are length-prefixed, so that no two lists of parts run into the same text.
    return blake2b("".join(f"{len(part)}:{part}" for part in parts).encode(), digest_size=SIZE).digest()
