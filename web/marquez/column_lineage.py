"""Lineage between columns, in Marquez's form."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from catalog.errors import InvalidInput, NotFound
from catalog.keys import DatasetKey, NodeId
from catalog.openlineage.columns import Transformation
from graph.model import Direction
from web.graphql.cohort import in_cohort
from web.graphql.loaders.datasets import dataset_by_names, dataset_fields, datasets_by_id
from web.graphql.loaders.jobs import job_by_names
from web.graphql.records import FieldRecord
from web.graphql.request import QueryRequest
from web.marquez.asking import NODE_OR_FIELD_ID, Asking
from web.marquez.column_walk import Column, ColumnWalk, Derivation, columns_told, told_by
from web.marquez.lineage import MAX_NODES, completeness
from web.marquez.route import NameRoute
from web.marquez.shapes import ColumnLineageGraph, ColumnNode, GraphEdge, InputFieldData

_KINDS = ("dataset", "datasetField", "job")
_INDIRECT = "INDIRECT"
#: All that the facet's old form knows.
_OLD_TYPES = frozenset({"IDENTITY", "MASKED"})


def column_lineage_graph(
    request: QueryRequest, node_id: NodeId, depth: int, max_nodes: int, *, downstream: bool
) -> ColumnLineageGraph:
    """Return what the columns of the node come from, and with `downstream` what comes from them.

    Raises `NotFound` where the node was never heard of. A column that is in no lineage is not in the answer.
    """
    walk = ColumnWalk(request, max_nodes)
    walk.start(_start(request, walk, node_id))
    walk.walk(Direction.UPSTREAM, depth)
    if downstream:
        walk.walk(Direction.DOWNSTREAM, depth)
    return {"graph": _nodes(request, walk), "completeness": completeness(walk.completeness)}


def _start(request: QueryRequest, walk: ColumnWalk, node_id: NodeId) -> set[Column]:
    match node_id.kind:
        case "datasetField":
            return {_column(request, walk, node_id)}
        case "dataset":
            names = [(namespace, name) for namespace, name in node_id.candidates()]
            dataset = dataset_by_names(request, names)
            if dataset is not None:
                return _columns(request, walk, DatasetKey(dataset.namespace, dataset.name))
        case _:
            names = [(namespace, name) for namespace, name in node_id.candidates()]
            job = job_by_names(request, names)
            if job is not None:
                told = told_by(request, [job])
                return {Column(output, name) for output, lineage in told for name, _ in lineage.fields}
    raise NotFound(f"expected a node that was heard of, found none of {node_id}"[:500])


def _columns(request: QueryRequest, walk: ColumnWalk, dataset: DatasetKey) -> set[Column]:
    """Return the columns of the dataset: those of its schema, and those that jobs tell of."""
    told = [
        *walk.told_beside([dataset], Direction.UPSTREAM),
        *walk.told_beside([dataset], Direction.DOWNSTREAM),
    ]
    known = {Column(dataset, name) for name in _types(request, [dataset]).get(dataset, ())}
    return known | columns_told(told, dataset)


def _column(request: QueryRequest, walk: ColumnWalk, node_id: NodeId) -> Column:
    """Return the column that the id means; where colons leave that open, the longest stored namespace wins."""
    candidates = [(DatasetKey(found[0], found[1]), found[2]) for found in node_id.candidates()]
    stored = datasets_by_id(request, {dataset.id for dataset, _ in candidates})
    for dataset, name in candidates:
        if dataset.id in stored and Column(dataset, name) in _columns(request, walk, dataset):
            return Column(dataset, name)
    raise NotFound(f"expected a column that was heard of, found none of {node_id}"[:500])


def _types(request: QueryRequest, datasets: Sequence[DatasetKey]) -> dict[DatasetKey, dict[str, str | None]]:
    """Return the types of the columns of each dataset by name; one within another is `outer.inner`."""
    records = in_cohort(request, list(datasets_by_id(request, [key.id for key in datasets]).values()))
    fields: Mapping[object, list[FieldRecord]] = records[0].cohort.ask(dataset_fields) if records else {}
    return {
        DatasetKey(record.namespace, record.name): _by_path(fields.get(record.row_id, []), "")
        for record in records
    }


def _by_path(fields: Sequence[FieldRecord], above: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for column in fields:
        found[above + column.name] = column.type
        found |= _by_path(column.fields, f"{above}{column.name}.")
    return found


def _nodes(request: QueryRequest, walk: ColumnWalk) -> list[ColumnNode]:
    incoming: defaultdict[Column, list[Derivation]] = defaultdict(list)
    outgoing: defaultdict[Column, list[Derivation]] = defaultdict(list)
    for derivation in sorted(walk.derivations):
        incoming[derivation.destination].append(derivation)
        outgoing[derivation.origin].append(derivation)
    shown = [column for column in walk.columns if column in incoming or column in outgoing]
    types = _types(request, sorted({column.dataset for column in shown}))
    answer: list[ColumnNode] = []
    for column in shown:
        inputs = [_input(each.origin, walk.derivations[each]) for each in incoming[column]]
        # A filter says nothing of how the value is made, where something else does.
        made_of = [each for each in inputs if each["transformationType"] != _INDIRECT] or inputs
        answer.append(
            {
                "id": column.node_id,
                "type": "DATASET_FIELD",
                "data": {
                    "namespace": column.dataset.namespace,
                    "dataset": column.dataset.name,
                    "datasetVersion": None,
                    "field": column.name,
                    "fieldType": types.get(column.dataset, {}).get(column.name) or "",
                    "transformationDescription": _first(
                        each["transformationDescription"] for each in made_of
                    ),
                    "transformationType": _first(each["transformationType"] for each in made_of),
                    "inputFields": inputs,
                },
                "inEdges": [_edge(column, each.origin) for each in incoming[column]],
                "outEdges": [_edge(column, each.destination) for each in outgoing[column]],
            }
        )
    return answer


def _edge(origin: Column, destination: Column) -> GraphEdge:
    return {"origin": origin.node_id, "destination": destination.node_id}


def _input(column: Column, transformations: set[Transformation]) -> InputFieldData:
    told = sorted(transformations)
    return {
        "namespace": column.dataset.namespace,
        "dataset": column.dataset.name,
        "datasetVersion": None,
        "field": column.name,
        "transformationDescription": _first(each.description for each in told),
        "transformationType": _first(map(_transformation_type, told)),
        "transformations": [
            {
                "type": each.type,
                "subtype": each.subtype,
                "description": each.description,
                "masking": each.masking,
            }
            for each in told
        ],
    }


def _transformation_type(told: Transformation) -> str:
    """Return what the facet's old form, the one that Marquez knows, calls the transformation, else its type."""
    return told.subtype if told.subtype in _OLD_TYPES or not told.type else told.type


