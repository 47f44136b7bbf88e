"""The fields of the query: where every question begins."""

from collections.abc import Iterable

import strawberry
from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode

from catalog.errors import InvalidInput
from catalog.keys import NodeId
from graph.model import Direction, Want
from policies.transitions import RunState
from web.graphql.connections import Connection
from web.graphql.loaders.datasets import dataset_by_names, dataset_page
from web.graphql.loaders.documents import current_documents, document_page, documents_by_version
from web.graphql.loaders.impact import ImpactRecord, impact
from web.graphql.loaders.jobs import job_by_names, job_page
from web.graphql.loaders.lineage import LineageRecord, lineage
from web.graphql.loaders.pipeline_runs import (
    pipeline_run_between,
    pipeline_run_page,
    pipeline_runs_by_id,
    run_pages_of_names,
)
from web.graphql.loaders.pipelines import REGISTERED, pipeline_page, pipelines_by_name
from web.graphql.loaders.runs import runs_by_id
from web.graphql.loaders.status import StatusRecord
from web.graphql.loaders.versions import versions_by_id
from web.graphql.loaders.webhooks import WebhookRecord, webhook_page, webhooks_by_name
from web.graphql.node_ids import named, run_id, run_id_range
from web.graphql.pages import DEFAULT_FIRST, NESTED_FIRST, Page
from web.graphql.reading_own_writes import WaitsForPosition
from web.graphql.records import (
    DatasetRecord,
    DocumentRecord,
    JobRecord,
    PipelineRecord,
    PipelineRunRecord,
    RunRecord,
    VersionRecord,
)
from web.graphql.request import QueryRequest
from web.graphql.scalars import Long
from web.graphql.types.dataset import Dataset
from web.graphql.types.declaring import input_type, object_type, root_field
from web.graphql.types.document import Document
from web.graphql.types.enums import PipelineState
from web.graphql.types.impact import Impact
from web.graphql.types.job import Job
from web.graphql.types.lineage import Lineage
from web.graphql.types.pipeline import Pipeline
from web.graphql.types.pipeline_run import PipelineRun
from web.graphql.types.run import Run
from web.graphql.types.search import SearchFilter, SearchHits
from web.graphql.types.status import Status
from web.graphql.types.version import DatasetVersion
from web.graphql.types.webhook import Webhook
from web.search.pages import SearchPage, search_page

#: What is told of an affected node without asking for more than its id.
OF_NODE_IDS = frozenset({"__typename", "id", "kind", "distance", "level", "path"})

Info = strawberry.Info[QueryRequest, None]


@input_type
class NameFilter:
    """Which datasets or jobs a list holds."""

    namespace: str | None = strawberry.field(default=None, description="Only of this namespace.")
    search: str | None = strawberry.field(
        default=None, description="Only with this text in the name, in whatever case."
    )


@input_type
class PipelineFilter:
    """Which pipelines a list holds."""

    states: list[PipelineState] | None = strawberry.field(
        default=None, description="Only in these states; without it all that are not deleted."
    )
    search: str | None = strawberry.field(
        default=None, description="Only with this text in the name, in whatever case."
    )


@input_type
class PipelineRunFilter:
    """Which pipeline runs a list holds."""

    pipeline: str | None = strawberry.field(default=None, description="Only of this pipeline.")
    states: list[RunState] | None = strawberry.field(default=None, description="Only in these states.")


@input_type
class DocumentFilter:
    """Which documents a list holds."""

    kind: str | None = strawberry.field(default=None, description="Only of this kind.")
    deleted: bool = strawberry.field(default=False, description="Whether deleted ones are listed too.")


def _position(info: Info) -> int:
    """The ledger position up to which the state is known in this answer."""
    return info.context.snapshot.position


def _dataset(
    info: Info,
    namespace: str | None = None,
    name: str | None = None,
    node_id: strawberry.ID | None = None,
) -> DatasetRecord | None:
    """The dataset of these names or this node id; null where it was never heard of.

    Where colons leave it open what of a node id is namespace and what is name, the longest stored namespace wins.
    """
    return dataset_by_names(info.context, named("dataset", namespace, name, node_id))


def _job(
    info: Info,
    namespace: str | None = None,
    name: str | None = None,
    node_id: strawberry.ID | None = None,
) -> JobRecord | None:
    """The job of these names or this node id, as for datasets. Null where it was never heard of."""
    return job_by_names(info.context, named("job", namespace, name, node_id))


def _run(info: Info, id: strawberry.ID) -> RunRecord | None:  # noqa: A002 - the argument's name in the schema
    """The run with this UUID, or node id run:UUID; a pipeline run that never reported itself is answered too."""
    wanted = run_id(id)
    return runs_by_id(info.context, [wanted]).get(wanted)


