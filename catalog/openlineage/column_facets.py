"""Lineage of columns as facets write it: `columnLineage` in its old form and its current one, and `lineage`.

A source that cannot be read, or that names no field, is left out and the rest stays: nothing is claimed that is not
said. Sources: OpenLineage `facets/1-2-0/ColumnLineageDatasetFacet.json`, `facets/1-0-0/LineageFacet.json`.
"""

from collections.abc import Iterable
from typing import Any

from catalog.keys import DatasetKey
from catalog.openlineage.columns import ColumnLineage, ColumnSource, Transformation
from catalog.openlineage.sloppy import SloppyError, key_of, list_of, text_of

#: Longest text kept of a transformation's description, in characters; the ledger has all of it.
MAX_DESCRIPTION = 4096

#: A target dataset (namespace, name) of a job's `lineage` facet, and what is said of its columns.
EntryColumns = tuple[str, str, ColumnLineage]


def column_lineage(facet: dict[str, Any], problems: list[str]) -> ColumnLineage | None:
    """Return what a `columnLineage` facet says, None where it names neither a field nor a source."""
    fields: dict[str, list[ColumnSource]] = {}
    for name, entry in _fields_of(facet, problems):
        try:
            sources = list_of(entry.get("inputFields"), "inputFields")
        except SloppyError as exc:
            problems.append(f"fields/{name}: {exc}")
            continue
        fields[name] = list(
            _sources(sources, _old_transformation(entry), f"fields/{name}/inputFields", problems)
        )
    of_all = _list_in(facet, "dataset", problems)
    return _lineage(fields, list(_sources(of_all, (), "dataset", problems)))


def lineage_columns(facet: dict[str, Any], _: list[str]) -> ColumnLineage | None:
    """Return what a dataset's `lineage` facet, or an entry of a job's, says of columns, None where it says nothing.

    Its faults are told by the reader of its tables.
    """
    untold: list[str] = []
    fields = {
        name: list(_sources(_list_in(entry, "inputs", untold), (), name, untold))
        for name, entry in _fields_of(facet, untold)
    }
    of_all = (source for source in _list_in(facet, "inputs", untold) if _names_field(source))
    return _lineage(fields, list(_sources(of_all, (), "inputs", untold)))


def entry_columns(facet: dict[str, Any], _: list[str]) -> list[EntryColumns] | None:
    """Return what the entries of a job's `lineage` facet say of the columns of their target datasets."""
    found: list[EntryColumns] = []
    untold: list[str] = []
    for entry in _list_in(facet, "entries", untold):
        if type(entry) is not dict or entry.get("type", "DATASET") != "DATASET":
            continue
        lineage = lineage_columns(entry, untold)
        if lineage is not None:
            try:
                found.append((*key_of(entry), lineage))
            except SloppyError:
                continue
    return found or None


def _lineage(fields: dict[str, list[ColumnSource]], of_all: list[ColumnSource]) -> ColumnLineage | None:
    return ColumnLineage.of(fields, of_all) if fields or of_all else None


def _fields_of(facet: dict[str, Any], problems: list[str]) -> Iterable[tuple[str, dict[str, Any]]]:
    fields = facet.get("fields")
    if fields is None:
        return
    if type(fields) is not dict:
        problems.append("fields: expected an object")
        return
    for name, entry in fields.items():
        if type(entry) is dict and name:
            yield name, entry
        else:
            problems.append(f"fields/{name}: expected a name with an object")


def _list_in(facet: dict[str, Any], name: str, problems: list[str]) -> list[Any]:
    try:
        return list_of(facet.get(name), name)
    except SloppyError as exc:
        problems.append(str(exc))
        return []


def _names_field(source: Any) -> bool:
    """Whether a source of a `lineage` facet is a field: it may also be a dataset as a whole, or a job."""
    return (
        type(source) is dict
        and source.get("type", "DATASET") == "DATASET"
        and source.get("field") is not None
    )


def _sources(
    sources: Iterable[Any], else_by: tuple[Transformation, ...], pointer: str, problems: list[str]
) -> Iterable[ColumnSource]:
    """Yield the sources; `else_by` are the transformations of those that name none themselves."""
    for index, source in enumerate(sources):
        if not _names_field(source):
            problems.append(f"{pointer}/{index}: expected a field of a dataset")
            continue
        try:
            key, field = DatasetKey(*key_of(source)), text_of(source["field"], "field")
            named = list_of(source.get("transformations"), "transformations")
        except SloppyError as exc:
            problems.append(f"{pointer}/{index}: {exc}")
            continue
        found = tuple([_transformation(value) for value in named if type(value) is dict]) if named else ()
        yield ColumnSource(key, field, found or else_by)


def _transformation(value: dict[str, Any]) -> Transformation:
    return Transformation(
        _text(value.get("type")),
        _text(value.get("subtype")),
        _text(value.get("description")),
        value.get("masking") is True,
    )


def _old_transformation(entry: dict[str, Any]) -> tuple[Transformation, ...]:
    """Return the transformation that the facet's old form names once for all sources of a field.

    Both types that it knows, IDENTITY and MASKED, are made of the value itself, so they are direct.
    """
    kind, description = _text(entry.get("transformationType")), _text(entry.get("transformationDescription"))
    if not kind and not description:
        return ()
    return (
        Transformation(
            "DIRECT" if kind in {"IDENTITY", "MASKED"} else "", kind, description, kind == "MASKED"
        ),
    )


def _text(value: Any) -> str:
    return value[:MAX_DESCRIPTION] if isinstance(value, str) else ""
