"""What every event must have: its kind, its time, and the names of what it speaks of.

Strict about these alone; whatever else an event holds (facets, extra fields) never makes it invalid.
Source: OpenLineage 2-0-2, `$defs/RunEvent`, `DatasetEvent`, `JobEvent`.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from catalog.errors import InvalidEvent
from catalog.keys import DatasetKey, JobKey, name_based_uuid
from catalog.openlineage.limits import MAX_NAME_BYTES
from catalog.openlineage.times import parse_time

EventKind = Literal["run", "dataset", "job"]
EventType = Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]

EVENT_TYPES: frozenset[str] = frozenset(get_args(EventType))

_KINDS = {type(None): "null", bool: "a boolean", str: "text", list: "an array", dict: "an object"}

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)


#: A dataset's key, and the dataset as the event holds it.
NamedDataset = tuple[DatasetKey, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RunEnvelope:
    """What a RunEvent must have; without `eventType` it is OTHER."""

    event_time: datetime
    event_type: EventType
    run_id: uuid.UUID
    run_id_derived: bool
    job: JobKey
    inputs: tuple[NamedDataset, ...]
    outputs: tuple[NamedDataset, ...]


@dataclass(frozen=True, slots=True)
class DatasetEnvelope:
    """What a DatasetEvent must have."""

    event_time: datetime
    dataset: NamedDataset


@dataclass(frozen=True, slots=True)
class JobEnvelope:
    """What a JobEvent must have."""

    event_time: datetime
    job: JobKey
    inputs: tuple[NamedDataset, ...]
    outputs: tuple[NamedDataset, ...]


Envelope = RunEnvelope | DatasetEnvelope | JobEnvelope


def envelope_of(value: Any) -> Envelope:
    """Return the envelope of a parsed event; raise `InvalidEvent` with a pointer to the fault."""
    if type(value) is not dict:
        raise InvalidEvent(f"expected an event, which is a JSON object, found {_kind(value)}")
    kind = _kind_of_event(value)
    event_time = _event_time(value.get("eventTime"))
    match kind:
        case "run":
            event_type = _event_type(value.get("eventType"))
            job = JobKey(*_key(value["job"], "/job"))
            run_id, derived = _run_id(value["run"], job)
            inputs, outputs = _datasets(value, "inputs"), _datasets(value, "outputs")
            return RunEnvelope(event_time, event_type, run_id, derived, job, inputs, outputs)
        case "job":
            job = JobKey(*_key(value["job"], "/job"))
            return JobEnvelope(event_time, job, _datasets(value, "inputs"), _datasets(value, "outputs"))
        case "dataset":
            dataset = value["dataset"]
            return DatasetEnvelope(event_time, (DatasetKey(*_key(dataset, "/dataset")), dataset))


def _kind_of_event(value: dict[str, Any]) -> EventKind:
    """Infer the kind from the shape; `schemaURL` only decides where the shape fits two kinds."""
    has_run, has_job, has_dataset = (value.get(name) is not None for name in ("run", "job", "dataset"))
    if has_run and has_job:
        return "run"
    if has_dataset and not has_job:
        return "dataset"
    if has_job and has_dataset:
        url = value.get("schemaURL")
        return "dataset" if isinstance(url, str) and url.endswith("DatasetEvent") else "job"
    if has_job:
        return "job"
    if has_run:
        raise InvalidEvent("expected the job of the run", pointer="/job")
    raise InvalidEvent(
        "expected run and job (RunEvent), job (JobEvent) or dataset (DatasetEvent), found none"
    )


def _event_time(value: Any) -> datetime:
    if not isinstance(value, str):
        found = "nothing" if value is None else _kind(value)
        message = f"expected a time such as 2024-10-17T09:18:11.101Z, found {found}"
        raise InvalidEvent(message, pointer="/eventTime")
    try:
        return parse_time(value)
    except ValueError as exc:
        raise InvalidEvent(str(exc), pointer="/eventTime") from exc


def _event_type(value: Any) -> EventType:
    """Read the type; in lower case it is still clear, and some producers write it so."""
    if value is None:
        return "OTHER"
    name = value.upper() if isinstance(value, str) else None
    if name not in EVENT_TYPES:
        allowed = ", ".join(get_args(EventType))
        message = f"expected one of {allowed}, found {str(value)[:100]!r}"
        raise InvalidEvent(message, pointer="/eventType")
    return name  # type: ignore[return-value]  # its membership was just checked


def _run_id(run: Any, job: JobKey) -> tuple[uuid.UUID, bool]:
    if type(run) is not dict:
        raise InvalidEvent(f"expected an object with runId, found {_kind(run)}", pointer="/run")
    raw = run.get("runId")
    if type(raw) is not str or not raw:
        found = "nothing" if raw is None else "empty text" if raw == "" else _kind(raw)
        raise InvalidEvent(f"expected a UUID, found {found}", pointer="/run/runId")
    _check_length(raw, "/run/runId")
    return run_uuid(raw, job)


def run_uuid(raw: str, job: JobKey) -> tuple[uuid.UUID, bool]:
    """Return the run's UUID and whether it had to be derived, because the producer's id is none.

    The job belongs to what it is derived from: such ids (`run_id`, `manual__2024-10-17`) are unique within a
    job at best. Whatever refers to a run (the parent facet, its root) names the job beside the id, and so
    finds the same UUID.
    """
    if _UUID.fullmatch(raw):
        return uuid.UUID(raw), False
    return name_based_uuid("run", job.namespace, job.name, raw), True


def _datasets(value: dict[str, Any], role: str) -> tuple[NamedDataset, ...]:
    """Return the datasets in their order; a missing list is an empty one."""
    datasets = value.get(role)
    if datasets is None:
        return ()
    if type(datasets) is not list:
        raise InvalidEvent(f"expected an array of datasets, found {_kind(datasets)}", pointer=f"/{role}")
    return tuple(
        (DatasetKey(*_key(dataset, f"/{role}/{index}")), dataset) for index, dataset in enumerate(datasets)
    )


def _key(value: Any, pointer: str) -> tuple[str, str]:
    if type(value) is not dict:
        message = f"expected an object with namespace and name, found {_kind(value)}"
        raise InvalidEvent(message, pointer=pointer)
    namespace, name = value.get("namespace"), value.get("name")
    # One condition for the usual case: this runs for every dataset of every event.
    if (
        type(namespace) is str
        and type(name) is str
        and 0 < len(namespace) <= MAX_NAME_BYTES // 4
        and 0 < len(name) <= MAX_NAME_BYTES // 4
    ):
        return namespace, name
    return _name(namespace, f"{pointer}/namespace"), _name(name, f"{pointer}/name")


def _name(value: Any, pointer: str) -> str:
    if type(value) is not str:
        found = "nothing" if value is None else _kind(value)
        raise InvalidEvent(f"expected text, found {found}", pointer=pointer)
    if not value:
        raise InvalidEvent("expected a name, found empty text", pointer=pointer)
    _check_length(value, pointer)
    return value


def _check_length(value: str, pointer: str) -> None:
    if len(value) > MAX_NAME_BYTES // 4 and len(value.encode()) > MAX_NAME_BYTES:
        message = f"expected at most {MAX_NAME_BYTES} bytes, found {len(value.encode())}"
        raise InvalidEvent(message, pointer=pointer)


def _kind(value: Any) -> str:
    """Name the kind of a JSON value, never the value itself: it may be a secret or very long."""
    return _KINDS.get(type(value), "a number")
