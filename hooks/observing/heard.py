"""What a batch says, read once, and everything that it names."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import orjson

from catalog.facts import OPENLINEAGE_KINDS, FactKind
from catalog.keys import DatasetKey
from catalog.ledger import Fact
from catalog.openlineage.events import DatasetEvent, DatasetReference, JobEvent, RunEvent, parse_event


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
    """A fact with what it says, and the datasets of which it says something."""

    fact: Fact
    statement: RunEvent | DatasetEvent | JobEvent | VersionReport
    references: Sequence[DatasetReference]

    @classmethod
    def of(cls, fact: Fact) -> "Heard":
        """Return what the fact says, which must be of a kind that is heard."""
        if fact.kind == FactKind.VERSION_REPORT:
            return cls(fact, VersionReport.of(fact.body), ())
        event = parse_event(fact.body, fact.digest)
        if isinstance(event, DatasetEvent):
            return cls(fact, event, (event.dataset,))
        return cls(fact, event, (*event.inputs, *event.outputs))


def heard_in(facts: Iterable[Fact]) -> list[Heard]:
    """Return those of the facts that say something about the world, in their order."""
    return [
        Heard.of(fact)
        for fact in facts
        if fact.kind in OPENLINEAGE_KINDS or fact.kind == FactKind.VERSION_REPORT
    ]


@dataclass(frozen=True, slots=True)
class Names:
    """Identities of everything that a batch names; `aliased` are the datasets for which it names an alias."""

    runs: set[uuid.UUID] = field(default_factory=set)
    parents: set[uuid.UUID] = field(default_factory=set)
    jobs: set[uuid.UUID] = field(default_factory=set)
    datasets: set[uuid.UUID] = field(default_factory=set)
    aliased: set[uuid.UUID] = field(default_factory=set)

    @classmethod
    def of(cls, batch: Iterable[Heard]) -> "Names":
        """Return what the batch names."""
        names = cls()
        for heard in batch:
            match heard.statement:
                case RunEvent() as event:
                    names.runs.add(event.run_id)
                    names.jobs.add(event.job.id)
                    if (parent := event.parent) is not None:
                        names.parents.add(parent.run.run_id)
                        names.jobs.add(parent.run.job.id)
                case JobEvent() as event:
                    names.jobs.add(event.job.id)
                case DatasetEvent():
                    pass
                case VersionReport() as report:
                    names.datasets.add(report.dataset.id)
                case _:
                    assert_never(heard.statement)
            names._add_references(heard.references)
        return names

    def _add_references(self, references: Iterable[DatasetReference]) -> None:
        for reference in references:
            self.datasets.add(reference.key.id)
            if reference.aliases:
                self.aliased.add(reference.key.id)
                aliases = [alias.key.id for alias in reference.aliases]
                self.datasets.update(aliases)
                self.aliased.update(aliases)
