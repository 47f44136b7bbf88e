"""What the Python steps of this example report to OpenLineage.

Where the events go is OpenLineage's own setting: `OPENLINEAGE_URL`. Without it they are logged, which
`OPENLINEAGE_CLIENT_LOGGING=INFO` shows. Whoever starts a step may name itself as its parent in
`OPENLINEAGE_PARENT_ID` (`namespace/job/run id`).
"""

import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from openlineage.client.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    documentation_job,
    error_message_run,
    job_type_job,
    parent_run,
    schema_dataset,
    set_producer,
)
from openlineage.client.uuid import generate_new_uuid

#: As dbt-ol derives it from `path` in dbt/profiles.yml; tables are named DATABASE.SCHEMA.TABLE.
WAREHOUSE = "duckdb://data/warehouse.duckdb"
DATABASE = "warehouse"

#: Who made the events; put the address of your own code here.
PRODUCER = "https://example.org/flights"
set_producer(PRODUCER)


@dataclass
class ReportedRun:
    """Datasets that a step has read and written so far; the last event names them all."""

    inputs: list[InputDataset] = field(default_factory=list)
    outputs: list[OutputDataset] = field(default_factory=list)


@contextmanager
def reported_run(name: str, description: str, inputs: Sequence[InputDataset] = ()) -> Iterator[ReportedRun]:
    """Report a START, then COMPLETE with all outputs, or FAIL where the step raised; what it raised goes on.

    An event that cannot be delivered raises as well: a step that nobody heard of has not been done.
    """
    client = OpenLineageClient()
    run_id = str(generate_new_uuid())
    reported = ReportedRun(inputs=list(inputs))
    job_facets: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="PYTHON", jobType="SCRIPT"
        ),
        "documentation": documentation_job.DocumentationJobFacet(description=description),
    }
    job = Job(namespace=os.environ.get("OPENLINEAGE_NAMESPACE", "flights"), name=name, facets=job_facets)

    def emit(state: RunState, outputs: list[OutputDataset], facets: dict[str, RunFacet]) -> None:
        client.emit(
            RunEvent(
                eventType=state,
                eventTime=datetime.now(UTC).isoformat(),
                run=Run(runId=run_id, facets=_parent() | facets),
                job=job,
                inputs=reported.inputs,
                outputs=outputs,
                producer=PRODUCER,
            )
        )

    try:
        emit(RunState.START, [], {})
        try:
            yield reported
        except BaseException as error:
            message = error_message_run.ErrorMessageRunFacet(
                message=repr(error), programmingLanguage="PYTHON", stackTrace=traceback.format_exc()
            )
            emit(RunState.FAIL, reported.outputs, {"errorMessage": message})
            raise
        emit(RunState.COMPLETE, reported.outputs, {})
    finally:
        client.close()


def schema_facet(columns: Sequence[tuple[str, str]]) -> schema_dataset.SchemaDatasetFacet:
    """Return the facet that names columns and their types."""
    return schema_dataset.SchemaDatasetFacet(
        fields=[schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in columns]
    )


def _parent() -> dict[str, RunFacet]:
    parent = _run_of("OPENLINEAGE_PARENT_ID")
    if parent is None:
        return {}
    root = _run_of("OPENLINEAGE_ROOT_PARENT_ID") or parent
    return {
        "parent": parent_run.ParentRunFacet(
            run=parent_run.Run(runId=parent.run_id),
            job=parent_run.Job(namespace=parent.namespace, name=parent.name),
            root=parent_run.Root(
                run=parent_run.RootRun(runId=root.run_id),
                job=parent_run.RootJob(namespace=root.namespace, name=root.name),
            ),
        )
    }


@dataclass(frozen=True)
class _RunName:
    namespace: str
    name: str
    run_id: str


def _run_of(variable: str) -> _RunName | None:
    text = os.environ.get(variable)
    if not text:
        return None
    namespace, _, rest = text.partition("/")
    name, _, run_id = rest.rpartition("/")
    if not (namespace and name and run_id):
        raise ValueError(f"expected {variable} in the form namespace/job/run id, found {text!r}")
    return _RunName(namespace, name, run_id)
