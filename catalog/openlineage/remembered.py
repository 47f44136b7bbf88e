"""A bounded memory of what a pure function returned."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by key, whose sizes, as their givers state them, are at most `most_bytes` together.

    When they would be more, everything is forgotten: what is used is soon there again, and no order of use is kept.
    Threads may share it: what one of them forgets, another computes once more.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._values: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value, None where it is not remembered."""
        return self._values.get(key)

    def put(self, key: K, value: V, size: int) -> None:
        """Remember the value; `size` bytes are what it weighs."""
        if self._bytes + size > self._most_bytes:
            self._values = {}
            self._bytes = 0
        if size <= self._most_bytes:
            self._values[key] = value
            self._bytes += size
