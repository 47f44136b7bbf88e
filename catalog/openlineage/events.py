"""What a stored event says, as far as it decides something.

parse_event(body, digest) -> RunEvent | DatasetEvent | JobEvent

RunEvent      digest order event_time event_type run_id run_id_derived job facets job_facets
              input_registers output_registers stated said; .inputs .outputs (DatasetReference), .parent
DatasetEvent  digest order event_time dataset (DatasetReference) defines stated said
JobEvent      digest order event_time job job_facets inputs outputs (DatasetReference) stated said

Each has .schemas .columns .notes (of `said`), and in `stated` the facets of its job and datasets as they were sent.
"""

import functools
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.canonical import parse_json
from catalog.openlineage.envelope import (
    DatasetEnvelope,
    EventType,
    JobEnvelope,
    NamedDataset,
    RunEnvelope,
    envelope_of,
)
from catalog.openlineage.explicit import Sources
from catalog.openlineage.facets import (
    Columns,
    Registers,
    Role,
    Said,
    Schemas,
    Stated,
    dataset_registers,
    job_registers,
    run_registers,
)
from catalog.openlineage.times import instant_at, microseconds_of

#: START < RUNNING < OTHER < terminal, for events of the same microsecond.
_RANKS: dict[EventType, int] = {"START": 0, "RUNNING": 1, "OTHER": 2, "COMPLETE": 3, "ABORT": 3, "FAIL": 3}

#: An event's place among all others, as text that sorts as the events do: 15 hex digits of microseconds since
#: year 1, one digit of rank, 32 hex digits of digest.
Order = str

_TIME_DIGITS = 15

#: Registers of a dataset that hold digests of lineage of columns.
COLUMN_REGISTERS = ("columns", "lineage_columns")
#: Registers of a dataset that say what it is made of.
_DEFINING = ("lineage", *COLUMN_REGISTERS)


def order_of(event_time: datetime, event_type: EventType, digest: bytes) -> Order:
    """Return the event's place: by time, then START < RUNNING < OTHER < terminal, then digest."""
    return f"{microseconds_of(event_time):0{_TIME_DIGITS}x}{_RANKS[event_type]}{digest.hex()}"


def time_of(order: Order) -> datetime:
    """Return the event time that an order begins with."""
    return instant_at(int(order[:_TIME_DIGITS], 16))


def digest_of_order(order: Order) -> bytes:
    """Return the digest of the event whose order this is."""
    return bytes.fromhex(order[_TIME_DIGITS + 1 :])


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of a dataset (symlinks facet); `type` is upper case, for example TABLE, or empty."""

    key: DatasetKey
    type: str


@dataclass(frozen=True, slots=True)
class RunReference:
    """A run that another one names (parent facet); `derived` where the producer's id was no UUID."""

    run_id: uuid.UUID
    derived: bool
    job: JobKey


@dataclass(frozen=True, slots=True)
class Parent:
    """The run that started a run, and the one that started them all, where the producer names it."""

    run: RunReference
    root: RunReference | None

    @classmethod
    def of(cls, value: list[Any] | None) -> "Parent | None":
        """Return what a `parent` register holds."""
        if value is None:
            return None
        run, root = value
        return _parent(*run, *(root or ()))


#: Reads the numbers of a parent and a root once for all events that name them.
@functools.lru_cache(maxsize=4096)
def _parent(run_id: str, derived: bool, namespace: str, name: str, *root: Any) -> Parent:
    run = RunReference(uuid.UUID(run_id), derived, JobKey(namespace, name))
    above = RunReference(uuid.UUID(root[0]), root[1], JobKey(*root[2:])) if root else None
    return Parent(run, above)


@dataclass(frozen=True, slots=True)
class DatasetLineage:
    """What a producer says feeds a dataset: these sources and no others (none: no tracked source)."""

    datasets: tuple[DatasetKey, ...]
    jobs: tuple[JobKey, ...]

    @classmethod
    def of(cls, sources: Sources) -> "DatasetLineage":
        """Return what a `lineage` register of a dataset holds."""
        datasets, jobs = sources
        return cls(tuple(DatasetKey(*key) for key in datasets), tuple(JobKey(*key) for key in jobs))