def _version(info: Info, id: strawberry.ID) -> VersionRecord | None:  # noqa: A002 - the argument's name in the schema
    """The dataset version with this UUID."""
    wanted = run_id(id)
    return versions_by_id(info.context, [wanted]).get(wanted)


def _pipeline_run(
    info: Info,
    id: strawberry.ID | None = None,  # noqa: A002 - the argument's name in the schema
    id_prefix: str | None = None,
) -> PipelineRunRecord | None:
    """The pipeline run with this UUID, or the one whose UUID begins with these characters, 4 at least.

    Where several begin so, the error names some of them.
    """
    if id_prefix is not None and id is None:
        least, greatest = run_id_range(id_prefix)
        return pipeline_run_between(info.context, least, greatest, prefix=id_prefix)
    if id is None or id_prefix is not None:
        raise InvalidInput("expected either `id` or `idPrefix`")
    wanted = run_id(id)
    return pipeline_runs_by_id(info.context, [wanted]).get(wanted)


def _pipeline(info: Info, name: str) -> PipelineRecord | None:
    """The pipeline of this name, a deleted one too; null where there never was one."""
    return pipelines_by_name(info.context, [name]).get(name)


def _document(info: Info, kind: str, name: str, version: int | None = None) -> DocumentRecord | None:
    """The document of this kind and name, the newest version where no other is asked for."""
    if version is None:
        return current_documents(info.context, [(kind, name)]).get((kind, name))
    key = (kind, name, version)
    return documents_by_version(info.context, [key]).get(key)


def _datasets(
    info: Info,
    first: int = DEFAULT_FIRST,
    after: str | None = None,
    filter: NameFilter | None = None,  # noqa: A002 - the argument's name in the schema
) -> Page[DatasetRecord]:
    """Datasets by namespace and name."""
    chosen = filter or NameFilter()
    return dataset_page(
        info.context, first=first, after=after, namespace=chosen.namespace, search=chosen.search
    )


def _jobs(
    info: Info,
    first: int = DEFAULT_FIRST,
    after: str | None = None,
    filter: NameFilter | None = None,  # noqa: A002 - the argument's name in the schema
) -> Page[JobRecord]:
    """Jobs by namespace and name.

    Those that stand for definitions of datasets, and never run, are listed where their namespace,
    headwater:definitions, is asked for, and nowhere else.
    """
    chosen = filter or NameFilter()
    return job_page(info.context, first=first, after=after, namespace=chosen.namespace, search=chosen.search)


def _pipelines(
    info: Info,
    first: int = DEFAULT_FIRST,
    after: str | None = None,
    filter: PipelineFilter | None = None,  # noqa: A002 - the argument's name in the schema
) -> Page[PipelineRecord]:
    """Pipelines by name."""
    chosen = filter or PipelineFilter()
    states = REGISTERED if chosen.states is None else [state.value for state in chosen.states]
    return pipeline_page(info.context, first=first, after=after, states=states, search=chosen.search)


def _pipeline_runs(
    info: Info,
    first: int = DEFAULT_FIRST,
    after: str | None = None,
    filter: PipelineRunFilter | None = None,  # noqa: A002 - the argument's name in the schema
) -> Page[PipelineRunRecord]:
    """Pipeline runs, those that became due last first."""
    chosen = filter or PipelineRunFilter()
    states = None if chosen.states is None else tuple(state.value for state in chosen.states)
    if chosen.pipeline is not None:
        name = chosen.pipeline
        return run_pages_of_names(info.context, [name], first, after, states)[name]
    return pipeline_run_page(info.context, first=first, after=after, states=states)


def _documents(
    info: Info,
    first: int = DEFAULT_FIRST,
    after: str | None = None,
    filter: DocumentFilter | None = None,  # noqa: A002 - the argument's name in the schema
) -> Page[DocumentRecord]:
    """The newest versions of documents by kind and name."""
    chosen = filter or DocumentFilter()
    return document_page(info.context, first=first, after=after, kind=chosen.kind, deleted=chosen.deleted)


def _lineage(
    info: Info,
    node_id: strawberry.ID,
    direction: Direction = Direction.BOTH,
    depth: int = 20,
    max_nodes: int = 10_000,
) -> LineageRecord:
    """What lies up- or downstream of a dataset or a job, the nearest first.

    At most `depth` edges away (dataset to job is one, an alias none) and at most `maxNodes` nodes. The answer says
    whether that is everything, and where it stopped if not.
    """
    parsed = NodeId.parse(node_id)
    if parsed.kind == "run":
        raise InvalidInput(
            "expected the node id of a dataset or a job: a run has `causes` and `outputs` instead"
        )
    want = Want.IDS
    selected = _selected(info._raw_info)  # noqa: SLF001 - strawberry's own view of the selection costs more than the walk
    if "nodes" in selected:
        want |= Want.NODES
    if "edges" in selected:
        want |= Want.EDGES
    return lineage(info.context, parsed, direction, depth=depth, max_nodes=max_nodes, want=want)


