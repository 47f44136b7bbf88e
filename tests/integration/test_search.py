"""Search over GraphQL: what a text finds, in which order, page by page, whatever names and texts hold."""

from pathlib import Path
from typing import Any

import psycopg

from catalog.openlineage.limits import MAX_NAME_BYTES
from catalog.search.index import take_changes
from catalog.search.words import MOST_CHARACTERS, words_of
from tests.support.graphql import Asking, asked, completed, heard
from tests.support.spine import connect
from web.search.search import FUZZY_BELOW, MOST_TEXT

SEARCH = """
query($text: String!, $filters: SearchFilter, $first: Int! = 100, $after: String) {
  search(text: $text, filters: $filters, first: $first, after: $after) {
    nodes { id kind namespace name match dataset { id } job { id } }
    edges { cursor node { id } }
    pageInfo { hasNextPage endCursor }
    totalCount complete reason position
  }
}
"""
HOSTILE = [
    "it's",
    "back\\slash",
    "a & b | !c:*",
    "<-> (x)",
    "日本語.テーブル",
    "\u202eorders",
    "x" * 8000,
    "%_",
]


def shop(database_url: str) -> None:
    facts = completed("load_orders", inputs=["raw/orders.csv"], outputs=["shop.public.orders", "Orders"])
    facts += completed("reorder", inputs=["Orders"], outputs=["shop.public.customers", "my.OrdersDaily"])
    heard(database_url, facts)


async def found(asking: Asking, text: str, **filters: Any) -> list[tuple[str, str]]:
    answer = (await asking.data(SEARCH, {"text": text, "filters": filters or None}))["search"]
    assert answer["complete"]
    assert answer["totalCount"] == len(answer["nodes"])
    for node in answer["nodes"]:
        assert node["id"] == f"{node['kind'].lower()}:{node['namespace']}:{node['name']}"
        assert (node["dataset"] or node["job"])["id"] == node["id"]
    return [(node["name"], node["match"]) for node in answer["nodes"]]


def test_exact_before_prefix_before_fuzzy(database_url: str, tmp_path: Path) -> None:
    shop(database_url)

    async def story(asking: Asking) -> None:
        assert await found(asking, "orders") == [
            ("Orders", "EXACT"),
            ("load_orders", "PREFIX"),
            ("my.OrdersDaily", "PREFIX"),
            ("raw/orders.csv", "PREFIX"),
            ("shop.public.orders", "PREFIX"),
        ]
        assert await found(asking, "order") == [
            ("Orders", "PREFIX"),
            ("load_orders", "PREFIX"),
            ("my.OrdersDaily", "PREFIX"),
            ("raw/orders.csv", "PREFIX"),
            ("shop.public.orders", "PREFIX"),
            ("reorder", "FUZZY"),
        ]
        # Every word must fit; a typing error is forgiven; the order of words does not matter.
        assert await found(asking, "public orders") == [("shop.public.orders", "PREFIX")]
        assert await found(asking, "custmoers") == [("shop.public.customers", "FUZZY")]
        assert await found(asking, "orders publik") == [("shop.public.orders", "FUZZY")]
        assert await found(asking, "invoices") == []

    asked(database_url, tmp_path, story)


def test_filters_and_node_ids(database_url: str, tmp_path: Path) -> None:
    shop(database_url)

    async def story(asking: Asking) -> None:
        assert await found(asking, "orders", kinds=["JOB"]) == [("load_orders", "PREFIX")]
        assert await found(asking, "orders", namespace="elsewhere") == []
        assert len(await found(asking, "orders", namespace="ns")) == 5
        assert await found(asking, "dataset:ns:shop.public.orders") == [("shop.public.orders", "EXACT")]
        assert await found(asking, "job:ns:load_orders") == [("load_orders", "EXACT")]
        assert await found(asking, "job:ns:nothing") == []

    asked(database_url, tmp_path, story)


