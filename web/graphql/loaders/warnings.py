"""What a pipeline's runs are seen to read and write beyond what its document says."""

from collections.abc import Iterable, Mapping, Sequence

from catalog.keys import HEADWATER_NAMESPACE, DatasetKey, JobKey
from web.graphql.loaders.datasets import classes
from web.graphql.loaders.jobs import jobs_below, shapes
from web.graphql.records import PipelineRecord, WarningRecord
from web.graphql.request import QueryRequest

READS_UNDECLARED = "reads-undeclared"
WRITES_UNDECLARED = "writes-undeclared"


def pipeline_warnings(
    request: QueryRequest, members: Sequence[PipelineRecord]
) -> Mapping[str, list[WarningRecord]]:
    """Return for each pipeline what its jobs read and write now that stands in no `when` and no `produces`.

    Its jobs are the one that its document names, the one of its own runs, and all that run within these. What one of
    them writes and another reads is no input of the pipeline. Aliases count as one dataset.
    """
    asked = []
    for member in members:
        asked.append((member.name, JobKey(HEADWATER_NAMESPACE, member.name).id))
        if member.reported_job is not None:
            asked.append((member.name, member.reported_job.id))
    jobs = jobs_below(request, asked)
    every = [job for listed in jobs.values() for job in listed]
    known = shapes(request, every)
    seen: dict[str, tuple[set[DatasetKey], set[DatasetKey]]] = {}
    for member in members:
        hashes = [job.shape_hash for job in jobs.get(member.name, ())]
        told = [known[found] for found in hashes if found is not None and found in known]
        seen[member.name] = (
            {key for shape in told for key in shape.inputs},
            {key for shape in told for key in shape.outputs},
        )
    keys = {key for sides in seen.values() for side in sides for key in side}
    keys |= {key for member in members for key in (*member.reads, *member.writes)}
    named = classes(request, [key.id for key in keys])
    answer = {}
    for member in members:
        read, written = seen[member.name]
        inner = {named[key.id] for key in written}
        declared = {named[key.id] for key in member.reads}
        produced = {named[key.id] for key in member.writes}
        answer[member.name] = [
            *_warnings(READS_UNDECLARED, (k for k in read if named[k.id] not in declared | inner)),
            *_warnings(WRITES_UNDECLARED, (k for k in written if named[k.id] not in produced)),
        ]
    return answer


_TEXTS = {
    READS_UNDECLARED: "its runs read {} but it stands in no `when`: a new version of it starts nothing",
    WRITES_UNDECLARED: "its runs write {} but it does not stand in `produces`: a loop through it is not found at apply",
}


def _warnings(code: str, keys: Iterable[DatasetKey]) -> list[WarningRecord]:
    return [WarningRecord(code, _TEXTS[code].format(key.node_id), key.node_id) for key in sorted(keys)]
