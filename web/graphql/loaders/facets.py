"""Facets as producers sent them: of datasets and jobs from their registers, of runs from their events."""

import uuid
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from catalog.errors import QueryTooExpensive
from catalog.openlineage.events import digest_of_order, time_of
from catalog.openlineage.readers import fields
from catalog.openlineage.run_facets import RunFacets, ToldFacets, facets_of_run
from catalog.openlineage.sloppy import SloppyError
from catalog.queries import load_queries
from web.graphql.cohort import in_cohort
from web.graphql.facet_records import Described, FacetRecord
from web.graphql.records import DatasetRecord, FieldRecord, JobRecord, RunDatasetRecord, RunRecord
from web.graphql.request import QueryRequest
from web.graphql.scalars import raw_json

QUERIES = load_queries(Path(__file__).with_name("facets.sql"))

#: Bytes of facets beyond which an answer is refused, and of events from which it would have to be made.
MOST_BYTES = 32 * 1024 * 1024
#: Events of all runs asked about together, beyond which an answer is refused.
MOST_EVENTS = 10_000

#: The facets of datasets and jobs that say something which has a field of its own.
DESCRIBING = ["ownership", "tags", "documentation", "datasetType", "jobType", "sql", "sourceCodeLocation"]


def facets_of_datasets(
    request: QueryRequest, members: Sequence[DatasetRecord]
) -> Mapping[uuid.UUID, list[FacetRecord]]:
    """Return the facets of each dataset by name."""
    return _facets(request, QUERIES["of_datasets"], members)


def facets_of_jobs(
    request: QueryRequest, members: Sequence[JobRecord]
) -> Mapping[uuid.UUID, list[FacetRecord]]:
    """Return the facets of each job by name."""
    return _facets(request, QUERIES["of_jobs"], members)


def described_datasets(
    request: QueryRequest, members: Sequence[DatasetRecord]
) -> Mapping[uuid.UUID, Described]:
    """Return what the facets of each dataset say that has a field of its own; one without facets is not there."""
    return descriptions_of_datasets(request, [member.row_id for member in members])


def described_jobs(request: QueryRequest, members: Sequence[JobRecord]) -> Mapping[uuid.UUID, Described]:
    """Return what the facets of each job say that has a field of its own; one without facets is not there."""
    return descriptions_of_jobs(request, [member.row_id for member in members])


def descriptions_of_datasets(
    request: QueryRequest, ids: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, Described]:
    """Return the same by identity."""
    return _described(request, QUERIES["of_datasets"], ids)


def descriptions_of_jobs(request: QueryRequest, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Described]:
    """Return the same by identity."""
    return _described(request, QUERIES["of_jobs"], ids)


def schemas_told(request: QueryRequest, datasets: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[FieldRecord]]:
    """Return the columns that the schema facet of each dataset names, as far as one was told."""
    rows = request.rows(QUERIES["of_datasets"], ids=list(datasets), names=["schema"])
    _check(len(body) for _, _, _, body in rows)
    answer = {}
    for dataset, _, _, body in rows:
        try:
            named = fields(orjson.loads(body), [])
        except SloppyError:
            continue
        if named:
            answer[dataset] = FieldRecord.all_of(named)
    return answer


def told_tags(request: QueryRequest, *, limit: int, offset: int) -> list[str]:
    """Return so many keys of tags that datasets, columns and jobs have, by name, after as many as the offset says."""
    return [name for (name,) in request.rows(QUERIES["tags"], limit=limit, offset=offset)]


def run_facets(request: QueryRequest, members: Sequence[RunRecord]) -> Mapping[uuid.UUID, RunFacets]:
    """Return the facets of each run, and of its inputs and outputs, merged from its events."""
    return _merged(request, {member.row_id for member in members if member.reported})


def facets_of_runs(
    request: QueryRequest, members: Sequence[RunRecord]
) -> Mapping[uuid.UUID, list[FacetRecord]]:
    """Return the facets of each run by name."""
    found = members[0].cohort.ask(run_facets) if members else {}
    answer = {run: _told(facets.run, run) for run, facets in found.items()}
    in_cohort(request, [record for records in answer.values() for record in records])
    return answer


def facets_of_run_datasets(
    request: QueryRequest, members: Sequence[RunDatasetRecord]
) -> Mapping[Any, list[FacetRecord]]:
    """Return the facets of each dataset as one run's input or output, by name."""
    found = _merged(request, {member.row_id[0] for member in members})
    answer: dict[Any, list[FacetRecord]] = {}
    for run, facets in found.items():
        for role, datasets in (("input", facets.inputs), ("output", facets.outputs)):
            answer.update(((run, role, key.id), _told(told, run)) for key, told in datasets.items())
    in_cohort(request, [record for records in answer.values() for record in records])
    return answer


def tellers(request: QueryRequest, members: Sequence[FacetRecord]) -> Mapping[bytes, uuid.UUID]:
    """Return the runs whose events told the facets, by the digest of the event."""
    digests = list({member.event_digest for member in members})
    return {bytes(digest): run for digest, run in request.rows(QUERIES["tellers"], digests=digests)}


def _facets(
    request: QueryRequest, query: bytes, members: Sequence[Any]
) -> dict[uuid.UUID, list[FacetRecord]]:
    rows = request.rows(query, ids=[member.row_id for member in members], names=None)
    _check(len(body) for _, _, _, body in rows)
    found: defaultdict[uuid.UUID, list[FacetRecord]] = defaultdict(list)
    for owner, name, order, body in rows:
        found[owner].append(_record(name, order, body))
    in_cohort(request, [record for records in found.values() for record in records])
    return found


def _described(request: QueryRequest, query: bytes, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Described]:
    rows = request.rows(query, ids=list(ids), names=DESCRIBING) if ids else []
    facets: defaultdict[uuid.UUID, dict[str, Any]] = defaultdict(dict)
    for owner, name, _, body in rows:
        facets[owner][name] = orjson.loads(body)
    return {owner: Described.of(found) for owner, found in facets.items()}


def _merged(request: QueryRequest, runs: Iterable[uuid.UUID]) -> dict[uuid.UUID, RunFacets]:
    wanted = list(runs)
    if not wanted:
        return {}
    rows = request.rows(
        QUERIES["events_of_runs"], runs=wanted, position=request.snapshot.position, limit=MOST_EVENTS + 1
    )
    if len(rows) > MOST_EVENTS:
        raise QueryTooExpensive(
            f"expected at most {MOST_EVENTS} events of the runs, found more: ask about fewer runs at once"
        )
    events: dict[uuid.UUID, list[tuple[bytes, bytes]]] = {}
    size = 0
    for run, digest, compressed in rows:
        body = zlib.decompress(compressed)
        size += len(body)
        _check([size])
        events.setdefault(run, []).append((digest, body))
    return {run: facets_of_run(events.get(run, [])) for run in wanted}


def _check(sizes: Iterable[int]) -> None:
    if sum(sizes) > MOST_BYTES:
        raise QueryTooExpensive(
            f"expected at most {MOST_BYTES} bytes of facets, found more: ask about less at once"
        )


def _told(facets: ToldFacets, run: uuid.UUID) -> list[FacetRecord]:
    return [_record(name, told.order, told.json, run) for name, told in sorted(facets.items())]


def _record(name: str, order: str, body: bytes, run: uuid.UUID | None = None) -> FacetRecord:
    producer = orjson.loads(body).get("_producer")
    return FacetRecord(
        name=name,
        body=raw_json(body),
        producer=producer if isinstance(producer, str) else None,
        at=time_of(order),
        event_digest=digest_of_order(order),
        told_by=run,
    )
