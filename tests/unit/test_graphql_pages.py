"""Cursors: opaque, exact, and refused where they are not ours."""

import base64
import datetime as dt
import uuid

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import InvalidInput
from web.graphql.pages import FIRST_UUID, LATEST, Order, check_first

ORDER = Order("things", (str, dt.datetime, uuid.UUID, int), ("", LATEST, FIRST_UUID, 0))

PLACES = st.tuples(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.uuids(),
    st.integers(-(2**63) + 1, 2**63 - 1),
)


@given(PLACES)
def test_a_cursor_names_the_place_that_it_was_made_of(place: tuple[str, dt.datetime, uuid.UUID, int]) -> None:
    assert ORDER.decode(ORDER.encode(place)) == place


@given(st.text(max_size=200))
def test_whatever_else_is_sent_is_refused_and_nothing_else(text: str) -> None:
    with pytest.raises(InvalidInput):
        ORDER.decode(text)


@pytest.mark.parametrize(
    "values",
    [
        ["others", "a", "2026-01-01T00:00:00+00:00", str(FIRST_UUID), 1],
        ["things", "a", "2026-01-01T00:00:00+00:00", str(FIRST_UUID)],
        ["things", 1, "2026-01-01T00:00:00+00:00", str(FIRST_UUID), 1],
        ["things", "a", "2026-01-01T00:00:00", str(FIRST_UUID), 1],
        ["things", "a", "yesterday", str(FIRST_UUID), 1],
        ["things", "a", "2026-01-01T00:00:00+00:00", "no uuid", 1],
        ["things", "a", "2026-01-01T00:00:00+00:00", str(FIRST_UUID), True],
        ["things", "a", "2026-01-01T00:00:00+00:00", str(FIRST_UUID), 2**63],
        ["things", "\0", "2026-01-01T00:00:00+00:00", str(FIRST_UUID), 1],
        {"things": 1},
    ],
)
def test_a_cursor_of_another_list_or_a_forged_one_is_refused(values: object) -> None:
    cursor = base64.urlsafe_b64encode(orjson.dumps(values)).decode()
    with pytest.raises(InvalidInput, match="cursor"):
        ORDER.decode(cursor)


def test_no_cursor_is_the_beginning() -> None:
    assert ORDER.decode(None) == ORDER.start


def test_pages_have_a_largest_size() -> None:
    assert check_first(0) == 0
    assert check_first(1000) == 1000
    for first in (-1, 1001):
        with pytest.raises(InvalidInput, match="first"):
            check_first(first)
