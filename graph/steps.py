"""From a job's shape to edges: which hidden step of the job an input goes into and an output comes from."""

from typing import NamedTuple

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.shape import Flow, Shape
from graph.model import EdgeKind, Node, Vertex


class ShapeEdge(NamedTuple):
    """An edge that a shape states, for as long as the shape holds."""

    kind: EdgeKind
    origin: Vertex
    destination: Vertex


def shape_edges(job: JobKey, shape: Shape) -> frozenset[ShapeEdge]:
    """Return the edges of the shape.

    Without flows, and where one flow covers everything, all edges meet in the job itself (step 0). Otherwise
    flow number n is step n. What is listed but in no flow is read, or written, without connection: one more
    step has the inputs, another the outputs.
    """
    if shape.flows is None:
        whole = Flow(shape.outputs, shape.inputs, shape.job_outputs, shape.job_inputs)
        return frozenset(_flow_edges(Node.of(job), 0, whole))
    flows = [*shape.flows, *_unconnected(shape, shape.flows)]
    first_step = 0 if len(flows) == 1 else 1
    node = Node.of(job)
    steps = enumerate(flows, first_step)
    return frozenset(edge for step, flow in steps for edge in _flow_edges(node, step, flow))


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
