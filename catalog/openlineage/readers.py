"""Readers of facets: what one facet says, as the plain JSON value of a register.

A reader appends to `problems` what it had to leave out, and raises `SloppyError` where nothing is left. Which facet is
read by which reader, and what the value does, is said in `registry`.
"""

from typing import Any
from urllib.parse import quote

from catalog.keys import JobKey
from catalog.openlineage.canonical import canonical_form
from catalog.openlineage.envelope import run_uuid
from catalog.openlineage.sloppy import SloppyError, key_of, list_of, text_of
from catalog.openlineage.times import microseconds_of, parse_time

#: Longest text kept of an error message or a description, in characters; the ledger has all of it.
MAX_TEXT = 4096
#: Greater counts fit no bigint.
_MAX_COUNT = 2**63 - 1

_LIFECYCLES = frozenset({"ALTER", "CREATE", "DROP", "OVERWRITE", "RENAME", "TRUNCATE"})


def parent(facet: dict[str, Any], problems: list[str]) -> list[Any]:
    """[[run id, whether it was derived, namespace, name], the same of the root or null]."""
    root = facet.get("root")
    root_run = None
    if root is not None:
        try:
            root_run = _run_of_job(root)
        except SloppyError as exc:
            problems.append(f"root: {exc}")
    return [_run_of_job(facet), root_run]


def _run_of_job(value: Any) -> list[Any]:
    if type(value) is not dict or type(value.get("run")) is not dict:
        raise SloppyError("expected an object with run and job")
    namespace, name = key_of(value.get("job"))
    run_id, derived = run_uuid(text_of(value["run"].get("runId"), "runId"), JobKey(namespace, name))
    return [str(run_id), derived, namespace, name]


def nominal(facet: dict[str, Any], problems: list[str]) -> list[int | None]:
    """[start, end or null] in microseconds from `times.FIRST_INSTANT`."""
    start = _microseconds(text_of(facet.get("nominalStartTime"), "nominalStartTime"))
    end = facet.get("nominalEndTime")
    if end is None:
        return [start, None]
    try:
        return [start, _microseconds(text_of(end, "nominalEndTime"))]
    except SloppyError as exc:
        problems.append(f"nominalEndTime: {exc}")
        return [start, None]


def _microseconds(text: str) -> int:
    try:
        return microseconds_of(parse_time(text))
    except ValueError as exc:
        raise SloppyError(str(exc)) from exc


def error(facet: dict[str, Any], _: list[str]) -> str:
    """The message."""
    return text_of(facet.get("message"), "message")[:MAX_TEXT]


def extraction_error(facet: dict[str, Any], _: list[str]) -> bool | None:
    """Whether something could not be extracted; the facet may also report that all tasks went well."""
    return None if facet.get("failedTasks") == 0 and not facet.get("errors") else True


def description(facet: dict[str, Any], _: list[str]) -> str:
    """The text."""
    return text_of(facet.get("description"), "description")[:MAX_TEXT]


def fields(facet: dict[str, Any], problems: list[str]) -> list[Any] | None:
    """The fields as they were sent, nested ones within; none at all is a tombstone."""
    return _named_fields(list_of(facet.get("fields"), "fields"), "fields", problems) or None


def _named_fields(fields: list[Any], pointer: str, problems: list[str]) -> list[Any]:
    """Return the fields without those, at any level, that have no name: whoever reads them may rely on it."""
    named: list[Any] = []
    changed = False
    for index, field in enumerate(fields):
        if type(field) is not dict or type(field.get("name")) is not str or not field["name"]:
            problems.append(f"{pointer}/{index}: expected an object with a name")
            changed = True
            continue
        nested = field.get("fields")
        if nested:
            try:
                kept = _named_fields(list_of(nested, "fields"), f"{pointer}/{index}/fields", problems)
            except SloppyError as exc:
                problems.append(f"{pointer}/{index}: {exc}")
                kept = []
            if kept is not nested:
                field = field | {"fields": kept}  # noqa: PLW2901  # the field that is kept
                changed = True
        named.append(field)
    return named if changed else fields


def version(facet: dict[str, Any], _: list[str]) -> str:
    """The producer's name of the version."""
    value = facet.get("datasetVersion")
    if type(value) is int:
        return str(value)
    return text_of(value, "datasetVersion")


def lifecycle(facet: dict[str, Any], problems: list[str]) -> list[str | None]:
    """[state, namespace and name before a RENAME or twice null]."""
    state = text_of(facet.get("lifecycleStateChange"), "lifecycleStateChange").upper()
    if state not in _LIFECYCLES:
        raise SloppyError(f"expected one of {', '.join(sorted(_LIFECYCLES))}")
    if state != "RENAME" or facet.get("previousIdentifier") is None:
        return [state, None, None]
    try:
        return [state, *key_of(facet["previousIdentifier"])]
    except SloppyError as exc:
        problems.append(f"previousIdentifier: {exc}")
        return [state, None, None]


def symlinks(facet: dict[str, Any], problems: list[str]) -> list[list[str]] | None:
    """[[namespace, name, type], …] in the producer's order, each once."""
    identifiers: dict[tuple[str, str, str], None] = {}
    for index, identifier in enumerate(list_of(facet.get("identifiers"), "identifiers")):
        try:
            namespace, name = key_of(identifier)
        except SloppyError as exc:
            problems.append(f"identifiers/{index}: {exc}")
            continue
        kind = identifier.get("type")
        identifiers[namespace, name, kind.upper() if isinstance(kind, str) else ""] = None
    return [list(identifier) for identifier in identifiers] or None


def statistics(facet: dict[str, Any], problems: list[str]) -> list[int | None]:
    """[rows, bytes, files], each null where unknown."""
    return [_count(facet.get(name), name, problems) for name in ("rowCount", "size", "fileCount")]


def _count(value: Any, name: str, problems: list[str]) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int and 0 <= value <= _MAX_COUNT:
        return value
    if value is not None:
        problems.append(f"{name}: expected a count")
    return None


def partition(facet: dict[str, Any], _: list[str]) -> str | None:
    """The partition that was read or written, where it is exactly one; several change the dataset as a whole.

    Its name is the producer's identifier, else `dimension=value` sorted and joined by slashes, as in Hive.
    """
    condition = facet.get("outputCondition") or facet.get("inputCondition")
    if type(condition) is not dict or condition.get("type") != "partition":
        return None
    partitions = list_of(condition.get("partitions"), "partitions")
    if len(partitions) != 1:
        return None
    if type(partitions[0]) is not dict:
        raise SloppyError("expected a partition with dimensions")
    identifier, dimensions = partitions[0].get("identifier"), partitions[0].get("dimensions")
    if isinstance(identifier, str) and identifier:
        return identifier
    if type(dimensions) is not dict or not dimensions:
        raise SloppyError("expected a partition with dimensions")
    return "/".join(f"{_escaped(name)}={_escaped(value)}" for name, value in sorted(dimensions.items()))


def _escaped(value: Any) -> str:
    text = value if isinstance(value, str) else canonical_form(value).decode()
    return quote(text, safe=" :-_.,+@", encoding="utf-8")
