"""Decisions: why something was done or left."""

import datetime as dt
import uuid
from dataclasses import dataclass

import strawberry
from strawberry.scalars import JSON

from web.graphql.loaders.decisions import input_datasets, input_versions
from web.graphql.loaders.pipeline_runs import pipeline_runs_of_decisions
from web.graphql.loaders.pipelines import pipelines_of_members
from web.graphql.records import (
    DatasetRecord,
    DecisionRecord,
    PipelineRecord,
    PipelineRunRecord,
    VersionRecord,
)
from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain, resolved
from web.graphql.types.references import DatasetType, DatasetVersionType, PipelineRunType, PipelineType


@dataclass(frozen=True, slots=True)
class DecisionInputRecord:
    """One input that a decision looked at."""

    leaf: int
    sequence: int
    dataset: DatasetRecord | None
    version: VersionRecord | None


@object_type
class DecisionInput:
    """A version that a decision looked at."""

    leaf: int = plain("Which leaf of the condition, counted from 0 in the order of the document.")
    sequence: Long = plain("The version's place in the log of versions.")
    dataset: DatasetType | None = plain("The dataset that the leaf names; null where it was never heard of.")
    version: DatasetVersionType | None = plain("The version.")


def _inputs(root: DecisionRecord) -> list[DecisionInputRecord]:
    """The versions that it looked at."""
    datasets, versions = root.cohort.ask(input_datasets), root.cohort.ask(input_versions)
    return [
        DecisionInputRecord(
            leaf=given["leaf"],
            sequence=given["sequence"],
            dataset=datasets.get(uuid.UUID(given["dataset"])),
            version=versions.get(uuid.UUID(given["version"])),
        )
        for given in root.inputs
    ]


def _pipeline(root: DecisionRecord) -> PipelineRecord | None:
    """The pipeline that it is about."""
    return root.cohort.ask(pipelines_of_members).get(root.pipeline_name)


def _pipeline_run(root: DecisionRecord) -> PipelineRunRecord | None:
    """The pipeline run that it is about; null where it made none."""
    return None if root.run_id is None else root.cohort.ask(pipeline_runs_of_decisions).get(root.run_id)


@object_type
class Decision:
    """A stored verdict with the identity of every rule and every input that it looked at."""

    id: strawberry.ID = plain("Its UUID.")
    verdict: str = plain("Such as start, absorb or hold.")
    reason: str = plain("Why, for people.")
    rules: JSON = plain(
        "The rules that it applied: the document and its version, limits, and what was found."
    )
    position: Long = plain("Ledger position of the fact that it answers.")
    at: dt.datetime = plain("The instant that it was made for.")
    inputs = resolved(_inputs, list[DecisionInput])
    pipeline = resolved(_pipeline, PipelineType | None)
    pipeline_run = resolved(_pipeline_run, PipelineRunType | None)
