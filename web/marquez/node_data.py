"""The data of nodes of lineage graphs as JSON, remembered until something of a node changes.

An answer may hold thousands of nodes, of which since the last one a few changed, or none.
"""

import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.keys import DatasetKey, JobKey
from graph.model import Node, NodeKind
from web.graphql.facet_records import UNDESCRIBED, Described
from web.graphql.loaders.datasets import schemas_by_hash
from web.graphql.loaders.facets import descriptions_of_datasets, descriptions_of_jobs, schemas_told
from web.graphql.loaders.standing import DatasetStanding, dataset_standings, job_standings
from web.graphql.loaders.touched import Mark, mark, touched_since
from web.graphql.request import QueryRequest
from web.graphql.scalars import raw_json
from web.marquez import names
from web.marquez.asking import json_text
from web.marquez.contents import NO_COLUMNS, NO_DATASETS, Contents
from web.marquez.datasets import lean_dataset
from web.marquez.jobs import current_version, lean_job, lean_latest_run
from web.marquez.shapes import Field

#: Bytes of JSON that are remembered; beyond that all is forgotten, and what is used is soon there again.
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Told:
    """The data of a node, and the runs on which it depends besides those that a change of the node names."""

    text: bytes
    runs: tuple[uuid.UUID, ...] = ()


class NodeData:
    """One for each process; threads share it."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._lock = threading.Lock()
        #: What is remembered is what the state held at this mark, or later.
        self._mark: Mark | None = None
        self._told: dict[uuid.UUID, _Told] = {}
        self._nodes_of_runs: defaultdict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
        self._bytes = 0

    def of(self, request: QueryRequest, nodes: Sequence[Node]) -> list[Any]:
        """Return the data of each node, as JSON to be put into the answer; None where the state does not have it.

        It is that of the request's snapshot, or newer.
        """
        ids = [_identity(node) for node in nodes]
        now = mark(request)
        with self._lock:
            self._advance(request, now)
            known = self._told
            found = {id_: known[id_] for id_ in ids if id_ in known}
        missing = {id_: node for id_, node in zip(ids, nodes, strict=True) if id_ not in found}
        if missing:
            read = self._read(request, missing)
            self._remember(now, read)
            found |= read
        return [raw_json(found[id_].text) if id_ in found else None for id_ in ids]

    def _advance(self, request: QueryRequest, now: Mark) -> None:
        """Forget what changed since the mark; a snapshot that is older than it changes nothing."""
        before = self._mark
        if before is not None and now.position < before.position:
            return
        touched = None if before is None else touched_since(request, before, now)
        if touched is None:
            self._forget_all()
        else:
            of_runs = (self._nodes_of_runs.pop(run, ()) for run in touched.runs)
            for id_ in touched.things.union(*of_runs):
                self._forget(id_)
        self._mark = now

    def _forget_all(self) -> None:
        self._told = {}
        self._nodes_of_runs.clear()
        self._bytes = 0

    def _forget(self, id_: uuid.UUID) -> None:
        told = self._told.pop(id_, None)
        if told is not None:
            self._bytes -= len(told.text)

    def _remember(self, now: Mark, read: Mapping[uuid.UUID, _Told]) -> None:
        size = sum(len(told.text) for told in read.values())
        with self._lock:
            if self._mark != now:
                # Something may have changed since it was read.
                return
            if self._bytes + size > MOST_BYTES:
                self._forget_all()
            if size <= MOST_BYTES:
                for id_, told in read.items():
                    self._forget(id_)
                    self._told[id_] = told
                    for run in told.runs:
                        self._nodes_of_runs[run].add(id_)
                self._bytes += size

    def _read(self, request: QueryRequest, nodes: Mapping[uuid.UUID, Node]) -> dict[uuid.UUID, _Told]:
        datasets = [id_ for id_, node in nodes.items() if node.kind is not NodeKind.JOB]
        jobs = [id_ for id_, node in nodes.items() if node.kind is NodeKind.JOB]
        return {**self._datasets(request, nodes, datasets), **self._jobs(request, nodes, jobs)}

    def _datasets(
        self, request: QueryRequest, nodes: Mapping[uuid.UUID, Node], ids: Sequence[uuid.UUID]
    ) -> dict[uuid.UUID, _Told]:
        found = dataset_standings(request, ids)
        told = descriptions_of_datasets(request, [standing.id for standing in found if standing.described])
        columns = self._contents.columns(request, [standing.schema_hash for standing in found])
        own = _own_columns(request, found, told)
        answer = {}
        for standing in found:
            node = nodes[standing.id]
            fields = own[standing.id] if standing.id in own else columns.get(standing.schema_hash, NO_COLUMNS)
            key, described = DatasetKey(node.namespace, node.name), told.get(standing.id, UNDESCRIBED)
            answer[standing.id] = _Told(json_text(lean_dataset(key, standing, fields, described)))
        return answer

    def _jobs(
        self, request: QueryRequest, nodes: Mapping[uuid.UUID, Node], ids: Sequence[uuid.UUID]
    ) -> dict[uuid.UUID, _Told]:
        found = job_standings(request, ids)
        datasets = self._contents.datasets(request, [standing.shape_hash for standing in found])
        told = descriptions_of_jobs(request, [standing.id for standing in found if standing.described])
        answer = {}
        for standing in found:
            node = nodes[standing.id]
            key, of_job = JobKey(node.namespace, node.name), datasets.get(standing.shape_hash, NO_DATASETS)
            version = current_version(key, standing, of_job)
            run, described = lean_latest_run(standing, version), told.get(standing.id, UNDESCRIBED)
            job = lean_job(key, standing, of_job, version, run, described)
            # A run that tells another job's name later is no longer this job's.
            runs = tuple(run for run in (standing.run_id, standing.shape_tiebreak) if run is not None)
            answer[standing.id] = _Told(json_text(job), runs)
        return answer


def _identity(node: Node) -> uuid.UUID:
    key = JobKey if node.kind is NodeKind.JOB else DatasetKey
    return key(node.namespace, node.name).id


def _own_columns(
    request: QueryRequest, found: Sequence[DatasetStanding], told: Mapping[uuid.UUID, Described]
) -> dict[uuid.UUID, list[Field]]:
    """Return the columns of those datasets that do not share them: without version, or with tags on columns."""
    own = schemas_told(request, [standing.id for standing in found if standing.schema_hash is None])
    tagged = [standing for standing in found if standing.id in told and told[standing.id].tags_by_column]
    schemas = schemas_by_hash(request, [standing.schema_hash for standing in tagged])
    own |= {
        standing.id: schemas[standing.schema_hash]
        for standing in tagged
        if standing.schema_hash is not None and standing.schema_hash in schemas
    }
    return {
        dataset: names.tagged_fields(columns, told.get(dataset, UNDESCRIBED))
        for dataset, columns in own.items()
    }
