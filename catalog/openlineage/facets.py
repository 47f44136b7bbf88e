"""What the facets of an event say: registers, in which a run's events are merged, and facets as they were sent.

A facet that is present writes its registers (`registry` says which); `_deleted: true`, or a value that says "none",
writes `None` (a tombstone); an absent facet writes nothing. A sloppy facet (another type than the specification's, a
name missing) never makes an event invalid: it writes nothing, or what of it can be read, and a note says where it
stands. Values are plain JSON, so that a merged run can be stored and read back unchanged; what is large stands in
them by digest, and its bodies in `Said`.

    run       parent, nominal, error, extraction_error
    job       lineage, entry_columns
    dataset   schema, version, lifecycle, symlinks, statistics, partition, description, columns, lineage,
              lineage_columns

The facets of jobs and datasets, known or not, are also kept as they were sent (`Stated`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from catalog.openlineage.canonical import canonical_form, digest_of
from catalog.openlineage.columns import ColumnLineage
from catalog.openlineage.registry import FacetRule, Place, rules_of
from catalog.openlineage.remembered import Remembered
from catalog.openlineage.sloppy import SloppyError

#: Register name -> value; `None` is a tombstone.
Registers = dict[str, Any]
#: Digest of a schema's fields (32 hex digits) -> the fields, as the producer sent them.
Schemas = dict[str, list[Any]]
#: Digest of a lineage of columns (32 hex digits) -> the lineage.
Columns = dict[str, ColumnLineage]
#: Where an event holds the facets that a dataset has only as an input, or only as an output.
Role = Literal["inputFacets", "outputFacets"]

_PLACES: dict[Role, Place] = {"inputFacets": "input", "outputFacets": "output"}


class Body(NamedTuple):
    """A facet as it was sent: canonical JSON, and the digest (16 bytes) of that."""

    digest: bytes
    json: bytes


#: The facets of a job or a dataset by name; `None` is a tombstone.
Stated = dict[str, Body | None]


@dataclass(slots=True)
class Said:
    """What an event says besides its registers: bodies by digest, and notes on facets that were ignored."""

    schemas: Schemas = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _Reading(NamedTuple):
    """What one facet says, which depends on its body alone."""

    registers: Registers
    problems: tuple[str, ...]
    schemas: Schemas
    columns: Columns


#: What facets of datasets and jobs say, by place, name and digest: producers repeat them from run to run.
_READ: Remembered[tuple[Place, str, bytes], _Reading] = Remembered(most_bytes=16 * 1024 * 1024)


def run_registers(run: Mapping[str, Any], said: Said) -> Registers:
    """Return the registers that the facets of an event's run write."""
    registers = _registers_at("run", run.get("facets"), "/run/facets", said)
    legacy = registers.pop("legacy_parent", None)
    if legacy is not None:
        registers.setdefault("parent", legacy)
    return registers


def job_registers(job: Mapping[str, Any], said: Said) -> tuple[Registers, Stated]:
    """Return the registers that the facets of an event's job write, and the facets."""
    return _stated_at("job", job.get("facets"), "/job/facets", said)


def dataset_registers(
    dataset: Mapping[str, Any], pointer: str, role: Role | None, said: Said
) -> tuple[Registers, Stated]:
    """Return the registers that a dataset's facets write, its role's too, and the facets without its role's."""
    registers, stated = _stated_at("dataset", dataset.get("facets"), f"{pointer}/facets", said)
    if role is not None and dataset.get(role):
        registers |= _registers_at(_PLACES[role], dataset[role], f"{pointer}/{role}", said)
    return registers, stated


def facets_in(facets: Any) -> Mapping[str, dict[str, Any]]:
    """Return those facets of an event's part that are objects, as a facet must be."""
    if type(facets) is not dict:
        return {}
    return {name: facet for name, facet in facets.items() if type(facet) is dict}


def is_deleted(facet: Mapping[str, Any]) -> bool:
    """Whether the facet says that it holds no longer."""
    return facet.get("_deleted") is True


def _registers_at(place: Place, facets: Any, pointer: str, said: Said) -> Registers:
    """Return the registers of facets that are not kept as they were sent."""
    registers: Registers = {}
    rules = rules_of(place)
    for name, facet in _objects(facets, pointer, said):
        rule = rules.get(name)
        if rule is None or not rule.registers:
            continue
        if is_deleted(facet):
            registers.update((register, None) for register, _ in rule.registers)
        else:
            _take(_read(rule, facet), registers, f"{pointer}/{name}", said)
    return registers


def _stated_at(place: Place, facets: Any, pointer: str, said: Said) -> tuple[Registers, Stated]:
    """Return the registers of facets that are kept as they were sent, and the facets."""
    registers: Registers = {}
    stated: Stated = {}
    rules = rules_of(place)
    for name, facet in _objects(facets, pointer, said):
        rule = rules.get(name)
        if is_deleted(facet):
            stated[name] = None
            if rule is not None:
                registers.update((register, None) for register, _ in rule.registers)
            continue
        json = canonical_form(facet)
        digest = digest_of(json)
        stated[name] = Body(digest, json)
        if rule is not None and rule.registers:
            reading = _READ.get((place, name, digest))
            if reading is None:
                reading = _read(rule, facet)
                _READ.put((place, name, digest), reading, len(json))
            _take(reading, registers, f"{pointer}/{name}", said)
    return registers, stated


def _objects(facets: Any, pointer: str, said: Said) -> list[tuple[str, dict[str, Any]]]:
    """Return the facets by name, without those that are none."""
    if facets is None:
        return []
    if type(facets) is not dict:
        said.notes.append(f"{pointer}: expected an object")
        return []
    found = []
    for name, facet in facets.items():
        if type(facet) is dict:
            found.append((name, facet))
        elif facet is not None:
            said.notes.append(f"{pointer}/{name}: expected an object")
    return found


def _take(reading: _Reading, registers: Registers, pointer: str, said: Said) -> None:
    registers.update(reading.registers)
    # Most facets have none of these, and this runs for every facet.
    if reading.schemas:
        said.schemas.update(reading.schemas)
    if reading.columns:
        said.columns.update(reading.columns)
    if reading.problems:
        said.notes.extend(f"{pointer}: {problem}" for problem in reading.problems)


def _read(rule: FacetRule, facet: dict[str, Any]) -> _Reading:
    problems: list[str] = []
    reading = _Reading({}, (), {}, {})
    for register, read in rule.registers:
        try:
            reading.registers[register] = _kept(register, read(facet, problems), reading)
        except SloppyError as exc:
            problems.append(str(exc))
    return reading._replace(problems=tuple(problems))


def _kept(register: str, value: Any, reading: _Reading) -> Any:
    """Return the value as a register holds it: what is large by digest, with its body in the reading."""
    if value is None:
        return None
    match register:
        case "schema":
            digest = digest_of(canonical_form(value)).hex()
            reading.schemas[digest] = value
            return digest
        case "columns" | "lineage_columns":
            reading.columns[value.digest] = value
            return value.digest
        case "entry_columns":
            reading.columns.update((lineage.digest, lineage) for _, _, lineage in value)
            return [[namespace, name, lineage.digest] for namespace, name, lineage in value]
        case _:
            return value
