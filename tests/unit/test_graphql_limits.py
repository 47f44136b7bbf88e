"""What a query may cost: counted before it is carried out, in time that does not depend on what it asks for."""

import time
from typing import Any

import pytest
from graphql import OperationDefinitionNode, get_introspection_query

from catalog.errors import InvalidInput, QueryTooExpensive
from web.graphql.documents import DocumentMemory, RefusedError, read_document
from web.graphql.limits import QueryCost, QueryLimits
from web.graphql.schema import GRAPHQL_SCHEMA

LIMITS = QueryLimits(max_depth=15, max_complexity=200_000)


def check(query: str, variables: dict[str, Any] | None = None, limits: QueryLimits = LIMITS) -> None:
    read = read_document(query)
    operation = read.operations[0]
    assert isinstance(operation, OperationDefinitionNode)
    QueryCost(GRAPHQL_SCHEMA, read.document).check(operation, variables or {}, limits)


def cost_of(query: str, variables: dict[str, Any] | None = None) -> int:
    with pytest.raises(QueryTooExpensive) as refused:
        check(query, variables, QueryLimits(max_depth=15, max_complexity=0))
    found: int = refused.value.details["found"]
    return found


def test_a_list_counts_as_often_as_its_arguments_allow() -> None:
    one = cost_of("{ datasets(first: 1) { nodes { id name } } }")
    many = cost_of("{ datasets(first: 1000) { nodes { id name } } }")
    # Each dataset more costs itself and its two fields.
    assert many - one == 999 * 3
    nested = cost_of("{ datasets(first: 10) { nodes { versions(first: 50) { nodes { id } } } } }")
    # Ten datasets with a list each of fifty versions with a field each.
    assert nested == 1 + 1 + 10 * (1 + 1 + 1 + 50 * 2)


def test_defaults_and_variables_count_as_they_will_be() -> None:
    assert cost_of("{ datasets { nodes { id } } }") == cost_of("{ datasets(first: 100) { nodes { id } } }")
    query = "query ($n: Int! = 7) { datasets(first: $n) { nodes { id } } }"
    assert cost_of(query) == cost_of("{ datasets(first: 7) { nodes { id } } }")
    assert cost_of(query, {"n": 500}) == cost_of("{ datasets(first: 500) { nodes { id } } }")
    lineage = 'query ($n: Int!) { lineage(nodeId: "dataset:a:b", maxNodes: $n) { nodes { id } } }'
    assert cost_of(lineage, {"n": 30_000}) == 2 + 30_000 * 2


def test_a_list_of_ids_costs_little_and_a_list_of_objects_much() -> None:
    ids = '{ lineage(nodeId: "dataset:a:b", maxNodes: 1000000) { nodeIds } }'
    check(ids)
    with pytest.raises(QueryTooExpensive, match="maxNodes"):
        check(ids.replace("nodeIds", "nodes { id }"))
    # What the issue of the day asks for fits: 10,000 nodes with five fields and their edges.
    check("""{ lineage(nodeId: "dataset:a:b", maxNodes: 10000) { nodes { id kind name namespace dataset { name } }
      edges { origin destination } nodeIds completeness { complete reason frontier } position } }""")


def test_fragments_count_wherever_they_are_spread() -> None:
    plain = "{ datasets(first: 10) { nodes { id name } } }"
    spread = "{ datasets(first: 10) { nodes { ...f } } } fragment f on Dataset { id ... on Dataset { name } }"
    assert cost_of(spread) == cost_of(plain)


def test_a_bomb_of_fragments_is_refused_at_once() -> None:
    levels = 60
    fragments = [
        f"fragment f{n} on Dataset {{ a: shownName {{ ...f{n + 1} }} b: shownName {{ ...f{n + 1} }} }}"
        for n in range(levels)
    ]
    last = f"fragment f{levels} on Dataset {{ id }}"
    bomb = " ".join(["{ datasets(first: 1) { nodes { ...f0 } } }", *fragments, last])
    read = read_document(bomb)
    started = time.perf_counter()
    with pytest.raises(QueryTooExpensive):
        QueryCost(GRAPHQL_SCHEMA, read.document).check(
            read.operations[0], {}, QueryLimits(max_depth=1000, max_complexity=200_000)
        )
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "query",
    [
        "{" + "position " * 101 + "}",
        "{ datasets { nodes {" + "...on Dataset { id } " * 101 + "} } }",
        "{ datasets { nodes {" + "...f " * 101 + "} } } fragment f on Dataset { id }",
        "{" + " ".join(f"a{n}: position" for n in range(201)) + "}",
        "{" + "datasets { nodes { shownName {" * 400 + "id" + "} } }" * 400 + "}",
        "query (" + " ".join(f"$v{n}: Int" for n in range(4000)) + ") { position }",
        "{ position } #" + "x" * 200_000,
    ],
    ids=["repeated field", "inline fragments", "spreads", "aliases", "nesting", "tokens", "characters"],
)
def test_floods_are_refused_before_anything_compares_them(query: str) -> None:
    started = time.perf_counter()
    with pytest.raises((QueryTooExpensive, RefusedError)):
        check(query)
    assert time.perf_counter() - started < 2


def test_nesting_is_bounded_where_fragments_hide_it_too() -> None:
    deep = "id"
    for _ in range(16):
        deep = f"shownName {{ {deep} }}"
    with pytest.raises(QueryTooExpensive, match="levels deep"):
        check(f"{{ datasets(first: 1) {{ nodes {{ {deep} }} }} }}")
    with pytest.raises(QueryTooExpensive, match="levels deep"):
        check(f"{{ datasets(first: 1) {{ nodes {{ ...f }} }} }} fragment f on Dataset {{ {deep} }}")


def test_tools_may_ask_for_the_schema_but_not_without_end() -> None:
    check(get_introspection_query())
    deep = "name"
    for _ in range(30):
        deep = f"ofType {{ {deep} }}"
    with pytest.raises(QueryTooExpensive):
        check(f"{{ __schema {{ types {{ fields {{ type {{ {deep} }} }} }} }} }}")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ nothing }", "nothing"),
        ("{ datasets { nodes { ...f } } } fragment f on Dataset { shownName { ...f } }", "f"),
        ("{ datasets { nodes { ...unknown } } }", "unknown"),
        ('{ datasets(first: "many") { position } }', "Int"),
        ('{ dataset(nodeId: "a") }', "sub"),
        ("{ position", "Syntax"),
    ],
)
def test_what_the_schema_does_not_have_is_refused_in_words_that_name_it(query: str, message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read_document(query)
    assert message in refused.value.errors[0].message


def test_text_with_a_nul_character_is_refused() -> None:
    with pytest.raises(InvalidInput, match="NUL"):
        read_document('{ dataset(namespace: "a\\u0000", name: "b") { id } }')


def test_documents_are_remembered_and_forgotten() -> None:
    memory = DocumentMemory()
    first = memory.read("{ position }")
    assert memory.known("{ position }") is first
    for number in range(300):
        memory.read(f"{{ a{number}: position }}")
    assert memory.known("{ position }") is None
    assert memory.known("{ a299: position }") is not None
    # Nothing that was refused is kept, and nothing long.
    with pytest.raises(RefusedError):
        memory.read("{ nothing }")
    assert memory.known("{ nothing }") is None
    long = "{ position } #" + "x" * 30_000
    memory.read(long)
    assert memory.known(long) is None
