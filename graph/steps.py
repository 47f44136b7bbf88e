"""From a job's shape to edges: which hidden step of the job an input goes into and an output comes from."""

from typing import NamedTuple

import orjson

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.columns import ColumnLineage, ColumnSource, Transformation
from catalog.openlineage.shape import Flow, Shape
from graph.model import COLUMN_STEPS, EdgeKind, Node, Vertex


class ShapeEdge(NamedTuple):
    """An edge that a shape states, for as long as the shape holds."""

    kind: EdgeKind
    origin: Vertex
    destination: Vertex
    #: As in `HeldEdge`.
    type: str = ""


def shape_edges(job: JobKey, shape: Shape) -> frozenset[ShapeEdge]:
    """Return the edges of the shape.

    Without flows, and where one flow covers everything, all edges meet in the job itself (step 0). Otherwise
    flow number n is step n. What is listed but in no flow is read, or written, without connection: one more
    step has the inputs, another the outputs.
    """
    node = Node.of(job)
    columns = [
        edge
        for number, (output, lineage) in enumerate(shape.columns)
        for edge in _column_edges(node, COLUMN_STEPS + number, output, lineage)
    ]
    if shape.flows is None:
        whole = Flow(shape.outputs, shape.inputs, shape.job_outputs, shape.job_inputs)
        return frozenset([*_flow_edges(node, 0, whole), *columns])
    flows = [*shape.flows, *_unconnected(shape, shape.flows)]
    first_step = 0 if len(flows) == 1 else 1
    steps = enumerate(flows, first_step)
    return frozenset([*(edge for step, flow in steps for edge in _flow_edges(node, step, flow)), *columns])


def transformations_of(text: str) -> tuple[Transformation, ...]:
    """Return how a derivation's source takes part, as its edge's `type` says it."""
    return tuple(Transformation(*each) for each in orjson.loads(text)) if text else ()


def _column_edges(job: Node, step: int, output: DatasetKey, lineage: ColumnLineage) -> list[ShapeEdge]:
    """Return the edges between fields; what every field depends on goes through a step, or it would be a product."""
    edges = [ShapeEdge(EdgeKind.COLUMNS, Vertex(job), Vertex(Node.of(output)))]
    fields = [(Vertex(Node.of_field(output, name)), sources) for name, sources in lineage.fields]
    edges += [_derives(source, field) for field, sources in fields for source in sources]
    if lineage.dataset:
        here = Vertex(job, step)
        edges += [_derives(source, here) for source in lineage.dataset]
        edges += [ShapeEdge(EdgeKind.DERIVES, here, field) for field, _ in fields]
    return edges


def _derives(source: ColumnSource, destination: Vertex) -> ShapeEdge:
    origin = Vertex(Node.of_field(source.dataset, source.field))
    how = (
        orjson.dumps([list(each) for each in source.transformations]).decode()
        if source.transformations
        else ""
    )
    return ShapeEdge(EdgeKind.DERIVES, origin, destination, how)


def _unconnected(shape: Shape, flows: tuple[Flow, ...]) -> list[Flow]:
    inputs = set(shape.inputs).difference(*(flow.inputs for flow in flows))
    outputs = set(shape.outputs).difference(*(flow.outputs for flow in flows))
    reads = [Flow((), tuple(sorted(inputs)))] if inputs else []
    writes = [Flow(tuple(sorted(outputs)), ())] if outputs else []
    return reads + writes


def _flow_edges(job: Node, step: int, flow: Flow) -> list[ShapeEdge]:
    here = Vertex(job, step)

    def there(key: DatasetKey | JobKey) -> Vertex:
        return Vertex(Node.of(key))

    return [
        *(ShapeEdge(EdgeKind.CONSUMES, there(key), here) for key in flow.inputs),
        *(ShapeEdge(EdgeKind.PRODUCES, here, there(key)) for key in flow.outputs),
        *(ShapeEdge(EdgeKind.FEEDS, there(key), here) for key in flow.job_inputs),
        *(ShapeEdge(EdgeKind.FEEDS, here, there(key)) for key in flow.job_outputs),
    ]
