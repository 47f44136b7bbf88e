"""Node ids as callers write them: what they may mean, and when that is too much."""

import pytest

from catalog.errors import InvalidNodeId
from catalog.keys import MOST_COLONS, MOST_COLONS_OF_FIELD, MOST_READINGS, NodeId


def test_every_colon_may_part_namespace_and_name_the_longest_namespace_first() -> None:
    assert NodeId.parse("dataset:a:b:c").candidates() == [("a:b", "c"), ("a", "b:c")]
    assert NodeId.parse("datasetField:a:b:c").candidates() == [("a", "b", "c")]
    assert NodeId.parse("job:::x").candidates() == [(":", "x")]
    assert NodeId.parse("dataset:::").candidates() == []


@pytest.mark.parametrize(
    ("kind", "most"), [("dataset", MOST_COLONS), ("job", MOST_COLONS), ("datasetField", MOST_COLONS_OF_FIELD)]
)
def test_an_id_with_more_readings_than_are_looked_for_is_refused(kind: str, most: int) -> None:
    found = NodeId.parse(f"{kind}:{'a:' * most}a").candidates()
    assert MOST_READINGS == len(found) == len(set(found))
    with pytest.raises(InvalidNodeId, match=f"at most {most} colons in its names, found {most + 1}"):
        NodeId.parse(f"{kind}:{'a:' * (most + 1)}a")
