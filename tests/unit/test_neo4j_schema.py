"""What Cypher names is declared, and what is declared is used."""

import re
from pathlib import Path

import graph.neo4j
from catalog.queries import load_cypher
from graph.edge_kinds import EDGE_KIND_NUMBERS
from graph.model import EdgeKind, NodeKind
from graph.neo4j.schema import (
    EDGE_TYPES,
    HAS_FIELD,
    HAS_STEP,
    LABELS,
    NODE_TYPES,
    STEP,
    TYPES_OF_NUMBER,
    schema_statements,
)

FILES = sorted(Path(graph.neo4j.__file__).parent.glob("*.cypher"))
STATEMENTS = {name: text for file in FILES for name, text in load_cypher(file).items()}
LABEL = re.compile(r"\(\w*:(\w+)")
TYPES = re.compile(r"\[\w*:([A-Z_|]+)")


def test_every_statement_names_what_is_declared_alone() -> None:
    labels = {label for text in STATEMENTS.values() for label in LABEL.findall(text)}
    types = {
        each for text in STATEMENTS.values() for found in TYPES.findall(text) for each in found.split("|")
    }
    assert labels <= {each.label for each in NODE_TYPES}
    declared = {type_ for edge in EDGE_TYPES.values() for type_ in edge.types}
    assert types == {*declared, HAS_FIELD, HAS_STEP}


def test_every_kind_has_its_types() -> None:
    assert EDGE_TYPES.keys() == set(EdgeKind)
    assert LABELS.keys() == set(NodeKind)
    assert {number: edge.kind for number, edge in TYPES_OF_NUMBER.items()} == {
        number: kind for kind, number in EDGE_KIND_NUMBERS.items()
    }
    every = [type_ for edge in EDGE_TYPES.values() for type_ in edge.types]
    assert len(set(every)) == len(every)


def test_walks_take_the_edges_that_carry_data_and_no_others() -> None:
    carried = {"CONSUMES", "PRODUCES", "FEEDS", "RENAMED", "DERIVES", "ALIAS"}
    for name in ("downstream", "upstream", "edges_downstream", "edges_upstream", "first_edges"):
        found = {each for types in TYPES.findall(STATEMENTS[name]) for each in types.split("|")}
        assert found == carried


def test_constraints_and_indexes_follow_from_the_declaration() -> None:
    statements = schema_statements()
    assert sum("CONSTRAINT" in each for each in statements) == sum(bool(each.unique) for each in NODE_TYPES)
    assert sum("INDEX" in each for each in statements) == 2
    assert all("IF NOT EXISTS" in each for each in statements)
    assert STEP.unique == ""
