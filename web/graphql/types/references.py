"""Names of types for modules that would otherwise import each other: the schema has circles, its modules have none."""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from web.graphql.types.dataset import Dataset
    from web.graphql.types.decision import Decision
    from web.graphql.types.document import Document
    from web.graphql.types.fact import Fact
    from web.graphql.types.job import Job
    from web.graphql.types.pipeline import Pipeline
    from web.graphql.types.pipeline_run import PipelineRun
    from web.graphql.types.run import Run
    from web.graphql.types.version import DatasetVersion

DatasetType = Annotated["Dataset", strawberry.lazy("web.graphql.types.dataset")]
DatasetVersionType = Annotated["DatasetVersion", strawberry.lazy("web.graphql.types.version")]
DecisionType = Annotated["Decision", strawberry.lazy("web.graphql.types.decision")]
DocumentType = Annotated["Document", strawberry.lazy("web.graphql.types.document")]
FactType = Annotated["Fact", strawberry.lazy("web.graphql.types.fact")]
JobType = Annotated["Job", strawberry.lazy("web.graphql.types.job")]
PipelineType = Annotated["Pipeline", strawberry.lazy("web.graphql.types.pipeline")]
PipelineRunType = Annotated["PipelineRun", strawberry.lazy("web.graphql.types.pipeline_run")]
RunType = Annotated["Run", strawberry.lazy("web.graphql.types.run")]
