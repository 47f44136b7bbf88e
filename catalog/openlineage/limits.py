"""How large, how many and how deep received events may be."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

#: orjson writes no deeper than 254 levels, and what reads events afterwards recurses no deeper than this.
DEEPEST = 250

#: Longest namespace or name, in bytes of UTF-8. Paths with many partitions are long, but none reaches this.
MAX_NAME_BYTES = 8 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request; bytes are counted after decompression, nesting counts objects and arrays."""

    max_event_bytes: int = 10 * MIB
    max_batch_bytes: int = 64 * MIB
    max_batch_events: int = 10_000
    max_depth: int = 64

    @property
    def depth(self) -> int:
        """The nesting that is really allowed: `max_depth`, but never more than `DEEPEST`."""
        return min(self.max_depth, DEEPEST)