def test_pages_hold_every_hit_once(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("many", outputs=[f"orders_{number}" for number in range(23)]))

    async def story(asking: Asking) -> None:
        whole = (await asking.data(SEARCH, {"text": "orders"}))["search"]
        ids = [node["id"] for node in whole["nodes"]]
        assert len(ids) == 23
        pages, after = [], None
        while True:
            page = (await asking.data(SEARCH, {"text": "orders", "first": 7, "after": after}))["search"]
            pages.append([edge["node"]["id"] for edge in page["edges"]])
            assert page["totalCount"] == 23
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        assert [len(page) for page in pages] == [7, 7, 7, 2]
        assert [each for page in pages for each in page] == ids

    asked(database_url, tmp_path, story)


def test_a_list_without_typing_errors_says_so(database_url: str, tmp_path: Path) -> None:
    names = [f"orders_{number}" for number in range(FUZZY_BELOW - 1)]
    heard(database_url, completed("many", outputs=[*names, "ordersx", "the_ordes"]))
    with connect(database_url) as connection:
        while take_changes(connection):
            pass

    async def story(asking: Asking) -> None:
        many = (await asking.data(SEARCH, {"text": "orders", "first": 200}))["search"]
        assert (many["totalCount"], many["complete"], many["reason"]) == (FUZZY_BELOW, False, "NOT_SOUGHT")
        few = (await asking.data(SEARCH, {"text": "ordersx", "first": 200}))["search"]
        assert (few["complete"], few["reason"]) == (True, None)

    asked(database_url, tmp_path, story)


def test_what_is_called_strangely_is_found(database_url: str, tmp_path: Path) -> None:
    heard(database_url, completed("strange", outputs=HOSTILE))

    async def story(asking: Asking) -> None:
        for name in HOSTILE:
            first, *_ = await found(asking, name)
            assert first == (name, "EXACT")
        assert ("日本語.テーブル", "PREFIX") in await found(asking, "テーブ")
        assert ("back\\slash", "FUZZY") in await found(asking, "lash")

    asked(database_url, tmp_path, story)


def test_a_node_id_is_found_as_it_stands_however_long(database_url: str, tmp_path: Path) -> None:
    longest = "x" * MAX_NAME_BYTES
    heard(database_url, completed("blank", outputs=[" ", "a "], namespace=" "))
    heard(database_url, completed("long", outputs=[longest], namespace=longest))

    async def story(asking: Asking) -> None:
        for name, node in (
            (" ", "dataset: : "),
            ("a ", "dataset: :a "),
            (longest, f"dataset:{longest}:{longest}"),
        ):
            assert await found(asking, node) == [(name, "EXACT")]
            # What was copied with a line's end is found too.
            if name == longest:
                assert await found(asking, f"{node}\n") == [(name, "EXACT")]

    asked(database_url, tmp_path, story)


def test_texts_that_nothing_can_be_looked_for_by_are_refused(database_url: str, tmp_path: Path) -> None:
    async def story(asking: Asking) -> None:
        for text in ("", "   ", "x" * (MOST_TEXT + 1)):
            assert await asking.code(SEARCH, {"text": text}) == "invalid-input"
        assert await found(asking, "'") == []
        assert await found(asking, ":*") == []

    asked(database_url, tmp_path, story)


def test_the_index_parts_names_into_the_same_words(database_url: str) -> None:
    names = [*HOSTILE, "shop.public.Orders", "OrdersDaily2024X", "a\tb\nc", "Ünïcode.ÄÖ", ""]
    with connect(database_url) as connection:
        for name in names:
            assert set(terms(connection, name)) == {word[:MOST_CHARACTERS] for word in words_of(name)}, name


def test_the_index_is_used_however_common_a_word_is(database_url: str) -> None:
    heard(database_url, completed("many", outputs=[f"orders_{number}" for number in range(300)]))
    with connect(database_url) as connection:
        connection.execute("ANALYZE dataset")
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT id FROM dataset WHERE search_terms(name) @@ '''orders'':*'::tsquery"
        ).fetchall()
    assert any("dataset_search" in line for (line,) in plan), plan


def terms(connection: "psycopg.Connection[Any]", name: str) -> list[str]:
    ((found,),) = connection.execute("SELECT tsvector_to_array(search_terms(%s))", (name,)).fetchall()
    return [term for term in found if not term.startswith(("~", "="))]