def _first(texts: Iterable[str | None]) -> str | None:
    return next((text for text in texts if text), None)


def column_lineage_router(asking: Asking) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["lineage"], route_class=NameRoute)

    @router.get("/column-lineage", response_model=ColumnLineageGraph)
    async def get_column_lineage(
        request: Request,
        node_id: Annotated[
            str,
            Query(
                alias="nodeId",
                description="dataset:NAMESPACE:NAME, datasetField:NAMESPACE:NAME:COLUMN or job:NAMESPACE:NAME.",
                json_schema_extra={"pattern": f"^{NODE_OR_FIELD_ID}$"},
            ),
        ],
        depth: Annotated[
            int, Query(ge=0, lt=2**31, description="Most edges away; column to column is one.")
        ] = 20,
        with_downstream: Annotated[
            bool, Query(alias="withDownstream", description="Also what comes from the columns.")
        ] = False,
        max_nodes: Annotated[
            int, Query(alias="maxNodes", ge=1, lt=2**31, description="Most columns (Headwater's).")
        ] = MAX_NODES,
    ) -> Response:
        """What columns come from, as jobs now tell of it: of a column, of a dataset, or of all that a job writes."""
        parsed = NodeId.parse(node_id)
        if parsed.kind not in _KINDS:
            raise InvalidInput("expected the node id of a dataset, a column or a job", pointer="/nodeId")
        return await asking.answer(
            request,
            lambda question: column_lineage_graph(
                question, parsed, depth, max_nodes, downstream=with_downstream
            ),
            graph=True,
        )

    return router
