"""What one transaction of stage 1 works on: rows read for the whole batch, changed in memory, written once."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg

from catalog.keys import DatasetKey, JobKey
from catalog.observations import (
    AliasObserved,
    DatasetObserved,
    JobObserved,
    Observed,
    ParentObserved,
    encode_observed,
)
from catalog.openlineage.merge import MergedRun
from catalog.openlineage.shape import Shape
from catalog.queries import load_queries
from hooks.deciding.records import VersionEvent
from hooks.observing.memory import Memory, ShapePoint
from hooks.observing.versions import VersionRow

QUERIES = load_queries(Path(__file__).with_name("observing.sql"))
VERSION_FIELDS = tuple(f.name for f in dataclasses.fields(VersionRow))


@dataclass(slots=True)
class RunRow:
    """A run as it is known; `merged` is None for one that only its children name."""

    id: uuid.UUID
    job_id: uuid.UUID
    parent_run_id: uuid.UUID | None
    root_run_id: uuid.UUID
    position: int
    bounded_at: dt.datetime | None
    merged: MergedRun


@dataclass(slots=True)
class _NewVersionEvent:
    position: int
    at: dt.datetime
    kind: str
    version_id: uuid.UUID
    dataset_ids: tuple[uuid.UUID, ...]
    run_ids: tuple[uuid.UUID, ...]


@dataclass(slots=True)
class WorkingSet:
    """Rows in memory for one batch."""

    connection: psycopg.Connection[Any]
    memory: Memory
    runs: dict[uuid.UUID, RunRow] = field(default_factory=dict)
    versions: dict[uuid.UUID, VersionRow | None] = field(default_factory=dict)
    _children: dict[uuid.UUID, set[uuid.UUID]] = field(default_factory=dict)
    _dirty_runs: set[uuid.UUID] = field(default_factory=set)
    _dirty_versions: set[uuid.UUID] = field(default_factory=set)
    _new_datasets: dict[uuid.UUID, tuple[DatasetKey, dt.datetime, int]] = field(default_factory=dict)
    _new_jobs: dict[uuid.UUID, tuple[JobKey, dt.datetime, int]] = field(default_factory=dict)
    _new_shapes: dict[bytes, Shape] = field(default_factory=dict)
    _new_points: dict[tuple[uuid.UUID, dt.datetime, uuid.UUID], bytes] = field(default_factory=dict)
    _moved_jobs: set[uuid.UUID] = field(default_factory=set)
    _new_schemas: dict[str, Any] = field(default_factory=dict)
    _new_aliases: dict[tuple[uuid.UUID, uuid.UUID], tuple[str, dt.datetime]] = field(default_factory=dict)
    _moved_classes: set[uuid.UUID] = field(default_factory=set)
    _new_parents: dict[tuple[uuid.UUID, uuid.UUID], dt.datetime] = field(default_factory=dict)
    _makers: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)
    _events: list[_NewVersionEvent] = field(default_factory=list)
    _observations: list[tuple[int, str, bytes]] = field(default_factory=list)

    # Reading ---------------------------------------------------------------------------------------------

    def load(
        self,
        *,
        run_ids: set[uuid.UUID],
        parent_ids: set[uuid.UUID],
        datasets: set[uuid.UUID],
        jobs: set[uuid.UUID],
        aliased: set[uuid.UUID],
        written: set[uuid.UUID],
    ) -> None:
        """Read what is not remembered of everything that the batch names."""
        wanted = run_ids | parent_ids
        if wanted:
            self._load_runs("runs", {"ids": list(wanted)})
        unseen = [found for found in run_ids if found not in self.runs]
        if unseen:
            # Children may have come before their parents.
            self._load_runs("children", {"ids": unseen})
        self.load_entities(datasets, jobs)
        unknown = [found for found in aliased if found not in self.memory.aliases]
        if unknown:
            self.memory.aliases.update((found, {}) for found in unknown)
            for dataset, alias, since, type_ in self.connection.execute(QUERIES["aliases"], {"ids": unknown}):
                self.memory.aliases[dataset][alias] = (since, type_)
        unknown = [found for found in written | aliased if found not in self.memory.classes]
        if unknown:
            self._load_classes(unknown)

    def load_entities(self, datasets: set[uuid.UUID], jobs: set[uuid.UUID]) -> None:
        """Read which of these datasets and jobs exist."""
        unknown = list(datasets - self.memory.datasets)
        if unknown:
            found = self.connection.execute(QUERIES["known_datasets"], {"ids": unknown}).fetchall()
            self.memory.datasets.update(row[0] for row in found)
        unknown = [job for job in jobs if job not in self.memory.jobs]
        if unknown:
            for job, at, tiebreak, hash_ in self.connection.execute(QUERIES["jobs"], {"ids": unknown}):
                self.memory.jobs[job] = None if at is None else ShapePoint(at, tiebreak, hash_)
            self.memory.parents.update((job, {}) for job in unknown)
            for job, parent, since in self.connection.execute(QUERIES["parents"], {"ids": unknown}):
                self.memory.parents[job][parent] = since

    def _load_classes(self, datasets: list[uuid.UUID]) -> None:
        members: dict[uuid.UUID, set[uuid.UUID]] = {dataset: {dataset} for dataset in datasets}
        for dataset, member in self.connection.execute(QUERIES["classes"], {"ids": datasets}):
            members[dataset].add(member)
        for found in members.values():
            shared = frozenset(found)
            self.memory.classes.update(dict.fromkeys(shared, shared))

    def _load_runs(self, query: str, parameters: Mapping[str, Any]) -> list[uuid.UUID]:
        found = []
        for row in self.connection.execute(QUERIES[query], parameters).fetchall():
            found.append(row[0])
            if row[0] not in self.runs:
                run_id, job_id, parent, root, position, bounded_at, merged = row
                state = MergedRun.decode(merged)
                self._keep(RunRow(run_id, job_id, parent, root, position, bounded_at, state))
        return found

    def _keep(self, run: RunRow) -> None:
        self.runs[run.id] = run
        if run.parent_run_id is not None and run.parent_run_id != run.id:
            self._children.setdefault(run.parent_run_id, set()).add(run.id)

    def with_root(self, root: uuid.UUID) -> list[RunRow]:
        """Return every run whose root this is, those of this batch among them."""
        self._load_runs("descendants", {"root": root})
        return [run for run in self.runs.values() if run.root_run_id == root]

    def load_runs(self, run_ids: Iterable[uuid.UUID]) -> None:
        """Read these runs, as far as they exist."""
        self._load_runs("runs", {"ids": list(run_ids)})

    def children_of(self, parent: uuid.UUID) -> list[RunRow]:
        """Return the runs that name this run as their parent, as far as they were read or are of this batch."""
        found = (self.runs[child] for child in self._children.get(parent, ()))
        # A later event may have named another parent.
        return [run for run in found if run.parent_run_id == parent]

    def load_children(self, parents: Iterable[uuid.UUID]) -> None:
        """Read the runs that name these as their parents."""
        self._load_runs("children", {"ids": list(parents)})

    def version(self, version_id: uuid.UUID) -> VersionRow | None:
        """Return the version as it is known, None where there is none yet."""
        if version_id not in self.versions:
            row = self.connection.execute(QUERIES["version"], {"id": version_id}).fetchone()
            self.versions[version_id] = None if row is None else VersionRow(*row)
        return self.versions[version_id]

    def versions_of_run(self, run_id: uuid.UUID) -> list[VersionRow]:
        """Return the versions that the run made, as they are known."""
        for row in self.connection.execute(QUERIES["versions_of_run"], {"run": run_id}).fetchall():
            self.versions.setdefault(row[0], VersionRow(*row))
        return [row for row in self.versions.values() if row is not None and row.run_id == run_id]

    def add_maker(self, version_id: uuid.UUID, run_id: uuid.UUID) -> None:
        """Remember that the run told of the version by the producer's own name for it."""
        self._makers.add((version_id, run_id))

    def makers(self, version_id: uuid.UUID) -> list[RunRow]:
        """Return every run that ever told of the version by the producer's own name for it."""
        found = {
            row[0] for row in self.connection.execute(QUERIES["makers"], {"version": version_id}).fetchall()
        }
        found |= {run for version, run in self._makers if version == version_id}
        self.load_runs(found - self.runs.keys())
        return [self.runs[run] for run in sorted(found)]

    def was_published(self, version_id: uuid.UUID) -> bool:
        """Return whether the version was ever announced as published."""
        if any(event.version_id == version_id and event.kind == "published" for event in self._events):
            return True
        row = self.connection.execute(QUERIES["was_published"], {"id": version_id}).fetchone()
        return bool(row and row[0])

    # Changing --------------------------------------------------------------------------------------------

    def observe(self, observed: Observed, position: int) -> None:
        """Add to the observation log."""
        self._observations.append((position, *encode_observed(observed)))

    def see_dataset(self, key: DatasetKey, at: dt.datetime, position: int) -> uuid.UUID:
        """Make sure that the dataset exists; return its id."""
        found = key.id
        if found not in self.memory.datasets:
            self.memory.datasets.add(found)
            self._new_datasets[found] = (key, at, position)
            self.observe(DatasetObserved(key), position)
        return found

    def see_job(self, key: JobKey, at: dt.datetime, position: int) -> uuid.UUID:
        """Make sure that the job exists; return its id."""
        found = key.id
        if found not in self.memory.jobs:
            self.memory.jobs[found] = None
            self.memory.parents.setdefault(found, {})
            self._new_jobs[found] = (key, at, position)
            self.observe(JobObserved(key), position)
        return found

    def see_parent(self, job: JobKey, parent: JobKey, at: dt.datetime, position: int) -> None:
        """Make sure that the parent edge exists since the earliest time it was seen."""
        job_id, parent_id = job.id, parent.id
        since = self.memory.parents[job_id].get(parent_id)
        if job_id != parent_id and (since is None or at < since):
            self.memory.parents[job_id][parent_id] = at
            self._new_parents[job_id, parent_id] = at
            self.observe(ParentObserved(job, parent, at), position)

    def see_alias(
        self, dataset: DatasetKey, alias: DatasetKey, type_: str, at: dt.datetime, position: int
    ) -> None:
        """Make sure that the alias edge exists since the earliest time it was seen, and that the classes are one."""
        dataset_id, alias_id = dataset.id, alias.id
        if dataset_id == alias_id:
            return
        told = self.memory.aliases[dataset_id].get(alias_id)
        if told is None or (at, type_) < told:
            self.memory.aliases[dataset_id][alias_id] = (at, type_)
            self._new_aliases[dataset_id, alias_id] = (type_, at)
            self.observe(AliasObserved(dataset, alias, type_, at), position)
        ours, theirs = self.memory.classes[dataset_id], self.memory.classes[alias_id]
        if ours is not theirs and ours != theirs:
            merged = ours | theirs
            self.memory.classes.update(dict.fromkeys(merged, merged))
            self._moved_classes |= merged

    def names_of(self, dataset: uuid.UUID) -> tuple[uuid.UUID, ...]:
        """Return the dataset and every alias known so far, sorted."""
        if dataset not in self.memory.classes:
            # A root run that ends makes versions of datasets that its own event does not name.
            self._load_classes([dataset])
        return tuple(sorted(self.memory.classes[dataset]))

    def see_schemas(self, schemas: Mapping[str, Any]) -> None:
        """Make sure that the schemas are stored."""
        for digest, fields in schemas.items():
            if digest not in self.memory.schemas:
                self.memory.schemas.add(digest)
                self._new_schemas[digest] = fields

    def save_run(self, run: RunRow) -> None:
        """Keep the run and mark its row as changed."""
        self._keep(run)
        self._dirty_runs.add(run.id)

    def save_version(self, row: VersionRow) -> None:
        """Keep the version and mark its row as changed."""
        self.versions[row.id] = row
        self._dirty_versions.add(row.id)

    def announce(
        self, kind: str, row: VersionRow, at: dt.datetime, position: int, run_ids: Iterable[uuid.UUID]
    ) -> None:
        """Add to the version log."""
        names = self.names_of(row.dataset_id)
        self._events.append(_NewVersionEvent(position, at, kind, row.id, names, tuple(run_ids)))

    def add_shape(self, shape: Shape) -> None:
        """Make sure that the shape is stored."""
        if shape.hash not in self.memory.shapes:
            self.memory.shapes.add(shape.hash)
            self._new_shapes[shape.hash] = shape

    def shape(self, hash_: bytes) -> Shape:
        """Return a stored shape."""
        if hash_ in self._new_shapes:
            return self._new_shapes[hash_]
        row = self.connection.execute(QUERIES["shape"], {"hash": hash_}).fetchone()
        if row is None:
            raise ValueError(f"expected a shape with the hash {hash_.hex()}, found none")
        return Shape.from_json(orjson.loads(row[0]))

    def add_point(self, job: uuid.UUID, point: ShapePoint) -> None:
        """Add a point that is later than every other of the job."""
        self._new_points[job, point.at, point.tiebreak] = point.hash
        self.set_latest(job, point)

    def set_latest(self, job: uuid.UUID, point: ShapePoint | None) -> None:
        """Say which point of the job is the latest."""
        self.memory.jobs[job] = point
        self._moved_jobs.add(job)

    # Writing ---------------------------------------------------------------------------------------------

    def flush_points(self) -> None:
        """Write the points so far, so that statements about a job's history see them."""
        if self._new_shapes:
            self.connection.execute(
                QUERIES["save_shapes"],
                {
                    "hashes": list(self._new_shapes),
                    "bodies": [orjson.dumps(shape.to_json()) for shape in self._new_shapes.values()],
                },
            )
            self._new_shapes.clear()
        if self._new_points:
            self.connection.execute(
                QUERIES["save_points"],
                {
                    "jobs": [key[0] for key in self._new_points],
                    "ats": [key[1] for key in self._new_points],
                    "tiebreaks": [key[2] for key in self._new_points],
                    "hashes": list(self._new_points.values()),
                },
            )
            self._new_points.clear()

    def flush(self) -> list[VersionEvent]:
        """Write every change; return the new records of the version log."""
        self._flush_entities()
        self.flush_points()
        moved = list(self._moved_jobs)
        if moved:
            points = [self.memory.jobs[job] for job in moved]
            self.connection.execute(
                QUERIES["save_job_shapes"],
                {
                    "ids": moved,
                    "ats": [point and point.at for point in points],
                    "tiebreaks": [point and point.tiebreak for point in points],
                    "hashes": [point and point.hash for point in points],
                },
            )
        self._flush_edges()
        self._flush_runs()
        self._flush_versions()
        if self._observations:
            self.connection.execute(
                QUERIES["save_observations"],
                {
                    "positions": [row[0] for row in self._observations],
                    "kinds": [row[1] for row in self._observations],
                    "bodies": [row[2] for row in self._observations],
                },
            )
        return self._flush_events()

    def _flush_entities(self) -> None:
        news: tuple[tuple[str, Mapping[uuid.UUID, tuple[DatasetKey | JobKey, dt.datetime, int]]], ...] = (
            ("save_datasets", self._new_datasets),
            ("save_jobs", self._new_jobs),
        )
        for query, rows in news:
            if rows:
                self.connection.execute(
                    QUERIES[query],
                    {
                        "ids": list(rows),
                        "namespaces": [row[0].namespace for row in rows.values()],
                        "names": [row[0].name for row in rows.values()],
                        "ats": [row[1] for row in rows.values()],
                        "positions": [row[2] for row in rows.values()],
                    },
                )
        if self._new_schemas:
            self.connection.execute(
                QUERIES["save_schemas"],
                {
                    "hashes": list(self._new_schemas),
                    "fields": [orjson.dumps(fields) for fields in self._new_schemas.values()],
                },
            )

    def _flush_edges(self) -> None:
        if self._new_aliases:
            self.connection.execute(
                QUERIES["save_aliases"],
                {
                    "datasets": [key[0] for key in self._new_aliases],
                    "aliases": [key[1] for key in self._new_aliases],
                    "types": [value[0] for value in self._new_aliases.values()],
                    "sinces": [value[1] for value in self._new_aliases.values()],
                },
            )
        if self._moved_classes:
            moved = sorted(self._moved_classes)
            self.connection.execute(
                QUERIES["save_classes"],
                {"datasets": moved, "classes": [min(self.memory.classes[dataset]) for dataset in moved]},
            )
        if self._new_parents:
            self.connection.execute(
                QUERIES["save_parents"],
                {
                    "jobs": [key[0] for key in self._new_parents],
                    "parents": [key[1] for key in self._new_parents],
                    "sinces": list(self._new_parents.values()),
                },
            )

    def _flush_runs(self) -> None:
        if not self._dirty_runs:
            return
        runs = [self.runs[found] for found in self._dirty_runs]
        self.connection.execute(
            QUERIES["save_runs"],
            {
                "ids": [run.id for run in runs],
                "jobs": [run.job_id for run in runs],
                "states": [run.merged.state for run in runs],
                "starts": [run.merged.started_at for run in runs],
                "ends": [run.merged.ended_at for run in runs],
                "parents": [run.parent_run_id for run in runs],
                "roots": [run.root_run_id for run in runs],
                "bounds": [run.bounded_at for run in runs],
                "merged": [run.merged.encode() for run in runs],
                "positions": [run.position for run in runs],
            },
        )

    def _flush_versions(self) -> None:
        rows = [row for found in self._dirty_versions if (row := self.versions[found]) is not None]
        if self._makers:
            makers = sorted(self._makers)
            columns = {"versions": [row[0] for row in makers], "runs": [row[1] for row in makers]}
            self.connection.execute(QUERIES["save_makers"], columns)
        if rows:
            self.connection.execute(
                QUERIES["save_versions"],
                {name: [getattr(row, name) for row in rows] for name in VERSION_FIELDS},
            )

    def _flush_events(self) -> list[VersionEvent]:
        if not self._events:
            return []
        rows = self.connection.execute(
            QUERIES["save_version_events"],
            {
                "positions": [event.position for event in self._events],
                "ats": [event.at for event in self._events],
                "kinds": [event.kind for event in self._events],
                "versions": [event.version_id for event in self._events],
                "datasets": [",".join(map(str, event.dataset_ids)) for event in self._events],
                "runs": [",".join(map(str, event.run_ids)) for event in self._events],
            },
        ).fetchall()
        return [VersionEvent.from_row(row) for row in rows]
