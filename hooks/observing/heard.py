"""What a batch says, read once, and everything that it names."""

import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

import orjson

from catalog.facts import OPENLINEAGE_KINDS, FactKind
from catalog.keys import DatasetKey, JobKey
from catalog.ledger import Fact
from catalog.openlineage.definition import definition_job
from catalog.openlineage.events import (
    DatasetEvent,
    DatasetLineage,
    DatasetReference,
    JobEvent,
    RunEvent,
    StatedFacets,
    parse_event,
)
from catalog.openlineage.facets import Columns


@dataclass(frozen=True, slots=True)
class VersionReport:
    """What somebody says about a new version of a dataset (`catalog.facts.version_report`)."""

    dataset: DatasetKey
    partition: str | None
    time: dt.datetime
    row_count: int | None
    byte_count: int | None
    content_digest: str | None
    key: str

    @classmethod
    def of(cls, body: bytes) -> "VersionReport":
        """Return what the body of the fact says."""
        report = orjson.loads(body)
        return cls(
            dataset=DatasetKey(report["namespace"], report["name"]),
            partition=report["partition"],
            time=dt.datetime.fromisoformat(report["time"]),
            row_count=report["rows"],
            byte_count=report["bytes"],
            content_digest=report["digest"],
            key=report["key"],
        )


@dataclass(frozen=True, slots=True)
class Heard:
    """A fact with what it says, the datasets of which it says something, and what its lineage facets name besides."""

    fact: Fact
    statement: RunEvent | DatasetEvent | JobEvent | VersionReport
    references: Sequence[DatasetReference]
    named_datasets: Collection[DatasetKey] = ()
    named_jobs: Collection[JobKey] = ()

    @classmethod
    def of(cls, fact: Fact) -> "Heard":
        """Return what the fact says, which must be of a kind that is heard."""
        if fact.kind == FactKind.VERSION_REPORT:
            return cls(fact, VersionReport.of(fact.body), ())
        event = parse_event(fact.body, fact.digest)
        references: Sequence[DatasetReference]
        if isinstance(event, DatasetEvent):
            references, entries = (event.dataset,), None
        else:
            references, entries = (*event.inputs, *event.outputs), event.job_facets.get("lineage")
        return cls(fact, event, references, *_named(references, entries, event.columns))


def _named(
    references: Iterable[DatasetReference], entries: list[list[Any]] | None, columns: Columns
) -> tuple[list[DatasetKey], list[JobKey]]:
    """Return the datasets and jobs that facets name: lineage, and former names.

    They are seen whatever becomes of the run's lineage: what else is heard of it, and when, must not matter.
    """
    lineages = [reference.lineage for reference in references if reference.lineage is not None]
    datasets = {reference.renamed_from for reference in references if reference.renamed_from is not None}
    jobs = set[JobKey]()
    for kind, namespace, name, sources in entries or ():
        lineages.append(DatasetLineage.of(sources))
        if kind == "DATASET":
            datasets.add(DatasetKey(namespace, name))
        elif namespace is not None:
            jobs.add(JobKey(namespace, name))
    for lineage in lineages:
        datasets.update(lineage.datasets)
        jobs.update(lineage.jobs)
    datasets.update(*(lineage.sources for lineage in columns.values()))
    # The order in which they are seen is that of the observations.
    return sorted(datasets), sorted(jobs)


def heard_in(facts: Iterable[Fact]) -> list[Heard]:
    """Return those of the facts that say something about the world, in their order."""
    return [
        Heard.of(fact)
        for fact in facts
        if fact.kind in OPENLINEAGE_KINDS or fact.kind == FactKind.VERSION_REPORT
    ]


@dataclass(frozen=True, slots=True)
class Names:
    """Identities of everything that a batch names.

    `aliased` are the datasets for which it names an alias, `renamed` those with a former name, `described_…` those of
    which it states facets.
    """

    runs: set[uuid.UUID] = field(default_factory=set)
    parents: set[uuid.UUID] = field(default_factory=set)
    jobs: set[uuid.UUID] = field(default_factory=set)
    datasets: set[uuid.UUID] = field(default_factory=set)
    aliased: set[uuid.UUID] = field(default_factory=set)
    renamed: set[uuid.UUID] = field(default_factory=set)
    described_datasets: set[uuid.UUID] = field(default_factory=set)
    described_jobs: set[uuid.UUID] = field(default_factory=set)

    @classmethod
    def of(cls, batch: Iterable[Heard]) -> "Names":
        """Return what the batch names."""
        names = cls()
        for heard in batch:
            match heard.statement:
                case RunEvent() as event:
                    names.runs.add(event.run_id)
                    names._add_job(event.job, event.stated)
                    if (parent := event.parent) is not None:
                        names.parents.add(parent.run.run_id)
                        names.jobs.add(parent.run.job.id)
                case JobEvent() as event:
                    names._add_job(event.job, event.stated)
                case DatasetEvent() as event:
                    names.described_datasets.update(key.id for key in event.stated.datasets)
                    if event.defines:
                        names.jobs.add(definition_job(event.dataset.key).id)
                case VersionReport() as report:
                    names.datasets.add(report.dataset.id)
                case _:
                    assert_never(heard.statement)
            names._add_references(heard.references)
            names.datasets.update(key.id for key in heard.named_datasets)
            names.jobs.update(key.id for key in heard.named_jobs)
        return names

    def _add_job(self, job: JobKey, stated: StatedFacets) -> None:
        self.jobs.add(job.id)
        if stated.job:
            self.described_jobs.add(job.id)
        self.described_datasets.update(key.id for key in stated.datasets)

    def _add_references(self, references: Iterable[DatasetReference]) -> None:
        for reference in references:
            self.datasets.add(reference.key.id)
            if reference.renamed_from is not None:
                self.renamed.add(reference.key.id)
            if reference.aliases:
                self.aliased.add(reference.key.id)
                aliases = [alias.key.id for alias in reference.aliases]
                self.datasets.update(aliases)
                self.aliased.update(aliases)
