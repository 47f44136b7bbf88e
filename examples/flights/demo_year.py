"""The runs of one demo, and what must hold of them once the year is through."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MONTHS = [f"2013-{month:02}" for month in range(1, 13)]
RAW = "dataset:duckdb://data/warehouse.duckdb:warehouse.raw.flights"
MART = "dataset:duckdb://data/warehouse.duckdb:warehouse.marts.carrier_performance"
LOAD, DBT, PAGE = "flights_load", "flights_dbt", "flights_report"


@dataclass(frozen=True)
class Version:
    """A version that a run consumed or made."""

    id: str
    dataset: str | None = None
    partition: str | None = None


@dataclass(frozen=True)
class PipelineRun:
    """One run as the server tells it; times are UTC."""

    id: str
    pipeline: str
    number: int
    state: str
    reason: str
    attempts: int
    due_at: datetime
    slot_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    consumed: tuple[Version, ...]
    made: tuple[Version, ...]

    @classmethod
    def of(cls, node: dict[str, Any]) -> "PipelineRun":
        """Return the run of a node of the answer."""
        slots = [step["at"] for step in node["transitions"] if step["toState"].lower() == "queued"]
        return cls(
            id=node["id"],
            pipeline=node["pipelineName"],
            number=int(node["number"]),
            state=node["state"].lower(),
            reason=node["reason"],
            attempts=node["attempt"],
            due_at=datetime.fromisoformat(node["dueAt"]),
            slot_at=_instant(slots[0] if slots else None),
            started_at=_instant(node["startedAt"]),
            ended_at=_instant(node["endedAt"]),
            consumed=tuple(
                Version(version["id"], partition=version["partition"])
                for version in node["consumedVersions"]["nodes"]
            ),
            made=tuple(
                Version(version["id"], dataset=(version["dataset"] or {}).get("id"))
                for version in node["outputs"]["nodes"]
            ),
        )

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.ended_at is not None

    @property
    def start_milliseconds(self) -> float | None:
        """From the instant when it was due and had a slot to its first instruction; None before that."""
        if self.started_at is None:
            return None
        return 1000 * (self.started_at - (self.slot_at or self.due_at)).total_seconds()


@dataclass
class Year:
    """The runs of this demo, and the versions that they made: all that was not there when it began."""

    earlier: Sequence[PipelineRun]
    runs: list[PipelineRun] = field(default_factory=list)

    def take(self, runs: Sequence[PipelineRun]) -> None:
        """Keep those of all runs that belong to this demo."""
        earlier = {run.id for run in self.earlier}
        self.runs = [run for run in runs if run.id not in earlier]

    def of(self, pipeline: str) -> list[PipelineRun]:
        """Return the runs of one pipeline, oldest first."""
        return sorted((run for run in self.runs if run.pipeline == pipeline), key=lambda run: run.number)

    def made(self, pipeline: str, dataset: str | None = None) -> list[str]:
        """Return the ids of the versions that a pipeline made, of one dataset or of all, each once."""
        known = {version.id for run in self.earlier for version in run.made}
        versions = [version for run in self.of(pipeline) for version in run.made]
        wanted = [version.id for version in versions if dataset is None or version.dataset == dataset]
        return [version for version in dict.fromkeys(wanted) if version not in known]

    def consumed(self, pipeline: str) -> list[str]:
        """Return the ids of the versions that a pipeline consumed, each as often as it was consumed."""
        return [version.id for run in self.of(pipeline) for version in run.consumed]

    def faults(self) -> list[str]:
        """Return what is not as it must be; nothing once the whole year is through."""
        found = [
            f"{run.pipeline} {run.number} is {run.state} after {run.attempts} attempts: {run.reason}"
            for run in self.runs
            if run.state != "succeeded" or run.attempts != 1
        ]
        months = sorted(version.partition or "" for run in self.of(LOAD) for version in run.consumed)
        if months != MONTHS or len(self.of(LOAD)) != len(MONTHS):
            found.append(
                f"expected one run of {LOAD} for each of 12 months, found {', '.join(months) or 'none'}"
            )
        for pipeline, made in ((DBT, self.made(LOAD)), (PAGE, self.made(DBT, MART))):
            if not made or Counter(self.consumed(pipeline)) != Counter(made):
                found.append(
                    f"expected {pipeline} to consume each of {len(made)} versions once, "
                    f"found {len(self.consumed(pipeline))} consumed"
                )
        built, reported = self.made(DBT, MART), self.of(PAGE)
        if built and (not reported or built[-1] not in {version.id for version in reported[-1].consumed}):
            found.append(f"expected the last run of {PAGE} to consume the last mart")
        return found


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
