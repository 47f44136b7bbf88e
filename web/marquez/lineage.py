"""The lineage graph of a dataset or a job, in one answer with the data of every node."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from catalog.errors import InvalidInput, NotFound, PositionNotReached
from catalog.keys import NodeId
from graph.model import Completeness as GraphCompleteness
from graph.model import Direction, Edge, NodeKind, Want
from web.graphql.loaders.datasets import dataset_by_names
from web.graphql.loaders.jobs import job_by_names
from web.graphql.node_ids import named
from web.graphql.request import QueryRequest
from web.marquez.asking import NODE_ID, Asking
from web.marquez.contents import Contents
from web.marquez.node_data import NodeData
from web.marquez.route import NameRoute
from web.marquez.shapes import Completeness, GraphEdge, LineageGraph

#: Nodes that one answer holds unless more are asked for; as in GraphQL.
MAX_NODES = 10_000

Edges = Mapping[str, list[GraphEdge]]


def lineage_graph(
    request: QueryRequest, node_data: NodeData, node_id: NodeId, depth: int, max_nodes: int
) -> LineageGraph:
    """Return what lies up- and downstream of the node; raise `NotFound` where it was never heard of."""
    try:
        found = request.graph.lineage(
            node_id,
            Direction.BOTH,
            depth=depth,
            max_nodes=max_nodes,
            seconds=request.traversal_seconds,
            want=Want.NODES | Want.EDGES,
        )
        request.positions.append(found.position)
    except NotFound:
        check_heard_of(request, node_id)
        raise
    incoming, outgoing = _by_node(found.edges)
    return {
        "graph": [
            {
                "id": node_id,
                "type": "DATASET" if node.kind is NodeKind.DATASET else "JOB",
                "data": data,
                "inEdges": incoming.get(node_id, []),
                "outEdges": outgoing.get(node_id, []),
            }
            for node_id, node, data in zip(
                found.node_ids, found.nodes, node_data.of(request, found.nodes), strict=True
            )
        ],
        "completeness": completeness(found.completeness),
    }


def check_heard_of(request: QueryRequest, node_id: NodeId) -> None:
    """Raise `PositionNotReached` where the catalog knows the node and the graph has not come so far."""
    by_names = {"dataset": dataset_by_names, "job": job_by_names}.get(node_id.kind)
    if by_names is not None and by_names(request, _names(node_id)) is not None:
        raise PositionNotReached(f"expected the graph to know {node_id}, it has not come so far"[:500])


def _names(node_id: NodeId) -> list[tuple[str, str]]:
    return named(node_id.kind, None, None, str(node_id))


def completeness(found: GraphCompleteness) -> Completeness:
    """Return whether the answer is the whole one."""
    return {
        "complete": found.complete,
        "reason": None if found.reason is None else found.reason.value,
        "frontier": list(found.frontier),
    }


def _by_node(edges: Sequence[Edge]) -> tuple[Edges, Edges]:
    incoming: defaultdict[str, list[GraphEdge]] = defaultdict(list)
    outgoing: defaultdict[str, list[GraphEdge]] = defaultdict(list)
    for origin, destination, _ in edges:
        edge: GraphEdge = {"origin": origin, "destination": destination}
        outgoing[origin].append(edge)
        incoming[destination].append(edge)
    return incoming, outgoing


def lineage_router(asking: Asking, contents: Contents) -> APIRouter:
    """Return the route."""
    node_data = NodeData(contents)
    router = APIRouter(tags=["lineage"], route_class=NameRoute)

    @router.get("/lineage", response_model=LineageGraph)
    async def get_lineage(
        request: Request,
        node_id: Annotated[
            str,
            Query(
                alias="nodeId",
                description="dataset:NAMESPACE:NAME or job:NAMESPACE:NAME.",
                json_schema_extra={"pattern": f"^{NODE_ID}$"},
            ),
        ],
        depth: Annotated[
            int, Query(ge=0, lt=2**31, description="Most edges away; dataset to job is one.")
        ] = 20,
        max_nodes: Annotated[
            int, Query(alias="maxNodes", ge=1, lt=2**31, description="Most nodes (Headwater's).")
        ] = MAX_NODES,
    ) -> Response:
        """What lies up- and downstream of a dataset or a job, nearest first, and whether that is everything."""
        parsed = NodeId.parse(node_id)
        if parsed.kind not in {"dataset", "job"}:
            raise InvalidInput("expected the node id of a dataset or a job", pointer="/nodeId")
        return await asking.answer(
            request, lambda question: lineage_graph(question, node_data, parsed, depth, max_nodes), graph=True
        )

    return router