def _impact(info: Info, node_id: strawberry.ID, depth: int = 20, max_nodes: int = 10_000) -> ImpactRecord:
    """What a change of a dataset, a job or a field (datasetField:NAMESPACE:NAME:FIELD) may change, the nearest first.

    Columns count where jobs tell of them: an output in which a field takes no part is not affected by it. Where a job
    does not tell of them, all of its output may be, and so may everything downstream of that. Bounds are those of
    `lineage`.
    """
    parsed = NodeId.parse(node_id)
    if parsed.kind == "run":
        raise InvalidInput("expected the node id of a dataset, a job or a field")
    selected = _selected(info._raw_info)  # noqa: SLF001 - as for lineage
    below = _selected(info._raw_info, "nodes")  # noqa: SLF001 - as for lineage
    want = Want.PATHS if "path" in below else Want.IDS
    if "pipelines" in selected or not below <= OF_NODE_IDS:
        want |= Want.NODES
    return impact(info.context, parsed, depth=depth, max_nodes=max_nodes, want=want)


def _selected(info: GraphQLResolveInfo[QueryRequest], *path: str) -> set[str]:
    """Return the names of the fields selected right below the field, or below those that the path names."""
    fields = list(info.field_nodes)
    for name in path:
        fields = [field for field in _below(info, fields) if field.name.value == name]
    return {field.name.value for field in _below(info, fields)}


def _below(info: GraphQLResolveInfo[QueryRequest], fields: Iterable[FieldNode]) -> list[FieldNode]:
    found: list[FieldNode] = []
    waiting = [node.selection_set for node in fields]
    while waiting:
        selection_set = waiting.pop()
        for selection in () if selection_set is None else selection_set.selections:
            if isinstance(selection, FieldNode):
                found.append(selection)
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                waiting.append(info.fragments[selection.name.value].selection_set)
    return found


def _webhook(info: Info, name: str) -> WebhookRecord | None:
    """The webhook of this name; null where there is none."""
    return webhooks_by_name(info.context, [name]).get(name)


def _webhooks(info: Info, first: int = DEFAULT_FIRST, after: str | None = None) -> Page[WebhookRecord]:
    """Webhooks by name."""
    return webhook_page(info.context, first=first, after=after)


def _search(
    info: Info,
    text: str,
    filters: SearchFilter | None = None,
    first: int = NESTED_FIRST,
    after: str | None = None,
) -> SearchPage:
    """What fits the text by its name, columns, tags, owners or descriptions: datasets, jobs and pipelines.

    A text has words, parted by everything that is neither letter nor digit; each of them must fit, also in different
    places. What fits exactly or by beginnings comes before what fits fuzzily (looked for where less than 100 fit
    better); of each the name before a column, a tag, an owner, a description; of these exact before beginnings, and
    shorter names first. A node id finds what it names, and `*` everything that the filters let through.
    """
    chosen = (filters or SearchFilter()).chosen()
    return search_page(info.context, text, first=first, after=after, filters=chosen)


def _status(info: Info) -> StatusRecord:
    """How Headwater itself stands."""
    return StatusRecord(info.context)


@object_type
class Query:
    """Everything that can be asked. One request reads one snapshot of the database."""

    position = root_field(_position, Long, WaitsForPosition)
    dataset = root_field(_dataset, Dataset | None, WaitsForPosition)
    job = root_field(_job, Job | None, WaitsForPosition)
    run = root_field(_run, Run | None, WaitsForPosition)
    version = root_field(_version, DatasetVersion | None, WaitsForPosition)
    pipeline_run = root_field(_pipeline_run, PipelineRun | None, WaitsForPosition)
    pipeline = root_field(_pipeline, Pipeline | None, WaitsForPosition)
    document = root_field(_document, Document | None, WaitsForPosition)
    datasets = root_field(_datasets, Connection[Dataset], WaitsForPosition)
    jobs = root_field(_jobs, Connection[Job], WaitsForPosition)
    pipelines = root_field(_pipelines, Connection[Pipeline], WaitsForPosition)
    pipeline_runs = root_field(_pipeline_runs, Connection[PipelineRun], WaitsForPosition)
    documents = root_field(_documents, Connection[Document], WaitsForPosition)
    webhook = root_field(_webhook, Webhook | None, WaitsForPosition)
    webhooks = root_field(_webhooks, Connection[Webhook], WaitsForPosition)
    lineage = root_field(_lineage, Lineage, WaitsForPosition)
    impact = root_field(_impact, Impact, WaitsForPosition)
    search = root_field(_search, SearchHits, WaitsForPosition)
    status = root_field(_status, Status, WaitsForPosition)
