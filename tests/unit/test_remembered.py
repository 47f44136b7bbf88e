import uuid

import pytest

from catalog.keys import DatasetKey
from catalog.openlineage.columns import ColumnLineage, ColumnSource
from catalog.openlineage.remembered import Remembered
from hooks.observing.memory import Memory


def test_what_was_put_is_there_until_it_would_be_too_much() -> None:
    remembered: Remembered[str, int] = Remembered(most_bytes=10)
    remembered.put("a", 1, 4)
    remembered.put("b", 2, 6)
    assert (remembered.get("a"), remembered.get("b")) == (1, 2)

    remembered.put("c", 3, 1)

    assert [remembered.get(key) for key in "abc"] == [None, None, 3]


def test_what_alone_is_too_much_is_not_remembered() -> None:
    remembered: Remembered[str, int] = Remembered(most_bytes=10)

    remembered.put("a", 1, 11)

    assert remembered.get("a") is None


def test_the_follower_forgets_columns_and_facets_alone_when_they_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hooks.observing.memory.MOST_COLUMN_SOURCES", 2)
    monkeypatch.setattr("hooks.observing.memory.MOST_WITH_FACETS", 1)
    memory = Memory()
    memory.shapes.add(b"shape")
    sources = [ColumnSource(DatasetKey("db", "a"), name, ()) for name in "gh"]
    memory.remember_columns("digest", ColumnLineage.of({"f": sources}, []))
    memory.facets.update((uuid.UUID(int=n), {}) for n in range(2))

    bounded = memory.bounded()

    assert (bounded.columns, bounded.column_sources, bounded.facets) == ({}, 0, {})
    assert bounded.shapes == {b"shape"}