@dataclass(frozen=True, slots=True)
class DatasetReference:
    """A dataset as an event, or a run's events together, speak of it.

    `schema` is the digest (32 hex digits) of its fields, which `schemas` of the event holds. `version` is the
    producer's own. Counts are of what was read or written. `partition` is the one partition that was touched.
    `columns` are the digests of what its facets say of its columns, which `columns` of the event holds.
    """

    key: DatasetKey
    lifecycle: str | None = None
    renamed_from: DatasetKey | None = None
    version: str | None = None
    schema: str | None = None
    aliases: tuple[Alias, ...] = ()
    row_count: int | None = None
    byte_count: int | None = None
    file_count: int | None = None
    partition: str | None = None
    description: str | None = None
    lineage: DatasetLineage | None = None
    columns: tuple[str, ...] = ()

    @property
    def changes_content(self) -> bool:
        """Whether writing it makes a version: DROP, RENAME and ALTER make none."""
        return self.lifecycle not in {"DROP", "RENAME", "ALTER"}

    @classmethod
    def of(cls, key: DatasetKey, registers: Mapping[str, Any]) -> "DatasetReference":
        """Return what the registers of a dataset hold (`facets.dataset_registers`)."""
        get = registers.get
        lifecycle, *renamed_from = get("lifecycle") or (None, None, None)
        lineage = get("lineage")
        row_count, byte_count, file_count = get("statistics") or (None, None, None)
        return cls(
            key=key,
            lifecycle=lifecycle,
            renamed_from=None if None in renamed_from else DatasetKey(*renamed_from),
            version=get("version"),
            schema=get("schema"),
            aliases=tuple(
                Alias(DatasetKey(namespace, name), kind)
                for namespace, name, kind in get("symlinks") or ()
                if (namespace, name) != key
            ),
            row_count=row_count,
            byte_count=byte_count,
            file_count=file_count,
            partition=get("partition"),
            description=get("description"),
            lineage=None if lineage is None else DatasetLineage.of(lineage),
            columns=tuple(found for found in (get("columns"), get("lineage_columns")) if found is not None)
            if "columns" in registers or "lineage_columns" in registers
            else (),
        )


@dataclass(frozen=True, slots=True)
class StatedFacets:
    """The facets of an event's job, and those of its datasets, as they were sent."""

    job: Stated
    datasets: Mapping[DatasetKey, Stated]


@dataclass(frozen=True, slots=True)
class _Event:
    """What every event has: its place among all others, and what it says besides registers."""

    digest: bytes
    order: Order
    event_time: datetime
    stated: StatedFacets
    said: Said

    @property
    def schemas(self) -> Schemas:
        """The fields of datasets, by digest."""
        return self.said.schemas

    @property
    def columns(self) -> Columns:
        """The lineage of columns, by digest."""
        return self.said.columns

    @property
    def notes(self) -> tuple[str, ...]:
        """What of its facets was ignored, and why."""
        return tuple(self.said.notes)


@dataclass(frozen=True, slots=True)
class RunEvent(_Event):
    """One event of a run. Registers hold `None` where the event deletes a facet; absent facets are absent."""

    event_type: EventType
    run_id: uuid.UUID
    run_id_derived: bool
    job: JobKey
    facets: Registers
    job_facets: Registers
    input_registers: dict[DatasetKey, Registers]
    output_registers: dict[DatasetKey, Registers]

    @property
    def parent(self) -> Parent | None:
        """The parent that this event names."""
        return Parent.of(self.facets.get("parent"))

    @property
    def inputs(self) -> tuple[DatasetReference, ...]:
        """The datasets that this event says were read."""
        return references(self.input_registers)

    @property
    def outputs(self) -> tuple[DatasetReference, ...]:
        """The datasets that this event says were written."""
        return references(self.output_registers)


