"""What Marquez answers, as its specification and its server have it; members that only Headwater has say so."""

import datetime as dt
import uuid
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

#: Facets by name, as producers sent them.
Facets = dict[str, dict[str, Any]]
RunState = Literal["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"]
DatasetTypeName = Literal["DB_TABLE", "STREAM"]
JobTypeName = Literal["BATCH", "STREAM", "SERVICE"]
NodeTypeName = Literal["DATASET", "JOB"]


class Name(TypedDict):
    """Namespace and name of a dataset or a job."""

    namespace: str
    name: str


class NamedVersion(TypedDict):
    """A version of a dataset or a job."""

    namespace: str
    name: str
    version: uuid.UUID


class Namespace(TypedDict):
    """A namespace; `updatedAt` is when something in it was last heard of for the first time."""

    name: str
    createdAt: dt.datetime
    updatedAt: dt.datetime
    ownerName: str
    description: str | None
    isHidden: bool


class NamespaceList(TypedDict):
    """Namespaces by name."""

    namespaces: list[Namespace]


class Source(TypedDict):
    """Where datasets are: each namespace that has datasets is one."""

    type: str
    name: str
    createdAt: dt.datetime
    updatedAt: dt.datetime
    connectionUrl: str
    description: str | None


class SourceList(TypedDict):
    """Sources by name."""

    sources: list[Source]


class Tag(TypedDict):
    """A tag that a producer put on a dataset, a column or a job."""

    name: str
    description: str | None


class TagList(TypedDict):
    """Tags by name."""

    tags: list[Tag]


class Field(TypedDict):
    """A column as the producer described it."""

    name: str
    type: str | None
    tags: list[str]
    description: str | None


class InputField(TypedDict):
    """A column that another one comes from."""

    namespace: str
    dataset: str
    field: str
    transformationDescription: str | None
    transformationType: str | None


class ColumnLineage(TypedDict):
    """Where a column comes from."""

    name: str
    inputFields: list[InputField]


class DatasetVersionOfRun(TypedDict):
    """A version that a run read or wrote, with the facets that the dataset has as its input or its output."""

    datasetVersionId: NamedVersion
    facets: NotRequired[Facets]


class Run(TypedDict):
    """A run. In a lineage graph it has neither nominal times nor versions nor facets: the run itself has them.

    A run that told more events than are read for one answer is told without its facets too.
    """

    id: uuid.UUID
    createdAt: dt.datetime
    updatedAt: dt.datetime
    nominalStartTime: NotRequired[dt.datetime | None]
    nominalEndTime: NotRequired[dt.datetime | None]
    state: RunState
    startedAt: dt.datetime | None
    endedAt: dt.datetime | None
    durationMs: int | None
    args: dict[str, str]
    jobVersion: NamedVersion | None
    inputDatasetVersions: NotRequired[list[DatasetVersionOfRun]]
    outputDatasetVersions: NotRequired[list[DatasetVersionOfRun]]
    facets: NotRequired[Facets]


class RunList(TypedDict):
    """Runs of a job, latest first."""

    runs: list[Run]
    totalCount: int


class Dataset(TypedDict):
    """A dataset. In a lineage graph it has no facets: the dataset itself has them."""

    id: Name
    type: DatasetTypeName
    name: str
    physicalName: str
    createdAt: dt.datetime
    updatedAt: dt.datetime
    namespace: str
    sourceName: str
    fields: list[Field]
    tags: list[str]
    lastModifiedAt: dt.datetime | None
    lastLifecycleState: str | None
    description: str | None
    currentVersion: uuid.UUID | None
    columnLineage: NotRequired[list[ColumnLineage] | None]
    facets: NotRequired[Facets]
    deleted: bool


class DatasetList(TypedDict):
    """Datasets by name."""

    datasets: list[Dataset]
    totalCount: int


class DatasetVersion(TypedDict):
    """A version of a dataset; `state` is Headwater's: pending, published, partial, disputed or another."""

    id: NamedVersion
    type: DatasetTypeName
    name: str
    physicalName: str
    createdAt: dt.datetime
    version: uuid.UUID
    namespace: str
    sourceName: str
    fields: list[Field]
    tags: list[str]
    lifecycleState: str | None
    description: str | None
    currentSchemaVersion: uuid.UUID | None
    createdByRun: Run | None
    facets: Facets
    state: str


class DatasetVersionList(TypedDict):
    """Versions of a dataset, latest first."""

    versions: list[DatasetVersion]
    totalCount: int


