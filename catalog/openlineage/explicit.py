"""The `lineage` facet: lineage that a producer states, in place of the product of inputs and outputs.

Only what decides at table level is kept; fields and transformations stay in the ledger's body, but the
datasets that fields come from count as sources, so that nothing is lost at table level. Source: OpenLineage
`facets/1-0-0/LineageFacet.json`.
"""

from typing import Any

from catalog.openlineage.sloppy import SloppyError, key_of, list_of

#: [[namespace, name] of the source datasets, the same of the source jobs], each sorted and once.
#: A source that is the event's own job is in neither: that the job makes its outputs is known.
Sources = list[list[list[str]]]


def lineage_sources(facet: dict[str, Any], problems: list[str]) -> Sources:
    """Return what feeds a dataset, from its entity-level inputs and from those of its fields.

    A source that cannot be read is left out and the rest stays explicit: to fall back on the product would
    claim more than the producer says.
    """
    datasets: set[tuple[str, str]] = set()
    jobs: set[tuple[str, str]] = set()
    inputs = list(list_of(facet.get("inputs"), "inputs"))
    fields = facet.get("fields")
    if isinstance(fields, dict):
        for name, entry in fields.items():
            try:
                inputs += list_of(entry.get("inputs") if isinstance(entry, dict) else "", "inputs")
            except SloppyError as exc:
                problems.append(f"fields/{name}: {exc}")
    elif fields is not None:
        problems.append("fields: expected an object")
    for source in inputs:
        try:
            match _type_of(source):
                case "DATASET":
                    datasets.add(key_of(source))
                case "JOB" if _names_its_job(source):
                    jobs.add(key_of(source))
                case _:
                    pass  # the event's own job
        except SloppyError as exc:
            problems.append(f"inputs: {exc}")
    return [[list(key) for key in sorted(keys)] for keys in (datasets, jobs)]


def lineage_entries(facet: dict[str, Any], problems: list[str]) -> list[list[Any]]:
    """Return [[type, namespace, name, sources], …] of a job's lineage facet.

    The type is DATASET or JOB; namespace and name are null where the target is the event's own job.
    """
    if "entries" not in facet:
        raise SloppyError("expected entries")
    entries: list[list[Any]] = []
    for index, entry in enumerate(list_of(facet["entries"], "entries")):
        try:
            kind = _type_of(entry)
            own_job = kind == "JOB" and not _names_its_job(entry)
            namespace, name = (None, None) if own_job else key_of(entry)
            found: list[str] = []
            entries.append([kind, namespace, name, lineage_sources(entry, found)])
            problems.extend(f"entries/{index}/{problem}" for problem in found)
        except SloppyError as exc:
            problems.append(f"entries/{index}: {exc}")
    return entries


def _type_of(value: Any) -> str:
    if type(value) is not dict:
        raise SloppyError("expected an object with type, namespace and name")
    kind = value.get("type", "DATASET")
    if kind not in {"DATASET", "JOB"}:
        raise SloppyError("type: expected DATASET or JOB")
    return str(kind)


def _names_its_job(value: dict[str, Any]) -> bool:
    return value.get("namespace") is not None or value.get("name") is not None
