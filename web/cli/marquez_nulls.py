"""Events as producers told them, of what Marquez gives: it writes null for what they left out.

Marquez reads an event into its own classes, keeps what these write, and they write each of their members, told or not
(`LineageEvent` of Marquez 0.51). Left as they are, its nulls would say that a schema, which a producer tells again
without them, has changed. What Marquez did not keep (what `parent` says beyond names, how times were written) is lost.
"""

from collections.abc import Mapping
from typing import Any, Final

from catalog.errors import InvalidInput
from catalog.openlineage.canonical import json_form, parse_json

#: Members that are left out where they are null, each with those within it; `*` is every member, and what holds for an
#: element of an array stands at the array.
Members = Mapping[str, "Members"]

_EACH: Final = "*"
_NONE: Final[Members] = {}


def _members(*names: str, **nested: Members) -> Members:
    return dict.fromkeys(names, _NONE) | nested


def _facet(*names: str, **nested: Members) -> Members:
    return _members("_producer", "_schemaURL", *names, **nested)


_DATASET: Final = _members(
    "inputFacets",
    "outputFacets",
    facets=_members(
        "description",
        documentation=_facet("description"),
        schema=_facet(fields=_members("type", "description")),
        dataSource=_facet("name", "uri"),
        lifecycleStateChange=_facet("lifecycleStateChange"),
        columnLineage=_facet(
            fields={_EACH: _members("inputFields", "transformationDescription", "transformationType")}
        ),
        symlinks=_facet(identifiers=_members("type")),
    ),
)
_EVENT: Final = _members(
    "eventType",
    "producer",
    "schemaURL",
    run=_members(
        facets=_members(
            nominalTime=_facet("nominalStartTime", "nominalEndTime"),
            parent=_facet("run", "job"),
        )
    ),
    job=_members(
        facets=_members(
            documentation=_facet("description"),
            sourceCodeLocation=_facet("type", "url"),
            sql=_facet("query"),
            jobType=_facet("processingType", "integration", "jobType"),
        )
    ),
    inputs=_DATASET,
    outputs=_DATASET,
)


def without_added_nulls(text: str) -> str:
    """Return an event of Marquez without the nulls that it writes of itself; those of other members stay.

    A text that is no JSON, or has none of them, stays as it is.
    """
    if "null" not in text:
        return text
    try:
        value = parse_json(text.encode())
        kept = _without(value, _EVENT)
        return text if kept == value else json_form(kept).decode()
    except (InvalidInput, UnicodeEncodeError):
        return text


def _without(value: Any, members: Members) -> Any:
    match value:
        case dict():
            nested = {name: members.get(name, members.get(_EACH)) for name in value}
            return {
                name: member if (within := nested[name]) is None else _without(member, within)
                for name, member in value.items()
                if member is not None or nested[name] is None
            }
        case list():
            return [_without(element, members) for element in value]
        case _:
            return value
