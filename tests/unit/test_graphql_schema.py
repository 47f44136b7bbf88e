"""The published schema is the one in the code, and every word of it is explained."""

import subprocess
import sys
from pathlib import Path

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, build_schema

from web.graphql.schema import GRAPHQL_SCHEMA, printed_schema

PROJECT = Path(__file__).parents[2]
PUBLISHED = PROJECT / "docs" / "schema.graphql"


def test_the_published_schema_is_the_one_in_the_code() -> None:
    hint = "run `python -m web.graphql.schema > docs/schema.graphql`"
    assert PUBLISHED.read_text("utf-8") == printed_schema(), hint


def test_the_module_prints_it() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "web.graphql.schema"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert printed.stdout == printed_schema()


def test_the_published_schema_can_be_read() -> None:
    assert build_schema(PUBLISHED.read_text("utf-8")).query_type is not None


def test_every_type_and_field_is_explained() -> None:
    missing = []
    for name, type_ in GRAPHQL_SCHEMA.type_map.items():
        if name.startswith("__") or name in {"ID", "String", "Int", "Float", "Boolean"}:
            continue
        if not type_.description:
            missing.append(name)
        if isinstance(type_, (GraphQLObjectType, GraphQLInputObjectType)):
            missing += [f"{name}.{field}" for field, found in type_.fields.items() if not found.description]
    assert missing == []


def test_enums_are_words_in_capitals() -> None:
    enums = [type_ for name, type_ in GRAPHQL_SCHEMA.type_map.items() if isinstance(type_, GraphQLEnumType)]
    assert len(enums) > 10
    for enum in enums:
        if not enum.name.startswith("__"):
            assert all(value == value.upper() for value in enum.values), enum.name
