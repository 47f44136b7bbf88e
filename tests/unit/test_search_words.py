"""How a text and a name are compared."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.search.words import (
    Match,
    asked_words,
    error_query,
    indexed_words,
    is_one_error_away,
    judged,
    whole_of,
    within_query,
    words_of,
)


def match(text: str, name: str) -> Match | None:
    found = judged(text, asked_words(text), name)
    return None if found is None else found[0]


def test_names_are_parted_by_all_that_is_neither_letter_nor_digit() -> None:
    assert words_of("shop.public.Orders-2024") == ["shop", "public", "orders", "2024"]
    assert words_of("s3://bucket/a b_c") == ["s3", "bucket", "a", "b", "c"]
    assert words_of("日本語.テーブル→x") == ["日本語", "テーブル→x"]


def test_a_capital_letter_begins_a_word_beside_the_whole_one() -> None:
    assert words_of("OrdersDaily") == ["ordersdaily", "orders", "daily"]
    assert asked_words("OrdersDaily") == ["ordersdaily"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop.public.orders", Match.EXACT),
        ("SHOP.Public.Orders", Match.EXACT),
        ("shop.pub", Match.PREFIX),
        ("orders", Match.PREFIX),
        ("ord pub", Match.PREFIX),
        ("orders shop", Match.PREFIX),
        ("rders", Match.FUZZY),
        ("odrers", Match.FUZZY),
        ("ordrs publik", Match.FUZZY),
        ("orders of", None),
        ("odrres", None),
        ("pu rx", None),
    ],
)
def test_whole_names_before_beginnings_before_the_rest(text: str, expected: Match | None) -> None:
    assert match(text, "shop.public.orders") is expected


def test_equal_matches_have_an_order() -> None:
    names = ["orders", "orders_daily", "daily.orders", "my.ordersheet", "reorders", "ordres"]
    ranks = [judged("orders", ["orders"], name) for name in names]
    assert ranks == [
        (Match.EXACT, 0),
        (Match.PREFIX, 0),
        (Match.PREFIX, 1),
        (Match.PREFIX, 2),
        (Match.FUZZY, 3),
        (Match.FUZZY, 4),
    ]


def test_a_text_of_marks_alone_fits_by_its_beginning_only() -> None:
    assert match("/", "/data/x") is Match.PREFIX
    assert match("/", "data/x") is None


@given(st.text("abc", min_size=1, max_size=7), st.text("abc", min_size=1, max_size=7))
def test_one_error_is_one_character_or_two_neighbours_exchanged(one: str, other: str) -> None:
    neighbours = {one}
    for place in range(len(one) + 1):
        neighbours |= {one[:place] + letter + one[place:] for letter in "abc"}
        neighbours.add(one[:place] + one[place + 1 :])
        neighbours |= {one[:place] + letter + one[place + 1 :] for letter in "abc"}
        neighbours.add(one[:place] + one[place : place + 2][::-1] + one[place + 2 :])
    assert is_one_error_away(one, other) == (other in neighbours)
    assert is_one_error_away(other, one) == is_one_error_away(one, other)


def test_queries_quote_what_they_look_for() -> None:
    assert within_query("it's") == "('~it''' & '~t''s')"
    assert within_query("a\\b") == "('~a\\\\b')"
    assert within_query("ab") is None
    assert error_query("abcd") is None


def test_of_long_texts_the_ends_are_indexed() -> None:
    assert indexed_words("first " + "x " * 2000 + "last") == ["first", "x", "last"]
    assert indexed_words("y" * 900) == ["y" * 400]
    assert whole_of("Shop.Orders") == "=shop.orders"


@given(st.text("abcdefg", min_size=4, max_size=14), st.data())
def test_the_index_is_asked_for_every_word_with_one_error(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("xyz"))
    kind = data.draw(st.sampled_from(["other", "more", "less", "exchanged"]))
    wrong = {
        "other": word[:place] + letter + word[place + 1 :],
        "more": word[:place] + letter + word[place:],
        "less": word[:place] + word[place + 1 :],
        "exchanged": word[:place] + word[place : place + 2][::-1] + word[place + 2 :],
    }[kind]
    if len(wrong) < 5:
        return
    bounded = f"^{word}$"
    terms = {f"'~{bounded[at : at + 3]}'" for at in range(len(bounded) - 2)} | {f"'{word}'"}
    ways = (error_query(wrong) or "").split(" | ")
    found = [set(way.strip("()").split(" & ")) <= terms for way in ways]
    assert any(found), (wrong, word, list(itertools.compress(ways, found)))
