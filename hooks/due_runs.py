"""What an attempt is told of the pipeline run that it is for: its document, and the versions that made it due."""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from catalog.documents.pipeline import Pipeline
from catalog.forms import stored
from catalog.keys import HEADWATER_NAMESPACE
from catalog.queries import load_queries

QUERIES = load_queries(Path(__file__).with_name("due_runs.sql"))


@dataclass(frozen=True, slots=True)
class DueRun:
    """A pipeline run as its attempts see it, every one the same.

    The versions are in the order in which they were consumed; `reason` says why the run is due.
    """

    run_id: uuid.UUID
    pipeline: str
    number: int
    due_position: int
    due_at: dt.datetime
    cause: str
    reason: str
    document: Pipeline
    versions: Sequence[Mapping[str, Any]]

    @property
    def openlineage_namespace(self) -> str:
        """The namespace in which the run's jobs report."""
        job = self.document.spec.job
        return job.namespace if job else HEADWATER_NAMESPACE

    def trigger(self, attempt: int) -> dict[str, Any]:
        """Return what an attempt is told, as JSON has it but for instants and UUIDs."""
        return {
            "run": self.run_id,
            "pipeline": self.pipeline,
            "number": self.number,
            "attempt": attempt,
            "cause": self.cause,
            "reason": self.reason,
            "dueAt": self.due_at,
            "duePosition": self.due_position,
            "versions": list(self.versions),
        }


def read_due_runs(
    connection: psycopg.Connection[Any], run_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, DueRun]:
    """Return the runs by their ids; each has the document that was current where it became due."""
    parameters = {"runs": list(run_ids)}
    versions: dict[uuid.UUID, list[dict[str, Any]]] = {run_id: [] for run_id in run_ids}
    for run_id, namespace, name, version, partition, time, rows, size, producer in connection.execute(
        QUERIES["consumed"], parameters
    ):
        versions[run_id].append(
            {
                "dataset": {"namespace": namespace, "name": name},
                "version": version,
                "partition": partition,
                "time": time,
                "rows": rows,
                "bytes": size,
                "run": producer,
            }
        )
    return {
        run_id: DueRun(
            run_id,
            pipeline,
            number,
            due_position,
            due_at,
            cause,
            reason,
            stored(Pipeline, body),
            versions[run_id],
        )
        for run_id, pipeline, number, due_position, due_at, cause, reason, body in connection.execute(
            QUERIES["runs"], parameters
        )
    }