class Job(TypedDict):
    """A job. In a lineage graph it has no facets: the job itself has them."""

    id: Name
    type: JobTypeName
    name: str
    simpleName: str
    parentJobName: str | None
    parentJobUuid: uuid.UUID | None
    createdAt: dt.datetime
    updatedAt: dt.datetime
    namespace: str
    inputs: list[Name]
    outputs: list[Name]
    location: str | None
    description: str | None
    latestRun: Run | None
    latestRuns: NotRequired[list[Run]]
    facets: NotRequired[Facets]
    currentVersion: uuid.UUID | None
    labels: list[str]
    tags: list[str]


class JobList(TypedDict):
    """Jobs by namespace and name."""

    jobs: list[Job]
    totalCount: int


class DatasetFacets(TypedDict):
    """The facets of a dataset in one run; only its inputs have `inputFacets`, only its outputs `outputFacets`."""

    namespace: str
    name: str
    facets: Facets
    inputFacets: NotRequired[Facets]
    outputFacets: NotRequired[Facets]


class DatasetsFacets(TypedDict):
    """The facets of the datasets of one run."""

    inputs: list[DatasetFacets]
    outputs: list[DatasetFacets]


class RunFacets(TypedDict):
    """Facets of a run or its job, or (in Headwater) of its datasets."""

    runId: uuid.UUID
    facets: Facets | DatasetsFacets


class GraphEdge(TypedDict):
    """An edge between two node ids, as data moves."""

    origin: str
    destination: str


class GraphNode(TypedDict):
    """A dataset or a job with the edges of this answer that enter and leave it."""

    id: str
    type: NodeTypeName
    data: Dataset | Job | None
    inEdges: list[GraphEdge]
    outEdges: list[GraphEdge]


class Completeness(TypedDict):
    """Whether an answer is the whole one, and at which node ids it stopped if not."""

    complete: bool
    reason: str | None
    frontier: list[str]


class LineageGraph(TypedDict):
    """What lies up- and downstream of a node, nearest first; `completeness` is Headwater's."""

    graph: list[GraphNode]
    completeness: Completeness


class Transformation(TypedDict):
    """How a column takes part in another: DIRECT or INDIRECT, and what else is said of it."""

    type: str
    subtype: str
    description: str
    masking: bool


class InputFieldData(InputField):
    """A column that another one comes from; `transformations` is Headwater's: all that the producer says of how."""

    datasetVersion: uuid.UUID | None
    transformations: list[Transformation]


class ColumnData(TypedDict):
    """A column and what it comes from; type and description are those of the first input that has one.

    Inputs on which it depends as every column does (a filter, a join) come last in that.
    """

    namespace: str
    dataset: str
    datasetVersion: uuid.UUID | None
    field: str
    fieldType: str
    transformationDescription: str | None
    transformationType: str | None
    inputFields: list[InputFieldData]


class ColumnNode(TypedDict):
    """A column with the edges of this answer; as in Marquez, `inEdges` go from the column to what it comes from."""

    id: str
    type: Literal["DATASET_FIELD"]
    data: ColumnData
    inEdges: list[GraphEdge]
    outEdges: list[GraphEdge]


class ColumnLineageGraph(TypedDict):
    """Which columns come from which, nearest first; `completeness` is Headwater's."""

    graph: list[ColumnNode]
    completeness: Completeness


class SearchResult(TypedDict):
    """A dataset or a job that was found; `match` is Headwater's: EXACT, PREFIX or FUZZY."""

    type: NodeTypeName
    name: str
    updatedAt: dt.datetime
    namespace: str
    nodeId: str
    match: str


class SearchResultList(TypedDict):
    """What was found, the best match first; `totalCount` counts this answer, as Marquez's does.

    `complete`, which Marquez does not say, tells whether that is all; else `reason` says why not: LIMIT, or as GraphQL.
    """

    totalCount: int
    results: list[SearchResult]
    complete: bool
    reason: str | None


class LineageEventList(TypedDict):
    """OpenLineage events as they were received, secrets redacted."""

    events: list[dict[str, Any]]
    totalCount: NotRequired[int]


class IntervalMetric(TypedDict):
    """How many there were at the end of an interval."""

    startInterval: dt.datetime
    endInterval: dt.datetime
    count: int


class LineageMetric(TypedDict):
    """How many runs started and ended in an interval, by how they ended."""

    startInterval: dt.datetime
    endInterval: dt.datetime
    fail: int
    start: int
    complete: int
    abort: int
