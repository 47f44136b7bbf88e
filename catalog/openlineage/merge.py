"""All events of one run, merged: the same result whatever their order, grouping and repetition.

    MergedRun()                          no event yet: the neutral element
    MergedRun.of(event) -> MergedRun     one event alone
    run.merge_event(event) -> MergedRun
    run.merge(other) -> MergedRun        commutative, associative, idempotent
    run.encode() -> bytes                JSON; MergedRun.decode(run.encode()) == run, and equal runs encode equally

    .state .job .has_complete .complete_time .disputed .started_at .ended_at .last_event_at .parent
    .error_message .extraction_error .nominal_start .nominal_end .job_lineage .job_columns .column_digests
    .inputs .outputs (dict[DatasetKey, DatasetReference])

Everything is a register: a value with the order of the event that wrote it, of which the greatest wins. A
merge keeps the greater of each two registers, so its laws are those of the maximum. Schemas and lineage of columns
stand in it by digest only; the bodies are in `schemas` and `columns` of the event that brought them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from catalog.errors import NotUnderstood
from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.envelope import EventType
from catalog.openlineage.events import COLUMN_REGISTERS, DatasetReference, Order, Parent, RunEvent, time_of
from catalog.openlineage.facets import Registers
from catalog.openlineage.times import instant_at

#: A value with the order of the event that wrote it; the value `None` is a tombstone.
Register = tuple[Order, Any]
RegisterMap = Mapping[str, Register]
DatasetRegisters = Mapping[DatasetKey, RegisterMap]

_FORMAT = 1
_FAILED = frozenset({"FAIL", "ABORT"})


@dataclass(frozen=True, slots=True)
class MergedRun:
    """What the events of one run say together. Properties have a value as soon as one event was merged.

    `registers` holds those of the run and its job, `job_registers` the facets of the job. `first_start` is
    the smallest order of a START event.
    """

    registers: RegisterMap = field(default_factory=dict)
    job_registers: RegisterMap = field(default_factory=dict)
    input_registers: DatasetRegisters = field(default_factory=dict)
    output_registers: DatasetRegisters = field(default_factory=dict)
    first_start: Order | None = None

    @classmethod
    def of(cls, event: RunEvent) -> "MergedRun":
        """Return the state of a run of which only this event is known."""
        order, event_type = event.order, event.event_type
        registers = _written(event.facets, order)
        registers["last"] = (order, event_type)
        registers["job"] = (order, list(event.job))
        if event.run_id_derived:
            registers["id_derived"] = (order, True)
        if event_type == "COMPLETE":
            registers["terminal"] = registers["complete"] = (order, event_type)
        elif event_type in _FAILED:
            registers["terminal"] = registers["failure"] = (order, event_type)
        return cls(
            registers=registers,
            job_registers=_written(event.job_facets, order),
            input_registers={key: _written(values, order) for key, values in event.input_registers.items()},
            output_registers={key: _written(values, order) for key, values in event.output_registers.items()},
            first_start=order if event_type == "START" else None,
        )

    def merge_event(self, event: RunEvent) -> "MergedRun":
        """Return the state with one event more; the same state where it was merged before."""
        return self.merge(MergedRun.of(event))

    def merge(self, other: "MergedRun") -> "MergedRun":
        """Return the state of all events that this state or the other knows, which must be of one run."""
        starts = [start for start in (self.first_start, other.first_start) if start is not None]
        return MergedRun(
            registers=_greater(self.registers, other.registers),
            job_registers=_greater(self.job_registers, other.job_registers),
            input_registers=_greater_by_key(self.input_registers, other.input_registers),
            output_registers=_greater_by_key(self.output_registers, other.output_registers),
            first_start=min(starts, default=None),
        )

    @property
    def state(self) -> EventType:
        """The type of the greatest terminal event, else of the greatest event."""
        _, event_type = self.registers.get("terminal") or self.registers["last"]
        return event_type  # type: ignore[no-any-return]  # `of` wrote it

    @property
    def job(self) -> JobKey:
        """The job that the greatest event names."""
        return JobKey(*self.registers["job"][1])

    @property
    def has_complete(self) -> bool:
        """Whether a COMPLETE event arrived, whatever else did."""
        return "complete" in self.registers

    @property
    def complete_time(self) -> datetime | None:
        """The event time of the greatest COMPLETE."""
        return self._time("complete")

    @property
    def disputed(self) -> bool:
        """Whether a FAIL or ABORT is greater than the greatest COMPLETE."""
        complete, failure = self.registers.get("complete"), self.registers.get("failure")
        return complete is not None and failure is not None and failure[0] > complete[0]

    @property
    def started_at(self) -> datetime | None:
        """The time of the earliest START event; unknown where none arrived."""
        return None if self.first_start is None else time_of(self.first_start)

    @property
    def ended_at(self) -> datetime | None:
        """The time of the greatest terminal event."""
        return self._time("terminal")

    @property
    def last_event_at(self) -> datetime | None:
        """The time of the greatest event."""
        return self._time("last")

    @property
    def parent(self) -> Parent | None:
        """The run that started this one, with its root where the producer names it."""
        return Parent.of(self._value("parent"))

    @property
    def error_message(self) -> str | None:
        """What the producer says went wrong."""
        return self._value("error")  # type: ignore[no-any-return]  # `facets` wrote it

    @property
    def id_derived(self) -> bool:
        """Whether the producer's run id is no UUID, so that the run's id was made of it and of the job's name."""
        return self._value("id_derived") is True

    @property
    def extraction_error(self) -> bool:
        """Whether the producer could not extract all lineage, so that what is missing means nothing."""
        return self._value("extraction_error") is True

    @property
    def nominal_start(self) -> datetime | None:
        """The time for which the run was scheduled."""
        nominal = self._value("nominal")
        return None if nominal is None else instant_at(nominal[0])

    @property
    def nominal_end(self) -> datetime | None:
        """The end of the interval for which the run was scheduled."""
        nominal = self._value("nominal")
        return None if nominal is None or nominal[1] is None else instant_at(nominal[1])

    @property
    def job_lineage(self) -> list[list[Any]] | None:
        """The entries of the job's lineage facet (`explicit.lineage_entries`)."""
        return self._job_value("lineage")  # type: ignore[no-any-return]  # `explicit` wrote it

    @property
    def job_columns(self) -> list[list[str]]:
        """What the job's lineage facet says of columns: namespace and name of each dataset, and the digest."""
        return self._job_value("entry_columns") or []

    @property
    def column_digests(self) -> set[str]:
        """The digests of everything that is said of columns of outputs."""
        found = {digest for _, _, digest in self.job_columns}
        for registers in self.output_registers.values():
            for name in COLUMN_REGISTERS:
                if name in registers and (digest := registers[name][1]) is not None:
                    found.add(digest)
        return found

    @property
    def inputs(self) -> dict[DatasetKey, DatasetReference]:
        """The datasets that some event says were read; made anew at each access."""
        return _references(self.input_registers)

    @property
    def outputs(self) -> dict[DatasetKey, DatasetReference]:
        """The datasets that some event says were written; made anew at each access."""
        return _references(self.output_registers)

    def _value(self, name: str) -> Any:
        register = self.registers.get(name)
        return None if register is None else register[1]

    def _job_value(self, name: str) -> Any:
        register = self.job_registers.get(name)
        return None if register is None else register[1]

    def _time(self, name: str) -> datetime | None:
        register = self.registers.get(name)
        return None if register is None else time_of(register[0])

    def encode(self) -> bytes:
        """Return the state as JSON. Orders stand in one list, since a run's registers share few of them."""
        maps = [
            self.registers,
            self.job_registers,
            *self.input_registers.values(),
            *self.output_registers.values(),
        ]
        used = {order for registers in maps for order, _ in registers.values()}
        if self.first_start is not None:
            used.add(self.first_start)
        orders = sorted(used)
        place = {order: index for index, order in enumerate(orders)}
        state = {
            "format": _FORMAT,
            "orders": orders,
            "start": None if self.first_start is None else place[self.first_start],
            "run": _packed(self.registers, place),
            "job": _packed(self.job_registers, place),
            "inputs": _packed_by_key(self.input_registers, place),
            "outputs": _packed_by_key(self.output_registers, place),
        }
        return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def decode(cls, data: bytes) -> "MergedRun":
        """Return the state that `encode` wrote; raise `NotUnderstood` for a newer format."""
        state = orjson.loads(data)
        if state["format"] > _FORMAT:
            raise NotUnderstood(f"expected a merged run of format {_FORMAT}, found {state['format']!r}")
        if state["format"] != _FORMAT:
            raise ValueError(f"expected a merged run of format {_FORMAT}, found {state['format']!r}")
        orders = state["orders"]
        return cls(
            registers=_unpacked(state["run"], orders),
            job_registers=_unpacked(state["job"], orders),
            input_registers=_unpacked_by_key(state["inputs"], orders),
            output_registers=_unpacked_by_key(state["outputs"], orders),
            first_start=None if state["start"] is None else orders[state["start"]],
        )