@dataclass(frozen=True, slots=True)
class DatasetEvent(_Event):
    """A statement about a dataset outside any run; `defines` where it says of what the dataset is made."""

    dataset: DatasetReference
    defines: bool


@dataclass(frozen=True, slots=True)
class JobEvent(_Event):
    """A statement about a job outside any run: what it reads and writes whenever it runs."""

    job: JobKey
    job_facets: Registers
    inputs: tuple[DatasetReference, ...]
    outputs: tuple[DatasetReference, ...]


def references(registers: Mapping[DatasetKey, Mapping[str, Any]]) -> tuple[DatasetReference, ...]:
    """Return the datasets that registers by key describe, in their order."""
    return tuple(DatasetReference.of(key, values) for key, values in registers.items())


def parse_event(body: bytes, digest: bytes) -> RunEvent | DatasetEvent | JobEvent:
    """Return what an event says whose body `receive_event` accepted; `notes` names what of facets was ignored.

    Raises `InvalidJson` or `InvalidEvent` for any other body.
    """
    value = parse_json(body)
    envelope = envelope_of(value)
    match envelope:
        case RunEnvelope():
            return _run_event(envelope, value, digest)
        case DatasetEnvelope():
            return _dataset_event(envelope, digest)
        case JobEnvelope():
            return _job_event(envelope, value, digest)
        case _:
            assert_never(envelope)


def _run_event(envelope: RunEnvelope, value: dict[str, Any], digest: bytes) -> RunEvent:
    said = Said()
    job_facets, job_stated = job_registers(value["job"], said)
    stated: dict[DatasetKey, Stated] = {}
    return RunEvent(
        digest=digest,
        order=order_of(envelope.event_time, envelope.event_type, digest),
        event_time=envelope.event_time,
        event_type=envelope.event_type,
        run_id=envelope.run_id,
        run_id_derived=envelope.run_id_derived,
        job=envelope.job,
        facets=run_registers(value["run"], said),
        job_facets=job_facets,
        input_registers=_registers(envelope.inputs, "inputs", "inputFacets", stated, said),
        output_registers=_registers(envelope.outputs, "outputs", "outputFacets", stated, said),
        stated=StatedFacets(job_stated, stated),
        said=said,
    )


def _dataset_event(envelope: DatasetEnvelope, digest: bytes) -> DatasetEvent:
    said = Said()
    key, dataset = envelope.dataset
    registers, stated = dataset_registers(dataset, "/dataset", None, said)
    return DatasetEvent(
        digest=digest,
        order=order_of(envelope.event_time, "OTHER", digest),
        event_time=envelope.event_time,
        dataset=DatasetReference.of(key, registers),
        defines=any(name in registers for name in _DEFINING),
        stated=StatedFacets({}, {key: stated}),
        said=said,
    )


def _job_event(envelope: JobEnvelope, value: dict[str, Any], digest: bytes) -> JobEvent:
    said = Said()
    job_facets, job_stated = job_registers(value["job"], said)
    stated: dict[DatasetKey, Stated] = {}
    return JobEvent(
        digest=digest,
        order=order_of(envelope.event_time, "OTHER", digest),
        event_time=envelope.event_time,
        job=envelope.job,
        job_facets=job_facets,
        inputs=references(_registers(envelope.inputs, "inputs", "inputFacets", stated, said)),
        outputs=references(_registers(envelope.outputs, "outputs", "outputFacets", stated, said)),
        stated=StatedFacets(job_stated, stated),
        said=said,
    )


def _registers(
    datasets: Iterable[NamedDataset],
    member: str,
    role: Role,
    stated: dict[DatasetKey, Stated],
    said: Said,
) -> dict[DatasetKey, Registers]:
    """Return the registers by dataset, and add to its stated facets; of what is said twice, the later counts."""
    found: dict[DatasetKey, Registers] = {}
    for index, (key, dataset) in enumerate(datasets):
        registers, facets = dataset_registers(dataset, f"/{member}/{index}", role, said)
        found[key] = found[key] | registers if key in found else registers
        if facets:
            stated[key] = stated[key] | facets if key in stated else facets
    return found
