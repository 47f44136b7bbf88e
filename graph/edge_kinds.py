"""Kinds of edges as numbers: every edge and two of its indexes hold one, and statements name some of them."""

from graph.model import EdgeKind

EDGE_KIND_NUMBERS = {
    EdgeKind.CONSUMES: 1,
    EdgeKind.PRODUCES: 2,
    EdgeKind.FEEDS: 3,
    EdgeKind.PARENT: 4,
    EdgeKind.ALIAS: 5,
    EdgeKind.DERIVES: 6,
    EdgeKind.COLUMNS: 7,
    EdgeKind.RENAMED: 8,
}
EDGE_KINDS = {number: kind for kind, number in EDGE_KIND_NUMBERS.items()}
