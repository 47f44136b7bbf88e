"""All that GraphQL tells of what is stored, so that two instants can be compared."""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from graphql import GraphQLObjectType, get_named_type, is_leaf_type, is_required_argument

from tests.support.graphql import Asking, asking
from tests.support.graphql_fuzz import SCHEMA

#: Lists that hold everything, and what is asked about each node that they name.
LISTS = ("datasets", "jobs", "pipelines", "pipelineRuns", "documents", "webhooks")
OF_NODES = ("lineage", "impact")
#: How deep an answer is compared, from each root on.
DEEPEST = 4
#: Where an answer says when it was computed, by type.
COMPUTED = {
    "Lineage": {"position"},
    "Impact": {"position"},
    "JobNeighbours": {"position"},
    "Condition": {"durationSeconds"},
}


def told(database_url: str, data_dir: Path, *, without: Mapping[str, AbstractSet[str]]) -> dict[str, Any]:
    """Return every answer about what is stored, by what was asked; `without` names fields to leave out, by type."""
    found: dict[str, Any] = {}

    async def story(ask: Asking) -> None:
        for name in LISTS:
            found[name] = (await ask.data(f"{{ {name}(first: 100) {_fields(_type_of(name), without)} }}"))[
                name
            ]
        nodes = [node["id"] for name in ("datasets", "jobs") for node in found[name]["nodes"]]
        for name in OF_NODES:
            query = f"query($node: ID!) {{ {name}(nodeId: $node) {_fields(_type_of(name), without)} }}"
            for node in nodes:
                found[f"{name} {node}"] = (await ask.data(query, {"node": node}))[name]

    async def asked() -> None:
        async with asking(
            database_url, data_dir, query_max_complexity=10**12, query_max_depth=2 * DEEPEST
        ) as ask:
            await story(ask)

    asyncio.run(asked())
    return found


def _type_of(name: str) -> GraphQLObjectType:
    assert SCHEMA.query_type is not None
    found = get_named_type(SCHEMA.query_type.fields[name].type)
    assert isinstance(found, GraphQLObjectType)
    return found


def _fields(
    kind: GraphQLObjectType, without: Mapping[str, AbstractSet[str]], above: tuple[str, ...] = ()
) -> str:
    """Return the selection of all fields of the type, and of theirs as deep as is compared, none within itself."""
    left_out = {*without.get(kind.name, ()), *COMPUTED.get(kind.name, ())}
    if kind.name.endswith("Connection") or kind.name == "SearchHits":
        left_out |= {"position", "edges", "pageInfo"}
    parts = []
    for name, field in kind.fields.items():
        of = get_named_type(field.type)
        if name in left_out or any(map(is_required_argument, field.args.values())):
            continue
        if is_leaf_type(of):
            parts.append(name)
        elif of.name not in above and len(above) < DEEPEST - 1:
            assert isinstance(of, GraphQLObjectType)
            parts.append(f"{name} {_fields(of, without, (*above, kind.name))}")
    return "{ " + " ".join(parts or ["__typename"]) + " }"


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Return where two answers differ, and how."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        return [each for key in before for each in differences(before[key], after[key], f"{path}/{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [each for index, (a, b) in pairs for each in differences(a, b, f"{path}/{index}")]
    return [] if before == after else [f"{path}: {before!r:.200}, then {after!r:.200}"]
