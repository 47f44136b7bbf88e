"""What subscribers are told."""

import datetime as dt

from web.graphql.loaders.changes import (
    RunChangeRecord,
    VersionChangeRecord,
    runs_of_changes,
    versions_of_changes,
)
from web.graphql.records import PipelineRunRecord, VersionRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.enums import DatasetVersionState
from web.graphql.types.pipeline_run import PipelineRun, Transition
from web.graphql.types.version import DatasetVersion


def _pipeline_run(root: RunChangeRecord) -> PipelineRunRecord:
    """The run as it stands now, which may be further on."""
    return root.cohort.ask(runs_of_changes)[root.moved.run_id]


@object_type
class PipelineRunChange:
    """A pipeline run went from one state to another."""

    cursor: Long = plain(
        "Give it as `after` to go on after this one, at any server, however long afterwards."
    )
    position: Long = plain("Ledger position of the fact that moved it.")
    transition: Transition = plain("The move.")
    pipeline_run = resolved(_pipeline_run, PipelineRun)


def _version(root: VersionChangeRecord) -> VersionRecord:
    """The version as it stands now."""
    return root.cohort.ask(versions_of_changes)[root.changed.version_id]


@object_type
class VersionAdded:
    """A version of a dataset became known, or something else than it was."""

    cursor: Long = plain(
        "Give it as `after` to go on after this one, at any server, however long afterwards."
    )
    position: Long = plain("Ledger position of the fact that told of it.")
    state: DatasetVersionState = plain("What it became.")
    at: dt.datetime = plain("When the fact was received.")
    version = resolved(_version, DatasetVersion)
