"""The lineage graph of a dataset or a job, in one answer with the data of every node."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from catalog.errors import InvalidInput, NotFound, PositionNotReached
from catalog.keys import DatasetKey, JobKey, NodeId
from graph.model import Completeness as GraphCompleteness
from graph.model import Direction, Edge, Node, NodeKind, Want
from web.graphql.facet_records import UNDESCRIBED, Described
from web.graphql.loaders.datasets import dataset_by_names, schemas_by_hash
from web.graphql.loaders.facets import descriptions_of_datasets, descriptions_of_jobs, schemas_told
from web.graphql.loaders.jobs import job_by_names
from web.graphql.loaders.standing import DatasetStanding, dataset_standings, job_standings
from web.graphql.node_ids import named
from web.graphql.request import QueryRequest
from web.marquez import names
from web.marquez.asking import Asking
from web.marquez.contents import NO_COLUMNS, NO_DATASETS, Contents
from web.marquez.datasets import lean_dataset
from web.marquez.jobs import current_version, lean_job, lean_latest_run
from web.marquez.route import NameRoute
from web.marquez.shapes import Completeness, Dataset, Field, GraphEdge, Job, LineageGraph

#: Nodes that one answer holds unless more are asked for; as in GraphQL.
MAX_NODES = 10_000

Edges = Mapping[str, list[GraphEdge]]


def lineage_graph(
    request: QueryRequest, contents: Contents, node_id: NodeId, depth: int, max_nodes: int
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
    data = _data(request, contents, found.nodes)
    return {
        "graph": [
            {
                "id": node_id,
                "type": "DATASET" if node.kind is NodeKind.DATASET else "JOB",
                "data": data.get(node),
                "inEdges": incoming.get(node_id, []),
                "outEdges": outgoing.get(node_id, []),
            }
            for node_id, node in zip(found.node_ids, found.nodes, strict=True)
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


def _data(request: QueryRequest, contents: Contents, nodes: Sequence[Node]) -> dict[Node, Dataset | Job]:
    datasets = {
        DatasetKey(node.namespace, node.name).id: node for node in nodes if node.kind is NodeKind.DATASET
    }
    jobs = {JobKey(node.namespace, node.name).id: node for node in nodes if node.kind is NodeKind.JOB}
    return {**_datasets(request, contents, datasets), **_jobs(request, contents, jobs)}


def _datasets(
    request: QueryRequest, contents: Contents, nodes: Mapping[uuid.UUID, Node]
) -> dict[Node, Dataset | Job]:
    found = dataset_standings(request, list(nodes))
    told = descriptions_of_datasets(request, [standing.id for standing in found if standing.described])
    columns = contents.columns(request, [standing.schema_hash for standing in found])
    own = _own_columns(request, found, told)
    answer: dict[Node, Dataset | Job] = {}
    for standing in found:
        node = nodes[standing.id]
        fields = own[standing.id] if standing.id in own else columns.get(standing.schema_hash, NO_COLUMNS)
        answer[node] = lean_dataset(
            DatasetKey(node.namespace, node.name), standing, fields, told.get(standing.id, UNDESCRIBED)
        )
    return answer


def _own_columns(
    request: QueryRequest, found: Sequence[DatasetStanding], told: Mapping[uuid.UUID, Described]
) -> dict[uuid.UUID, list[Field]]:
    """Return the columns of those datasets that do not share them: without version, or with tags on columns."""
    own = schemas_told(request, [standing.id for standing in found if standing.schema_hash is None])
    tagged = [standing for standing in found if standing.id in told and told[standing.id].tags_by_column]
    schemas = schemas_by_hash(request, [standing.schema_hash for standing in tagged])
    own |= {
        standing.id: schemas[standing.schema_hash]
        for standing in tagged
        if standing.schema_hash is not None and standing.schema_hash in schemas
    }
    return {
        dataset: names.tagged_fields(columns, told.get(dataset, UNDESCRIBED))
        for dataset, columns in own.items()
    }


def _jobs(
    request: QueryRequest, contents: Contents, nodes: Mapping[uuid.UUID, Node]
) -> dict[Node, Dataset | Job]:
    found = job_standings(request, list(nodes))
    datasets = contents.datasets(request, [standing.shape_hash for standing in found])
    told = descriptions_of_jobs(request, [standing.id for standing in found if standing.described])
    answer: dict[Node, Dataset | Job] = {}
    for standing in found:
        node = nodes[standing.id]
        key, of_job = JobKey(node.namespace, node.name), datasets.get(standing.shape_hash, NO_DATASETS)
        version = current_version(key, standing, of_job)
        run, described = lean_latest_run(standing, version), told.get(standing.id, UNDESCRIBED)
        answer[node] = lean_job(key, standing, of_job, version, run, described)
    return answer


def lineage_router(asking: Asking, contents: Contents) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["lineage"], route_class=NameRoute)

    @router.get("/lineage", response_model=LineageGraph)
    async def get_lineage(
        request: Request,
        node_id: Annotated[
            str, Query(alias="nodeId", description="dataset:NAMESPACE:NAME or job:NAMESPACE:NAME.")
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
            request, lambda question: lineage_graph(question, contents, parsed, depth, max_nodes), graph=True
        )

    return router