def _written(values: Registers, order: Order) -> dict[str, Register]:
    return {name: (order, value) for name, value in values.items()}


def _greater(ours: RegisterMap, theirs: RegisterMap) -> RegisterMap:
    if not theirs:
        return ours
    merged = dict(ours)
    for name, register in theirs.items():
        mine = merged.get(name)
        if mine is None or mine[0] < register[0]:
            merged[name] = register
    return merged


def _greater_by_key(ours: DatasetRegisters, theirs: DatasetRegisters) -> DatasetRegisters:
    if not theirs:
        return ours
    merged = dict(ours)
    for key, registers in theirs.items():
        mine = merged.get(key)
        merged[key] = registers if mine is None else _greater(mine, registers)
    return merged


def _references(datasets: DatasetRegisters) -> dict[DatasetKey, DatasetReference]:
    return {
        key: DatasetReference.of(key, {name: value for name, (_, value) in registers.items()})
        for key, registers in datasets.items()
    }


def _packed(registers: RegisterMap, place: Mapping[Order, int]) -> dict[str, list[Any]]:
    return {name: [place[order], value] for name, (order, value) in registers.items()}


def _packed_by_key(datasets: DatasetRegisters, place: Mapping[Order, int]) -> list[list[Any]]:
    return [[*key, _packed(datasets[key], place)] for key in sorted(datasets)]


def _unpacked(packed: Mapping[str, list[Any]], orders: list[Order]) -> dict[str, Register]:
    return {name: (orders[index], value) for name, (index, value) in packed.items()}


def _unpacked_by_key(packed: list[list[Any]], orders: list[Order]) -> dict[DatasetKey, RegisterMap]:
    return {
        DatasetKey(namespace, name): _unpacked(registers, orders) for namespace, name, registers in packed
    }
