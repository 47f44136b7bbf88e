"""Lineage: traversals of the graph."""

import strawberry

from graph.model import Completeness as GraphCompleteness
from web.graphql.loaders.lineage import LineageNodeRecord, datasets_of_nodes, jobs_of_nodes
from web.graphql.records import DatasetRecord, JobRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.enums import IncompleteReason, NodeKind
from web.graphql.types.references import DatasetType, JobType


def _reason(root: GraphCompleteness) -> str | None:
    """Why not; null where the answer is complete."""
    return None if root.reason is None else root.reason.value


def _frontier(root: GraphCompleteness) -> list[str]:
    """Node ids at which it stopped: something lies beyond each (for TIME: may lie; for PARKED: may be wrong)."""
    return list(root.frontier)


@object_type
class Completeness:
    """Whether an answer is the whole one, and where it stopped if not."""

    complete: bool = plain("Whether nothing was left out.")
    reason = resolved(_reason, IncompleteReason | None)
    frontier = resolved(_frontier, list[strawberry.ID])


def _dataset(root: LineageNodeRecord) -> DatasetRecord | None:
    """The dataset, of a field the one that it is in; null for a job."""
    return root.cohort.ask(datasets_of_nodes).get(root.row_id)


def _job(root: LineageNodeRecord) -> JobRecord | None:
    """The job; null for a dataset or a field."""
    return root.cohort.ask(jobs_of_nodes).get(root.row_id)


@object_type
class LineageNode:
    """A dataset, a job or a field in the graph."""

    id: strawberry.ID = plain("Its node id.")
    kind: NodeKind = plain("Whether it is a dataset, a job or a field.")
    namespace: str = plain("Where it is.")
    name: str = plain("Its name there; of a field, the name of its dataset.")
    field: str | None = plain("The name of the field in its dataset; null for a dataset or a job.")
    dataset = resolved(_dataset, DatasetType | None)
    job = resolved(_job, JobType | None)


@object_type
class LineageEdge:
    """An edge as data moves; between aliases, which have no direction, it goes from the smaller node id."""

    origin: strawberry.ID = plain("Node id from which data moves.")
    destination: strawberry.ID = plain("Node id to which data moves.")
    kind: str = plain("consumes, produces, feeds, derives (between fields), renamed or alias.")


@object_type
class Lineage:
    """What lies up- or downstream of a node, nearest first, itself at the head."""

    nodes: list[LineageNode] = plain("What was reached.")
    node_ids: list[strawberry.ID] = plain("The node ids of what was reached: the fastest form of the answer.")
    edges: list[LineageEdge] = plain("The edges that were walked.")
    completeness: Completeness = plain("Whether this is everything.")
    position: Long = plain("Ledger position that the graph was read at.")
