"""The lineage of a job, of tables and of columns, as one run or JobEvent states it.

    shape_of(source, columns, *, partial=False) -> Shape | None      source: MergedRun or JobEvent
    definition_of(event, columns) -> (JobKey, Shape) | None           what a DatasetEvent says of its dataset

Without a `lineage` facet every input is taken to feed every output. Where one is present (on an output, or on
the job with entries) that product is not assumed: an output has exactly the sources that are stated for it,
and an output for which none is stated has none.

A dataset that a run drops, renames or alters is an output like any other: the event lists it, and the job did
change it. That such a change makes no version is another matter (`DatasetReference.changes_content`).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, assert_never

import orjson

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.columns import ColumnLineage
from catalog.openlineage.definition import definition_job
from catalog.openlineage.events import DatasetEvent, DatasetLineage, DatasetReference, JobEvent
from catalog.openlineage.merge import MergedRun


@dataclass(frozen=True, slots=True)
class Flow:
    """These inputs feed these outputs, each sorted.

    Jobs stand in it only where a lineage facet names other jobs than the event's own: as what feeds
    (`job_inputs`) or as what is fed (`job_outputs`). Without any output the inputs feed the event's own job.
    """

    outputs: tuple[DatasetKey, ...]
    inputs: tuple[DatasetKey, ...]
    job_outputs: tuple[JobKey, ...] = ()
    job_inputs: tuple[JobKey, ...] = ()


@dataclass(frozen=True)
class Shape:
    """What a job reads and writes, sorted; `flows` is `None` where every input is taken to feed every output.

    `inputs` and `outputs` hold all that is listed or that a lineage facet names; `job_inputs` and
    `job_outputs` the other jobs that flows name. `columns` holds the outputs of whose columns something is known.
    Equal shapes have equal hashes (16 bytes), in every release that writes the same form.
    """

    inputs: tuple[DatasetKey, ...]
    outputs: tuple[DatasetKey, ...]
    flows: tuple[Flow, ...] | None
    job_inputs: tuple[JobKey, ...] = ()
    job_outputs: tuple[JobKey, ...] = ()
    columns: tuple[tuple[DatasetKey, ColumnLineage], ...] = ()

    @cached_property
    def hash(self) -> bytes:
        """The identity of what is said, 16 bytes."""
        flows = self.flows and [
            [
                [list(key) for key in keys]
                for keys in (flow.outputs, flow.inputs, flow.job_outputs, flow.job_inputs)
            ]
            for flow in self.flows
        ]
        # The lists of jobs follow from the flows, so they need not be hashed again.
        form = [[list(key) for key in self.inputs], [list(key) for key in self.outputs], flows]
        if self.columns:
            # Only where there are any, so that all other shapes keep the hashes that they had without columns.
            form.append([[*key, lineage.digest] for key, lineage in self.columns])
        return hashlib.blake2b(orjson.dumps(form), digest_size=16).digest()

    @cached_property
    def encoded(self) -> bytes:
        """The shape as JSON, made once; `from_json` takes what it says."""
        flows = self.flows and [
            [
                [list(key) for key in keys]
                for keys in (flow.outputs, flow.inputs, flow.job_outputs, flow.job_inputs)
            ]
            for flow in self.flows
        ]
        keys = [
            [list(key) for key in found]
            for found in (self.inputs, self.outputs, self.job_inputs, self.job_outputs)
        ]
        columns = [[*key, orjson.Fragment(lineage.encoded)] for key, lineage in self.columns]
        return orjson.dumps([*keys, flows, columns] if columns else [*keys, flows])

    @classmethod
    def from_json(cls, value: list[Any]) -> "Shape":
        """Return the shape of which `encoded` is the JSON of this value.

        A shape without columns is the list that it was before columns.
        """
        inputs, outputs, job_inputs, job_outputs, flows, *rest = value
        shape = cls(
            inputs=tuple(DatasetKey(*key) for key in inputs),
            outputs=tuple(DatasetKey(*key) for key in outputs),
            flows=None
            if flows is None
            else tuple(
                Flow(
                    tuple(DatasetKey(*key) for key in flow[0]),
                    tuple(DatasetKey(*key) for key in flow[1]),
                    tuple(JobKey(*key) for key in flow[2]),
                    tuple(JobKey(*key) for key in flow[3]),
                )
                for flow in flows
            ),
            job_inputs=tuple(JobKey(*key) for key in job_inputs),
            job_outputs=tuple(JobKey(*key) for key in job_outputs),
            columns=tuple(
                (DatasetKey(namespace, name), ColumnLineage.from_json(lineage))
                for columns in rest
                for namespace, name, lineage in columns
            ),
        )
        # Of what was just read it is the same again, and much cheaper than of the shape.
        vars(shape)["encoded"] = orjson.dumps(value)
        return shape


#: Gives the lineage of columns with a digest.
ColumnsOf = Callable[[str], ColumnLineage]


def shape_of(
    source: MergedRun | JobEvent, columns: ColumnsOf | None = None, *, partial: bool = False
) -> Shape | None:
    """Return what a run or a JobEvent says about its job's lineage; without `columns`, that of tables alone.

    `None` where it names no dataset, or where the producer could not extract all of it: what it does not name
    may still hold, so such a run closes no edge. `partial=True` returns what there is in those cases too, for
    edges that it opens and versions that it makes, and `None` only where there is nothing.
    """
    match source:
        case MergedRun():
            if source.extraction_error and not partial:
                return None
            outputs = source.outputs
            shape = _shape(source.job, source.input_registers, outputs, source.job_lineage)
            entries = source.job_columns
        case JobEvent():
            outputs = {dataset.key: dataset for dataset in source.outputs}
            inputs = (dataset.key for dataset in source.inputs)
            shape = _shape(source.job, inputs, outputs, source.job_facets.get("lineage"))
            entries = source.job_facets.get("entry_columns") or []
        case _:
            assert_never(source)
    if columns is not None:
        shape = _with_columns(shape, outputs.values(), entries, columns)
    names_datasets = bool(shape.inputs or shape.outputs)
    return shape if names_datasets or (partial and shape.flows) else None


def definition_of(event: DatasetEvent, columns: ColumnsOf) -> tuple[JobKey, Shape] | None:
    """Return what a DatasetEvent says its dataset is made of, None where it says nothing of that.

    No job that runs is known to make it so (it is a view, or somebody wrote down where it comes from), so the
    lineage is that of a job which stands for the dataset's definition. An event that deletes its facets says
    that nothing is known any more.
    """
    if not event.defines:
        return None
    dataset = event.dataset
    job = definition_job(dataset.key)
    if dataset.lineage is None and not dataset.columns:
        return job, Shape((), (), ())
    shape = _with_columns(_shape(job, (), {dataset.key: dataset}, []), [dataset], [], columns)
    # Where only columns are told of, their datasets are what the dataset is made of.
    sources = {*shape.inputs, *(key for _, lineage in shape.columns for key in lineage.sources)}
    flows = tuple(replace(flow, inputs=tuple(sorted(sources))) for flow in shape.flows or ())
    return job, replace(shape, inputs=tuple(sorted(sources)), flows=flows)


def _with_columns(
    shape: Shape, outputs: Iterable[DatasetReference], entries: Iterable[list[str]], columns: ColumnsOf
) -> Shape:
    """Return the shape with what outputs and entries of the job say of columns, together where both do."""
    found: dict[DatasetKey, ColumnLineage] = {}
    told = [(dataset.key, digest) for dataset in outputs for digest in dataset.columns]
    told += [(DatasetKey(namespace, name), digest) for namespace, name, digest in entries]
    for key, digest in told:
        lineage = columns(digest)
        found[key] = found[key].merge(lineage) if key in found else lineage
    return replace(shape, columns=tuple(sorted(found.items(), key=_dataset_of))) if found else shape


def _dataset_of(item: tuple[DatasetKey, ColumnLineage]) -> DatasetKey:
    return item[0]


def _shape(
    own_job: JobKey,
    inputs: Iterable[DatasetKey],
    outputs: Mapping[DatasetKey, DatasetReference],
    entries: list[list[Any]] | None,
) -> Shape:
    if entries is None and all(dataset.lineage is None for dataset in outputs.values()):
        return Shape(tuple(sorted(inputs)), tuple(sorted(outputs)), None)
    targets: dict[DatasetKey, _Sources] = {key: _Sources() for key in outputs}
    job_targets: dict[JobKey, _Sources] = {}
    for key, dataset in outputs.items():
        if dataset.lineage is not None:
            targets[key].add(dataset.lineage, own_job)
    for kind, namespace, name, sources in entries or ():
        lineage = DatasetLineage.of(sources)
        if kind == "DATASET":
            targets.setdefault(DatasetKey(namespace, name), _Sources()).add(lineage, own_job)
        else:
            job = own_job if namespace is None else JobKey(namespace, name)
            job_targets.setdefault(job, _Sources()).add(lineage, own_job)
    flows = [targets[key].flow_to((key,)) for key in sorted(targets)]
    flows += [job_targets[job].flow_to((), () if job == own_job else (job,)) for job in sorted(job_targets)]
    return Shape(
        inputs=tuple(sorted({*inputs, *(key for flow in flows for key in flow.inputs)})),
        outputs=tuple(sorted(targets)),
        flows=tuple(flows),
        job_inputs=tuple(sorted({job for flow in flows for job in flow.job_inputs})),
        job_outputs=tuple(sorted({job for flow in flows for job in flow.job_outputs})),
    )


class _Sources:
    """What is stated to feed one target, while it is collected."""

    def __init__(self) -> None:
        self._datasets: set[DatasetKey] = set()
        self._jobs: set[JobKey] = set()

    def add(self, lineage: DatasetLineage, own_job: JobKey) -> None:
        """Add sources; the event's own job is none, since everything here is what it did."""
        self._datasets.update(lineage.datasets)
        self._jobs.update(job for job in lineage.jobs if job != own_job)

    def flow_to(self, outputs: tuple[DatasetKey, ...], job_outputs: tuple[JobKey, ...] = ()) -> Flow:
        """Return the flow from all of them to the outputs."""
        return Flow(outputs, tuple(sorted(self._datasets)), job_outputs, tuple(sorted(self._jobs)))
