"""Two streams of rows in the order of their keys, walked side by side: bounded in memory, however long they are."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

Key = tuple[Any, ...]
Rows = Iterator[tuple[Key, Any]]


class Difference(StrEnum):
    """How a row differs from the one that should be there."""

    MISSING = "missing"
    SURPLUS = "surplus"
    DIFFERENT = "different"


def differences(expected: Rows, found: Rows) -> Iterator[tuple[Difference, Key]]:
    """Yield every key at which the streams differ; keys ascend in each, and none comes twice."""
    wanted, stored = next(expected, None), next(found, None)
    while wanted is not None or stored is not None:
        if stored is None or (wanted is not None and wanted[0] < stored[0]):
            assert wanted is not None  # noqa: S101 - says to the type checker what the conditions say
            yield Difference.MISSING, wanted[0]
            wanted = next(expected, None)
        elif wanted is None or stored[0] < wanted[0]:
            yield Difference.SURPLUS, stored[0]
            stored = next(found, None)
        else:
            if wanted[1] != stored[1]:
                yield Difference.DIFFERENT, wanted[0]
            wanted, stored = next(expected, None), next(found, None)
