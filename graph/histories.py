"""The edges of jobs over time: new points of a job's history change only what lies between their neighbours."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from catalog.errors import HeadwaterError
from catalog.keys import JobKey
from catalog.observations import ShapeObserved
from catalog.openlineage.shape import Shape
from graph.edge_kinds import EDGE_KIND_NUMBERS
from graph.intervals import Point, coalesce, outside, tile, within
from graph.model import Node, Span, Vertex
from graph.node_rows import NodeRows
from graph.rows import EdgeKey, EdgeRow, GraphRows, PointKey, StoredEdge, StoredPoint
from graph.steps import ShapeEdge, shape_edges
from graph.traversal import NODE_BITS, STEPS


@dataclass(slots=True)
class _JobHistory:
    """What a batch says of one job, and what is stored in the window that this touches."""

    job: JobKey
    new: dict[PointKey, tuple[int, Shape | None]] = field(default_factory=dict)
    #: Stored points of the window with the undecoded shape, None where it was withdrawn.
    stored: dict[PointKey, tuple[int, bytes | None]] = field(default_factory=dict)
    edges: dict[EdgeKey, list[StoredEdge]] = field(default_factory=lambda: defaultdict(list))

    def drop_old_news(self) -> None:
        """Forget new points of which a newer one is stored."""
        for key, (sequence, _) in self.stored.items():
            if key in self.new and self.new[key][0] <= sequence:
                del self.new[key]

    @property
    def first(self) -> PointKey:
        return min(self.new)

    @property
    def last(self) -> PointKey:
        return max(self.new)

    def window(self) -> Span:
        """Return the time from the first new point to the first stored one after the last."""
        later = [
            at for (at, tiebreak), (_, body) in self.stored.items() if body and (at, tiebreak) > self.last
        ]
        return Span(self.first[0], min(later, default=None))

    def stated(self, window: Span) -> dict[ShapeEdge, list[Span]]:
        """Return the edges that the shapes state from now on within the window, and when."""
        points: list[Point[Shape | bytes]] = [Point(*key, shape) for key, (_, shape) in self.new.items()]
        points += [Point(*key, body) for key, (_, body) in self.stored.items() if key not in self.new]
        edges: dict[ShapeEdge, list[Span]] = defaultdict(list)
        for span, shape in tile(points):
            part = within(span, window)
            if part is None:
                continue
            decoded = Shape.from_json(orjson.loads(shape)) if isinstance(shape, bytes) else shape
            for edge in shape_edges(self.job, decoded):
                edges[edge].append(part)
        return edges


class JobHistories:
    """The points that one batch adds to the histories of jobs."""

    def __init__(self, rows: GraphRows, nodes: NodeRows) -> None:
        self._rows = rows
        self._nodes = nodes
        self._histories: dict[int, _JobHistory] = {}

    def add(self, observed: ShapeObserved, sequence: int) -> None:
        """Add a point; a later call replaces an earlier one of the same identity."""
        history = self._histories.setdefault(
            self._nodes.ids[Node.of(observed.job)], _JobHistory(observed.job)
        )
        history.new[PointKey(observed.at, observed.tiebreak)] = (sequence, observed.shape)

    def write(self) -> tuple[list[str], list[EdgeRow]]:
        """Save the points; return the handles of edges to remove, and the rows to add."""
        self._load_points()
        changed = {id_: history for id_, history in self._histories.items() if history.new}
        if not changed:
            return [], []
        windows = {id_: history.window() for id_, history in changed.items()}
        self._load_edges(windows)
        self._save_points(changed)
        stated = {id_: history.stated(windows[id_]) for id_, history in changed.items()}
        # A stored shape that holds again may name what this batch does not.
        again = [stated[id_] for id_, history in changed.items() if history.stored]
        self._nodes.ensure(vertex.node for edges in again for edge in edges for vertex in edge[1:3])
        stale: list[str] = []
        rows: list[EdgeRow] = []
        for id_, history in changed.items():
            removed, added = self._compare(id_, history, windows[id_], stated[id_])
            stale += removed
            rows += added
        return stale, rows

    def _load_points(self) -> None:
        known = {id_: history for id_, history in self._histories.items() if id_ in self._nodes.known}
        if not known:
            return
        windows = {id_: (history.first, history.last) for id_, history in known.items()}
        for job, key, sequence, shape in self._rows.points(windows):
            known[job].stored[key] = (sequence, shape)
        for history in known.values():
            history.drop_old_news()

    def _load_edges(self, windows: Mapping[int, Span]) -> None:
        known = {id_: window for id_, window in windows.items() if id_ in self._nodes.known}
        if known:
            for edge in self._rows.job_edges(known):
                self._histories[edge.owner].edges[edge.key].append(edge)

    def _save_points(self, changed: Mapping[int, _JobHistory]) -> None:
        points = [
            StoredPoint(id_, key, sequence, None if shape is None else shape.encoded)
            for id_, history in changed.items()
            for key, (sequence, shape) in history.new.items()
        ]
        self._rows.save_points(points)

    def _compare(
        self, id_: int, history: _JobHistory, window: Span, stated: Mapping[ShapeEdge, list[Span]]
    ) -> tuple[list[str], list[EdgeRow]]:
        inside = {self._edge_key(edge): spans for edge, spans in stated.items()}
        stale: list[str] = []
        rows = [
            EdgeRow(id_, *key[:3], *span, key.type)
            for key, spans in inside.items()
            if key not in history.edges
            for span in (spans if len(spans) == 1 else coalesce(spans))
        ]
        for key, edges in history.edges.items():
            stored = {edge.span: edge.handle for edge in edges}
            wanted = coalesce([*outside(list(stored), window), *inside.get(key, ())])
            stale += [handle for span, handle in stored.items() if span not in wanted]
            rows += [EdgeRow(id_, *key[:3], *span, key.type) for span in wanted if span not in stored]
        return stale, rows

    def _edge_key(self, edge: ShapeEdge) -> EdgeKey:
        kind, origin, destination, type_ = edge
        return EdgeKey(EDGE_KIND_NUMBERS[kind], self._vertex(origin), self._vertex(destination), type_)

    def _vertex(self, vertex: Vertex) -> int:
        if vertex.step >= STEPS:
            raise HeadwaterError(
                f"expected fewer than {STEPS} flows in the lineage of {vertex.node.id[:200]}, found {vertex.step}"
            )
        return self._nodes.ids[vertex.node] | vertex.step << NODE_BITS
